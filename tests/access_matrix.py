"""Who gets what at every address: one row per URL name and method, one answer per role.

A new URL without a row here fails tests/house/test_access_matrix.py. To add one, write its name, its
method, what its address is about, and the answer for each role, in the order of ROLES:

    Row("dossier", "GET", a_dossier(), LOGIN, 200, 404, 403, 403, 403),

`holder` owns the dossier or notice of the row, `member` acts for its organisation; `other_holder` and
`other_member` own others. 422 means: this person may, but an empty form says nothing. A POST sends
`data(world)`, or nothing. Names of the admin and of the sign-in package follow rules of their own there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.actors import Actor, Role
from accounts.models import Membership
from catalog import alerts, saved_searches
from dossiers import bulk, calendar
from dossiers.models import Dossier, Evidence
from support.links import link_of
from tests.factories.accounts import InvitationFactory, MembershipFactory
from tests.factories.admissions import JoinRequestFactory, MeasureFactory
from tests.factories.catalog import CatalogueImportFactory, OfferFactory, SessionFactory
from tests.factories.declarations import DeclarationProofFactory
from tests.factories.dossiers import DossierFactory, holder_actor, provider_actor
from tests.factories.messages import MessageFactory
from tests.factories.notices import NoticeFactory
from tests.factories.payments import CardPaymentFactory
from tests.factories.reviews import ReviewFactory, ended_dossier
from tests.factories.rights import DeclarationFactory
from tests.factories.support import TicketFactory

ROLES = ("anonymous", "holder", "other_holder", "member", "other_member", "admin")
LOGIN = "login"  # a redirection to the sign-in page


class World:
    """The people and things of conftest.py by their names, made when a row asks for them."""

    def __init__(self, request):
        self._made_by = request.getfixturevalue

    def __getattr__(self, name):
        return self._made_by(name)

    def person(self, role):
        """Who is signed in, in this role; None for a visitor."""
        match role:
            case "anonymous":
                return None
            case "holder" | "other_holder":
                return self._made_by(role).user
            case "admin":
                return self.administrator
        return self._made_by(role)


@dataclass(frozen=True)
class Row:
    name: str
    method: str
    about: Callable[[World], list[Any]] | None
    anonymous: int | str
    holder: int | str
    other_holder: int | str
    member: int | str
    other_member: int | str
    admin: int | str
    data: Callable[[World], dict[str, Any]] = lambda world: {}


# --- What an address is about: the arguments of its URL -----------------------------------------------


def a_dossier(**state):
    """A dossier of `holder` at `provider`; `requested=True`, `accepted=True`… bring it further."""

    def make(world):
        session = SessionFactory(offer=OfferFactory(provider=world.provider, sessions=0))
        return [DossierFactory(holder=world.holder, session=session, **state).pk]

    return make


def an_ended_dossier(world):
    """Of `holder` at `provider`: the training is over since a month."""
    return [ended_dossier(OfferFactory(provider=world.provider, sessions=0), holder=world.holder).pk]


def a_review(**state):
    """That `holder` gave of a training at `provider`."""

    def make(world):
        return [ReviewFactory(dossier=Dossier.objects.get(pk=an_ended_dossier(world)[0]), **state).pk]

    return make


def a_message(role):
    """In a dossier of `holder` at `provider`, written by this side."""

    def make(world):
        [dossier_id] = a_dossier(requested=True)(world)
        message = MessageFactory(dossier=Dossier.objects.get(pk=dossier_id), role=role)
        return [dossier_id, message.pk]

    return make


def an_offer(**fields):
    return lambda world: [OfferFactory(provider=world.provider, **fields).pk]


def a_saved_search(world):
    """Of `holder`."""
    about = {"name": "Soudure", "alert": "none", "user": world.holder.user}
    return [saved_searches.keep("q=soudure", at=timezone.now(), **about).pk]


def a_stop_link(world):
    """Written for `holder`; whoever has it may use it."""
    return [alerts.stop_link(world.holder.user).rpartition("/")[2]]


def a_batch(world):
    """A preview of `provider`, prepared and not confirmed."""
    [dossier_id] = a_dossier(requested=True)(world)
    by = provider_actor(world.provider)
    return [bulk.prepare("propose", dossiers=[dossier_id], by=by, at=timezone.now(), request_id=uuid4()).pk]


def a_session(world):
    return [SessionFactory(offer=OfferFactory(provider=world.provider, sessions=0)).pk]


def an_archived_offer(world):
    return [OfferFactory(provider=world.provider, is_published=False, archived_at=timezone.now()).pk]


def an_ending_certification(world):
    return [OfferFactory(provider=world.provider).certification_id]


def a_draft_offer(world):
    return [OfferFactory(provider=world.provider, is_draft=True, is_published=False, is_handmade=True).pk]


def an_own_session(world):
    return [SessionFactory(offer=OfferFactory(provider=world.provider, sessions=0)).pk]


def a_page_of_an_offer(*path):
    return lambda world: [*a_draft_offer(world), *path]


def an_import(**fields):
    return lambda world: [CatalogueImportFactory(provider=world.provider, **fields).pk]


def a_membership(world):
    """A colleague of `member`."""
    return [MembershipFactory(organisation=world.provider.organisation).pk]


def an_invitation(world):
    """To join the organisation of `member`, for somebody who is not here."""
    return [InvitationFactory(organisation=world.provider.organisation).pk]


def a_notice(world):
    return [NoticeFactory(user=world.holder.user).pk]


def an_event(world):
    return [*a_dossier(requested=True)(world), "provider_answer"]


def an_evidence(world):
    """A file by which `holder` proved a force majeure."""
    claimed = a_dossier(claimed=True, at=timezone.now() - timedelta(days=80))(world)
    return [Evidence.objects.get(claim__dossier_id=claimed[0]).pk]


def a_card_payment(world):
    """A try of `holder` that never got its number at the service."""
    [dossier_id] = a_dossier(awaiting_payment=True)(world)
    return [dossier_id, CardPaymentFactory(dossier_id=dossier_id).pk]


def a_feed(world):
    """The signed part of the address of `holder`'s calendar."""
    feed = calendar.make_feed(by=holder_actor(world.holder), at=timezone.now())
    return [calendar.address(feed).rpartition("/")[2].removesuffix(".ics")]


def a_ticket(world):
    return [TicketFactory(by=holder_actor(world.holder)).pk]


def a_ticket_of_the_organisation(world):
    organisation = world.provider.organisation
    return [TicketFactory(by=Actor(role=Role.PROVIDER, user=world.member, organisation=organisation)).pk]


def an_address(world):
    ticket = TicketFactory(email=f"visiteur-{uuid4().hex}@exemple.fr")
    return [link_of(ticket, at=timezone.now()).rpartition("/")[2]]


def a_join_request(**state):
    """A request that `holder` wrote, whatever role they act in."""
    return lambda world: [JoinRequestFactory(author=world.holder.user, **state).pk]


def a_join_page(page, **state):
    return lambda world: [*a_join_request(**state)(world), page]


def a_document(world):
    asked = JoinRequestFactory(author=world.holder.user)
    return [asked.pk, asked.documents.first().pk]


def a_declaration(world):
    """Of `holder`, waiting to be decided."""
    return [DeclarationFactory(holder=world.holder, state="proposed").pk]


def a_confirmed_declaration(world):
    return [DeclarationFactory(holder=world.holder).pk]


def a_proof(world):
    declaration = DeclarationFactory(holder=world.holder, kind="boe", state="proposed")
    return [declaration.pk, DeclarationProofFactory(declaration=declaration).pk]


def a_measure(world):
    """Against `provider`; `member` answers for it."""
    Membership.objects.filter(user=world.member).update(role="manager")
    return [MeasureFactory(provider=world.provider).pk]


ROWS = (
    # --- portal                             anonymous holder other_holder member other_member admin
    Row("home", "GET", None, 200, 200, 200, 200, 200, 302),
    Row("help", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("accessibility", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("legal_notice", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("terms", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("terms_version", "GET", lambda world: ["1"], 200, 200, 200, 200, 200, 200),
    Row("personal_data", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("set_language", "POST", None, 302, 302, 302, 302, 302, 302),
    Row("robots", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("sitemaps", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("sitemap", "GET", lambda world: ["formations-a0"], 200, 200, 200, 200, 200, 200),
    Row("sitemap", "GET", lambda world: ["personnes"], 404, 404, 404, 404, 404, 404),
    Row("manifest", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("live", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("ready", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("metrics", "GET", None, 404, 404, 404, 404, 404, 404),
    # --- accounts
    Row("activation", "GET", None, LOGIN, 302, 302, 200, 200, 200),
    Row("activation", "POST", None, LOGIN, 302, 302, 422, 422, 422),
    Row("switch_role", "GET", None, LOGIN, 405, 405, 405, 405, 405),
    Row(
        *("switch_role", "POST", None, LOGIN, 404, 404, 302, 404, 404),
        data=lambda world: {"role": f"provider:{world.provider.pk}"},
    ),
    Row("profile", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("profile", "POST", None, LOGIN, 422, 422, 403, 403, 403),
    Row("account", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("account_alert", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("account_alert", "POST", None, LOGIN, 302, 302, 302, 302, 302),
    Row("account_sessions_end", "GET", None, LOGIN, 405, 405, 405, 405, 405),
    Row("account_sessions_end", "POST", None, LOGIN, 302, 302, 302, 302, 302),
    Row("account_freeze", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("account_freeze", "POST", None, LOGIN, 422, 422, 403, 403, 403),
    Row("account_thaw", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("account_thaw", "POST", None, LOGIN, 422, 422, 403, 403, 403),
    Row("account_keep_frozen", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    Row("my_data", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("my_data", "POST", None, LOGIN, 422, 422, 422, 422, 422),
    # An organisation and its people: `member` is no manager, so may read and decides nothing.
    Row("provider_organisation", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_organisation", "POST", None, LOGIN, 403, 403, 403, 403, 403),
    Row("provider_team", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_team_invite", "POST", None, LOGIN, 403, 403, 403, 403, 403),
    Row("provider_member", "GET", a_membership, LOGIN, 403, 403, 200, 404, 403),
    Row("provider_member_role", "POST", a_membership, LOGIN, 403, 403, 422, 404, 403),
    Row(
        *("provider_member_role", "POST", a_membership, LOGIN, 403, 403, 403, 404, 403),
        data=lambda world: {"role": "manager"},
    ),
    Row("provider_member_remove", "POST", a_membership, LOGIN, 403, 403, 403, 404, 403),
    Row("provider_invitation_resend", "POST", an_invitation, LOGIN, 403, 403, 403, 403, 403),
    Row("provider_invitation_revoke", "POST", an_invitation, LOGIN, 403, 403, 403, 403, 403),
    Row("invitation", "GET", an_invitation, 200, 200, 200, 200, 200, 200),
    Row("invitation_accept", "POST", an_invitation, LOGIN, 422, 422, 422, 422, 422),
    # --- catalog
    Row("search", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("town_suggestions", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("offer", "GET", an_offer(), 200, 200, 200, 200, 200, 200),
    Row("compare", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("favourites", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("favourite_keep", "POST", an_offer(), LOGIN, 302, 302, 403, 403, 403),
    Row("favourite_keep", "POST", an_offer(is_published=False), LOGIN, 404, 404, 403, 403, 403),
    Row("favourite_drop", "POST", an_offer(), LOGIN, 302, 302, 403, 403, 403),
    Row("suggestions", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("saved_searches", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("saved_search_keep", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    Row("saved_search", "POST", a_saved_search, LOGIN, 422, 404, 403, 403, 403),
    Row("saved_search_run", "GET", a_saved_search, LOGIN, 302, 404, 403, 403, 403),
    Row("saved_search_drop", "POST", a_saved_search, LOGIN, 302, 302, 403, 403, 403),
    Row("alerts_stop", "GET", a_stop_link, 200, 200, 200, 200, 200, 200),
    Row("alerts_stop", "POST", a_stop_link, 200, 200, 200, 200, 200, 200),
    Row("wishes", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("wishes", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    Row("wishes_forget", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    Row("offer", "GET", an_offer(is_published=False), 404, 404, 404, 200, 404, 200),
    Row("provider_offers", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_offer_publish", "POST", an_offer(is_published=False), LOGIN, 403, 403, 302, 404, 403),
    Row("provider_offer_hide", "POST", an_offer(), LOGIN, 403, 403, 302, 404, 403),
    Row("provider_offer_archive", "POST", an_offer(is_published=False), LOGIN, 403, 403, 302, 404, 403),
    Row("provider_offer_archive", "POST", an_offer(), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_offer_unarchive", "POST", an_archived_offer, LOGIN, 403, 403, 302, 404, 403),
    Row("offer", "GET", an_archived_offer, 404, 404, 404, 200, 404, 200),
    Row("provider_endings", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_take_over", "POST", an_ending_certification, LOGIN, 403, 403, 302, 302, 403),
    Row("provider_offers_bulk", "POST", None, LOGIN, 403, 403, 302, 302, 403),
    Row("provider_offer_new", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_offer_new", "POST", None, LOGIN, 403, 403, 422, 422, 403),
    Row("provider_certifications", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_offer", "GET", a_draft_offer, LOGIN, 403, 403, 200, 404, 403),
    Row("offer", "GET", a_draft_offer, 404, 404, 404, 200, 404, 200),
    Row("provider_offer_publish", "POST", a_draft_offer, LOGIN, 403, 403, 422, 404, 403),
    Row("provider_offer_step", "GET", a_page_of_an_offer("textes"), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_offer_step", "POST", a_page_of_an_offer("textes"), LOGIN, 403, 403, 422, 404, 403),
    Row(
        *("provider_offer_check", "POST", a_page_of_an_offer("textes", "title")),
        *(LOGIN, 403, 403, 200, 404, 403),
    ),
    Row("provider_offer_sessions", "GET", a_draft_offer, LOGIN, 403, 403, 200, 404, 403),
    Row("provider_offer_sessions", "POST", a_draft_offer, LOGIN, 403, 403, 422, 404, 403),
    Row("provider_offer_duplicate", "POST", a_draft_offer, LOGIN, 403, 403, 422, 404, 403),
    Row("provider_offer_delete", "POST", a_draft_offer, LOGIN, 403, 403, 302, 404, 403),
    Row("provider_session", "GET", an_own_session, LOGIN, 403, 403, 200, 404, 403),
    Row("provider_session", "POST", an_own_session, LOGIN, 403, 403, 422, 404, 403),
    Row("provider_session_recruitment", "POST", an_own_session, LOGIN, 403, 403, 302, 404, 403),
    Row("provider_session_delete", "POST", an_own_session, LOGIN, 403, 403, 302, 404, 403),
    Row("provider_export", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_export_file", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_imports", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_import_new", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_import_new", "POST", None, LOGIN, 403, 403, 422, 422, 403),
    Row("provider_import_example", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_import", "GET", an_import(), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_import_report", "GET", an_import(), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_import_apply", "POST", an_import(), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_import_abandon", "POST", an_import(), LOGIN, 403, 403, 302, 404, 403),
    # A member is no manager.
    Row("provider_import_undo", "POST", an_import(), LOGIN, 403, 403, 403, 404, 403),
    # --- rights
    Row("rights_simulator", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("declarations", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("declaration_new", "GET", lambda world: ["sans-diplome"], LOGIN, 200, 200, 403, 403, 403),
    Row("declaration_new", "POST", lambda world: ["sans-diplome"], LOGIN, 422, 422, 403, 403, 403),
    Row("declaration_withdraw", "GET", a_declaration, LOGIN, 405, 405, 405, 405, 405),
    Row("declaration_withdraw", "POST", a_declaration, LOGIN, 302, 404, 403, 403, 403),
    Row("declaration_end", "GET", a_confirmed_declaration, LOGIN, 200, 404, 403, 403, 403),
    Row("declaration_end", "POST", a_confirmed_declaration, LOGIN, 422, 404, 403, 403, 403),
    Row("declaration_proof", "GET", a_proof, LOGIN, 200, 404, 403, 403, 403),
    Row("rights", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("rights_statement_file", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("rights_statement_paper", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("rights_statement_proof", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    # --- dossiers: the holder
    Row("dossiers", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("dossier_create", "GET", a_session, LOGIN, 200, 200, 403, 403, 403),
    Row("dossier_create", "POST", a_session, LOGIN, 422, 422, 403, 403, 403),
    Row("dossier", "GET", a_dossier(), LOGIN, 200, 404, 403, 403, 403),
    Row("dossier", "GET", a_dossier(accepted=True), LOGIN, 200, 404, 403, 403, 403),
    Row("dossier_edit", "POST", a_dossier(), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_discard", "POST", a_dossier(), LOGIN, 302, 404, 403, 403, 403),
    Row("dossier_send", "POST", a_dossier(), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_accept", "POST", a_dossier(proposed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_top_up", "POST", a_dossier(proposed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_decline", "POST", a_dossier(proposed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_cancel", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_withdraw", "POST", a_dossier(accepted=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_cancel_late", "POST", a_dossier(accepted=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_agree", "POST", a_dossier(postponed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_leave_free", "POST", a_dossier(postponed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_claim", "GET", a_dossier(accepted=True), LOGIN, 302, 404, 403, 403, 403),
    Row("dossier_claim", "POST", a_dossier(accepted=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_contest", "POST", a_dossier(accepted=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_evidence", "GET", an_evidence, LOGIN, 200, 404, 404, 404, 404),
    Row("dossier_ask_funder", "POST", a_dossier(proposed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_send_again", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_remove", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_event", "GET", an_event, LOGIN, 200, 404, 403, 403, 403),
    # A draft has no thread; nobody reports their own side's message.
    Row("dossier_messages", "GET", a_dossier(), LOGIN, 404, 404, 403, 403, 403),
    Row("dossier_messages", "GET", a_dossier(requested=True), LOGIN, 200, 404, 403, 403, 403),
    Row("dossier_message_send", "POST", a_dossier(), LOGIN, 404, 404, 403, 403, 403),
    Row("dossier_message_send", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_messages_read", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_message_report", "GET", a_message("provider"), LOGIN, 200, 404, 403, 403, 403),
    Row("dossier_message_report", "GET", a_message("holder"), LOGIN, 404, 404, 403, 403, 403),
    Row("dossier_message_report", "POST", a_message("provider"), LOGIN, 422, 404, 403, 403, 403),
    # There is nothing to review before the end.
    Row("dossier_review", "GET", a_dossier(accepted=True), LOGIN, 404, 404, 403, 403, 403),
    Row("dossier_review", "GET", an_ended_dossier, LOGIN, 200, 404, 403, 403, 403),
    Row("dossier_review", "POST", an_ended_dossier, LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_review_delete", "POST", an_ended_dossier, LOGIN, 302, 404, 403, 403, 403),
    Row("dossier_payment", "GET", a_dossier(awaiting_payment=True), LOGIN, 200, 404, 403, 403, 403),
    Row("dossier_payment", "GET", a_dossier(requested=True), LOGIN, 404, 404, 403, 403, 403),
    # No key is configured there: no card is offered, and no event is heard.
    Row("dossier_pay_by_card", "POST", a_dossier(awaiting_payment=True), LOGIN, 404, 404, 403, 403, 403),
    Row("dossier_payment_look", "POST", a_card_payment, LOGIN, 302, 404, 403, 403, 403),
    Row("dossier_payment_abandon", "POST", a_card_payment, LOGIN, 302, 404, 403, 403, 403),
    Row("payment_events", "POST", None, 404, 404, 404, 404, 404, 404),
    Row("payment_events", "GET", None, 405, 405, 405, 405, 405, 405),
    Row("first_step_seen", "POST", lambda world: ["droits"], LOGIN, 302, 302, 403, 403, 403),
    Row("first_steps_put_away", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    Row("first_steps_bring_back", "POST", None, LOGIN, 302, 302, 403, 403, 403),
    # --- dossiers: calendars, of a person in a role; whoever has the address of a feed reads it
    Row("calendar", "GET", None, LOGIN, 200, 200, 200, 200, 403),
    Row("calendar_make", "POST", None, LOGIN, 302, 302, 302, 302, 403),
    Row("calendar_stop", "POST", None, LOGIN, 302, 302, 302, 302, 302),
    Row("calendar_feed", "GET", a_feed, 200, 200, 200, 200, 200, 200),
    # --- dossiers: the organisation, which never sees a draft
    Row("provider_inbox", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_inbox_file", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_density", "POST", None, LOGIN, 403, 403, 302, 302, 403),
    Row("provider_dossier", "GET", a_dossier(), LOGIN, 403, 403, 404, 404, 403),
    Row("provider_dossier", "GET", a_dossier(requested=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_messages", "GET", a_dossier(), LOGIN, 403, 403, 404, 404, 403),
    Row("provider_messages", "GET", a_dossier(requested=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_message_send", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_messages_read", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_message_report", "GET", a_message("holder"), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_message_report", "GET", a_message("provider"), LOGIN, 403, 403, 404, 404, 403),
    Row("provider_message_report", "POST", a_message("holder"), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_check", "POST", a_dossier(requested=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_propose", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_refuse", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_call_off", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_acknowledge", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_postpone", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_keep_dates", "POST", a_dossier(postponed=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_enter", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_absence", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_end", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_completion", "GET", a_dossier(accepted=True), LOGIN, 403, 403, 302, 404, 403),
    Row("provider_completion", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    # Words that nobody has read are shown to nobody.
    Row("provider_reviews", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_review_answer", "GET", a_review(words="Bien."), LOGIN, 403, 403, 404, 404, 403),
    Row("provider_review_answer", "GET", a_review(published=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_review_answer", "POST", a_review(published=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_review_report", "GET", a_review(published=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_review_report", "POST", a_review(published=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_due", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_batch_new", "POST", None, LOGIN, 403, 403, 422, 422, 403),
    Row("provider_batches", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_batch", "GET", a_batch, LOGIN, 403, 403, 200, 404, 403),
    Row("provider_batch_review", "POST", a_batch, LOGIN, 403, 403, 302, 404, 403),
    Row("provider_batch_confirm", "POST", a_batch, LOGIN, 403, 403, 302, 404, 403),
    Row("provider_batch_discard", "POST", a_batch, LOGIN, 403, 403, 302, 404, 403),
    # --- help and requests for help
    Row("help_question", "GET", lambda world: ["changer-d-avis"], 200, 200, 200, 200, 200, 200),
    Row("contact", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("contact_topic", "GET", lambda world: ["mes-droits"], 200, 200, 200, 200, 200, 200),
    Row("contact_write", "GET", lambda world: ["mes-droits"], 200, 200, 200, 200, 200, 200),
    Row("contact_write", "POST", lambda world: ["mes-droits"], 422, 422, 422, 422, 422, 422),
    Row("contact_keep", "POST", lambda world: ["mes-droits"], 302, 302, 302, 302, 302, 302),
    Row("contact_sent", "GET", None, 302, 302, 302, 302, 302, 302),
    Row("report_scam", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("report_scam", "POST", None, 422, 422, 422, 422, 422, 422),
    Row("follow", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("follow", "POST", None, 422, 422, 422, 422, 422, 422),
    Row("tickets", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("ticket", "GET", a_ticket, LOGIN, 200, 404, 404, 404, 404),
    Row("ticket", "GET", a_ticket_of_the_organisation, LOGIN, 404, 404, 200, 404, 404),
    Row("ticket_reply", "POST", a_ticket, LOGIN, 422, 404, 404, 404, 404),
    Row("ticket_close", "POST", a_ticket, LOGIN, 422, 404, 404, 404, 404),
    Row("ticket_reopen", "POST", a_ticket, LOGIN, 422, 404, 404, 404, 404),
    # Whoever holds the signed address reads it: it was mailed to one visitor.
    Row("ticket_followed", "GET", an_address, 200, 200, 200, 200, 200, 200),
    Row("ticket_followed", "GET", lambda world: ["forged"], 404, 404, 404, 404, 404, 404),
    Row("ticket_followed_reply", "POST", an_address, 422, 422, 422, 422, 422, 422),
    Row("ticket_followed_close", "POST", an_address, 422, 422, 422, 422, 422, 422),
    Row("ticket_followed_reopen", "POST", an_address, 422, 422, 422, 422, 422, 422),
    # --- notices
    Row("notices", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("notices_read", "POST", None, LOGIN, 302, 302, 302, 302, 302),
    Row("notice_open", "POST", a_notice, LOGIN, 302, 404, 404, 404, 404),
    Row("notice_read", "POST", a_notice, LOGIN, 302, 404, 404, 404, 404),
    Row("notice_read", "GET", a_notice, LOGIN, 405, 405, 405, 405, 405),
    # --- admissions: a request belongs to whoever wrote it, whatever role they act in
    Row("join", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("join_start", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("join_start", "POST", None, LOGIN, 422, 422, 422, 422, 422),
    Row("join_request", "GET", a_join_request(), LOGIN, 200, 404, 404, 404, 404),
    Row("join_request", "GET", a_join_request(state="sent"), LOGIN, 200, 404, 404, 404, 404),
    Row("join_page", "GET", a_join_page("coordonnees"), LOGIN, 200, 404, 404, 404, 404),
    Row("join_page", "GET", a_join_page("coordonnees", state="sent"), LOGIN, 302, 404, 404, 404, 404),
    Row("join_page", "POST", a_join_page("activite"), LOGIN, 422, 404, 404, 404, 404),
    Row("join_page", "POST", a_join_page("activite", state="sent"), LOGIN, 422, 404, 404, 404, 404),
    Row("join_documents", "GET", a_join_request(), LOGIN, 200, 404, 404, 404, 404),
    Row("join_documents", "POST", a_join_request(empty=True), LOGIN, 422, 404, 404, 404, 404),
    Row("join_document", "GET", a_document, LOGIN, 200, 404, 404, 404, 404),
    Row("join_document_remove", "POST", a_document, LOGIN, 302, 404, 404, 404, 404),
    Row("join_codes", "GET", a_join_request(), LOGIN, 200, 404, 404, 404, 404),
    Row("join_review", "GET", a_join_request(), LOGIN, 200, 404, 404, 404, 404),
    Row("join_send", "POST", a_join_request(), LOGIN, 422, 404, 404, 404, 404),
    Row("join_withdraw", "POST", a_join_request(state="sent"), LOGIN, 422, 404, 404, 404, 404),
    Row("join_discard", "POST", a_join_request(), LOGIN, 302, 404, 404, 404, 404),
    Row("join_again", "POST", a_join_request(state="refused"), LOGIN, 422, 404, 404, 404, 404),
    Row("join_receipt", "GET", a_join_request(), LOGIN, 404, 404, 404, 404, 404),
    Row("join_receipt", "GET", a_join_request(state="sent"), LOGIN, 200, 404, 404, 404, 404),
    Row("provider_standing", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_standing_answer", "POST", a_measure, LOGIN, 403, 403, 422, 404, 403),
)
