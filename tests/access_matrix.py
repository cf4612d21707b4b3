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
from typing import Any

from tests.factories.catalog import OfferFactory, SessionFactory
from tests.factories.dossiers import DossierFactory
from tests.factories.notices import NoticeFactory

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


def an_offer(**fields):
    return lambda world: [OfferFactory(provider=world.provider, **fields).pk]


def a_session(world):
    return [SessionFactory(offer=OfferFactory(provider=world.provider, sessions=0)).pk]


def a_notice(world):
    return [NoticeFactory(user=world.holder.user).pk]


ROWS = (
    # --- portal                             anonymous holder other_holder member other_member admin
    Row("home", "GET", None, 200, 200, 200, 200, 200, 302),
    Row("help", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("accessibility", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("legal_notice", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("personal_data", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("set_language", "POST", None, 302, 302, 302, 302, 302, 302),
    Row("robots", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("live", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("ready", "GET", None, 200, 200, 200, 200, 200, 200),
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
    # --- catalog
    Row("search", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("town_suggestions", "GET", None, 200, 200, 200, 200, 200, 200),
    Row("offer", "GET", an_offer(), 200, 200, 200, 200, 200, 200),
    Row("offer", "GET", an_offer(is_published=False), 404, 404, 404, 200, 404, 200),
    Row("provider_offers", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_offer_publish", "POST", an_offer(is_published=False), LOGIN, 403, 403, 302, 404, 403),
    Row("provider_offer_hide", "POST", an_offer(), LOGIN, 403, 403, 302, 404, 403),
    # --- rights
    Row("rights", "GET", None, LOGIN, 200, 200, 403, 403, 403),
    Row("rights_statement_file", "GET", None, LOGIN, 200, 200, 403, 403, 403),
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
    Row("dossier_decline", "POST", a_dossier(proposed=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_cancel", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_withdraw", "POST", a_dossier(accepted=True), LOGIN, 422, 404, 403, 403, 403),
    Row("dossier_remove", "POST", a_dossier(requested=True), LOGIN, 422, 404, 403, 403, 403),
    # --- dossiers: the organisation, which never sees a draft
    Row("provider_inbox", "GET", None, LOGIN, 403, 403, 200, 200, 403),
    Row("provider_dossier", "GET", a_dossier(), LOGIN, 403, 403, 404, 404, 403),
    Row("provider_dossier", "GET", a_dossier(requested=True), LOGIN, 403, 403, 200, 404, 403),
    Row("provider_propose", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_refuse", "POST", a_dossier(requested=True), LOGIN, 403, 403, 422, 404, 403),
    Row("provider_call_off", "POST", a_dossier(accepted=True), LOGIN, 403, 403, 422, 404, 403),
    # --- notices
    Row("notices", "GET", None, LOGIN, 200, 200, 200, 200, 200),
    Row("notices_read", "POST", None, LOGIN, 302, 302, 302, 302, 302),
    Row("notice_read", "POST", a_notice, LOGIN, 302, 404, 404, 404, 404),
    Row("notice_read", "GET", a_notice, LOGIN, 405, 405, 405, 405, 405),
)
