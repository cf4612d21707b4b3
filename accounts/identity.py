"""Identity: how people sign in, in our words (the adapter of allauth)."""

from allauth.account.adapter import DefaultAccountAdapter
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Sentences that say what to do. None tells whether an address has an account here."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "L’adresse e-mail ou le mot de passe ne convient pas. Vérifiez les deux, "
            "ou demandez un nouveau mot de passe."
        ),
        "too_many_login_attempts": _(
            "Trop d’essais de connexion. Attendez quelques minutes, puis essayez de nouveau."
        ),
        "enter_current_password": _("Ce mot de passe n’est pas votre mot de passe actuel."),
        "incorrect_password": _("Ce mot de passe ne convient pas."),
        "account_inactive": _("Cet accès est fermé. Écrivez-nous pour en connaître la raison."),
        "same_as_current": _("Cette adresse est déjà la vôtre."),
        "duplicate_email": _("Cette adresse est déjà la vôtre."),
        "too_long": _("Cette adresse est trop longue : 254 signes au plus."),
        "rate_limited": _("Trop de demandes à la suite. Attendez quelques minutes, puis essayez de nouveau."),
        "invalid_password_reset": _("Ce lien ne peut plus servir. Demandez-en un nouveau."),
    }

    def clean_email(self, email):
        # allauth would cut it, and write to an address that nobody typed.
        if len(email) > User._meta.get_field("email").max_length:
            raise self.validation_error("too_long")
        return super().clean_email(email)
