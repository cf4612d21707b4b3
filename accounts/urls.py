from django.urls import path

from accounts.views import account, holder, invitations, person, team

urlpatterns = [
    path("activer-mon-compte", person.activation, name="activation"),
    path("changer-de-role", person.switch_role, name="switch_role"),
    path("mon-profil", holder.profile, name="profile"),
    path("langue", account.set_language, name="set_language"),
    # --- one's own account
    path("mon-compte", account.account, name="account"),
    path("mon-compte/ce-n-etait-pas-moi", account.account_alert, name="account_alert"),
    path(
        "mon-compte/fermer-les-autres-connexions", account.account_sessions_end, name="account_sessions_end"
    ),
    path("mon-compte/geler", account.account_freeze, name="account_freeze"),
    path("mon-compte/degeler", account.account_thaw, name="account_thaw"),
    path("mon-compte/rester-gele", account.account_keep_frozen, name="account_keep_frozen"),
    # --- an organisation and its people
    path("organisme/coordonnees", team.provider_organisation, name="provider_organisation"),
    path("organisme/equipe", team.provider_team, name="provider_team"),
    path("organisme/equipe/inviter", team.provider_team_invite, name="provider_team_invite"),
    path("organisme/equipe/<int:membership_id>", team.provider_member, name="provider_member"),
    path("organisme/equipe/<int:membership_id>/role", team.provider_member_role, name="provider_member_role"),
    path(
        "organisme/equipe/<int:membership_id>/retirer",
        team.provider_member_remove,
        name="provider_member_remove",
    ),
    path(
        "organisme/equipe/invitations/<uuid:invitation_id>/renvoyer",
        team.provider_invitation_resend,
        name="provider_invitation_resend",
    ),
    path(
        "organisme/equipe/invitations/<uuid:invitation_id>/retirer",
        team.provider_invitation_revoke,
        name="provider_invitation_revoke",
    ),
    path("invitations/<uuid:invitation_id>", invitations.invitation, name="invitation"),
    path(
        "invitations/<uuid:invitation_id>/accepter", invitations.invitation_accept, name="invitation_accept"
    ),
]
