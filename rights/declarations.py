"""What holders declare of themselves: made, proved, decided by somebody else, ended.

A confirmed declaration changes nothing by itself: the next `credit_year` of each of its years finds it, and
corrects what was credited by counter-movements. Order of locks: the holder, then the declaration.
"""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

import rulebook
from accounts import journal
from accounts.actors import Actor
from accounts.announcements import tell_person
from accounts.models import HolderProfile
from accounts.permissions import NotAllowed
from notices.kinds import Kind as NoticeKind
from rights.kinds import DeclarationKind, DeclarationState
from rights.models import PROOFS_FOLDER, Declaration, DeclarationProof
from rulebook import CreditingRules
from rulebook.workdays import midnight_after, months_later, paris_day
from ui import french
from ui.documents import check, private_storage, shown_name, type_of
from ui.refusals import Refused

log = logging.getLogger(__name__)

State = DeclarationState
# What has to be proved; the others are said on one's honour, and what only chooses is nobody's to judge.
PROVED = frozenset({DeclarationKind.BOE})
CHOICES = frozenset({DeclarationKind.PREFERS_HOURS})
PROOFS_MAX = 3  # not law: it stops abuse
ORPHANS_WAIT = timedelta(days=1)


def of_holder(holder: HolderProfile) -> QuerySet[Declaration]:
    """With their proofs, the newest first."""
    return Declaration.objects.filter(holder=holder).prefetch_related("proofs")


def to_decide(user: object) -> QuerySet[Declaration]:
    """Those that wait for somebody, and are not one's own."""
    return Declaration.objects.filter(state=State.PROPOSED).exclude(holder__user=user)


def may_declare(kind: DeclarationKind, held: Sequence[Declaration]) -> bool:
    """Neither waiting nor in force without an end."""
    return not any(_is_live(each) for each in held if each.kind == kind)


def _is_live(declaration: Declaration) -> bool:
    return declaration.state == State.PROPOSED or (
        declaration.state == State.CONFIRMED and declaration.until_year is None
    )


def effect(kind: DeclarationKind, *, rules: CreditingRules) -> str:
    """What it changes, in one sentence with its amounts. Pure."""
    if kind == DeclarationKind.LOW_QUALIFIED:
        return _(
            "Une année entière donne %(increased)s au lieu de %(base)s, et le plafond passe de %(cap)s à "
            "%(increased_cap)s."
        ) % {
            "increased": french.euros(rules.increased_full_cents),
            "base": french.euros(rules.annual_full_cents),
            "cap": french.euros(rules.annual_cap_cents),
            "increased_cap": french.euros(rules.increased_cap_cents),
        }
    if kind == DeclarationKind.BOE:
        return _(
            "Chaque année qui ouvre des droits donne %(more)s de plus, jusqu’à %(most)s en tout, et le "
            "plafond passe de %(cap)s à %(increased_cap)s."
        ) % {
            "more": french.euros(rules.boe_increase_cents),
            "most": french.euros(rules.increased_full_cents),
            "cap": french.euros(rules.annual_cap_cents),
            "increased_cap": french.euros(rules.increased_cap_cents),
        }
    return _(
        "Une année où votre travail public et votre travail privé pèsent autant est comptée en heures, au "
        "lieu d’euros."
    )


# --- By the holder ----------------------------------------------------------------------------------


def declare(
    kind: DeclarationKind,
    *,
    proofs: Sequence[UploadedFile] = (),
    by: Actor,
    at: datetime,
    request_id: UUID,
) -> Declaration:
    """Say it, for the year of now and those after. The same request again gives the first one.

    Effects: a declaration that waits to be decided, or in force at once for what is only a choice; its
    proofs; a line of the journal. Refused: one waits or is in force already; a proof is missing or not what
    it says.
    """
    holder = _holder(by)
    check_count(kind, len(proofs))
    contents = [(upload.name or "", check(upload, kind="proofs")) for upload in proofs]
    with transaction.atomic():
        _lock_holder(holder)
        if done := Declaration.objects.filter(request_id=request_id, holder=holder).first():
            return done
        if not may_declare(kind, list(Declaration.objects.filter(holder=holder, kind=kind))):
            raise Refused(_("Vous l’avez déjà déclaré : suivez-le dans la liste."))
        is_choice = kind in CHOICES
        declaration = Declaration.objects.create(
            holder=holder,
            kind=kind,
            from_year=paris_day(at).year,
            state=State.CONFIRMED if is_choice else State.PROPOSED,
            declared_at=at,
            decided_at=at if is_choice else None,
            decided_by=by.user if is_choice else None,
            request_id=request_id,
        )
        for name, content in contents:
            _keep(declaration, name, content, at=at)
        _note(declaration, "declaration_made", by=by, at=at)
    return declaration


def check_count(kind: DeclarationKind, files: int) -> None:
    """Refused: too few files, or too many."""
    if kind in PROVED and not files:
        raise Refused(_("Joignez un justificatif : une photo nette suffit."), field="proofs")
    if files > PROOFS_MAX:
        raise Refused(_("Joignez %s fichiers au plus.") % PROOFS_MAX, field="proofs")


def withdraw(declaration_id: int, *, by: Actor, at: datetime) -> Declaration:
    """Take back what nobody has decided yet, with its proofs. By its holder."""
    with transaction.atomic():
        declaration = _locked_own(declaration_id, by=by)
        if declaration.state == State.WITHDRAWN:
            return declaration
        _check_state(declaration, State.PROPOSED)
        _decide(declaration, State.WITHDRAWN, by=by, at=at)
        _forget_proofs(declaration)
        _note(declaration, "declaration_withdrawn", by=by, at=at)
    return declaration


def end(declaration_id: int, *, until_year: int, by: Actor, at: datetime) -> Declaration:
    """« Ma situation a changé »: `until_year` is the last year that counts. By its holder.

    What was credited for a later year is corrected by the next run of that year.
    """
    with transaction.atomic():
        declaration = _locked_own(declaration_id, by=by)
        _check_state(declaration, State.CONFIRMED)
        if declaration.until_year == until_year:
            return declaration
        if declaration.until_year is not None:
            raise Refused(_("Sa dernière année est déjà dite : %s.") % declaration.until_year)
        if not declaration.from_year <= until_year <= paris_day(at).year:
            raise Refused(
                _("La dernière année est comprise entre %(first)s et %(last)s.")
                % {"first": declaration.from_year, "last": paris_day(at).year},
                field="until_year",
            )
        declaration.until_year = until_year
        declaration.save(update_fields=["until_year"])
        _note(declaration, "declaration_ended", by=by, at=at)
    return declaration


# --- By the administration ----------------------------------------------------------------------------


def confirm(declaration_id: int, *, by: Actor, at: datetime) -> Declaration:
    """It counts from its first year on; years already credited are corrected by their next run.

    Effects: the state, a line of the journal, a notice to the holder. By another person than the holder.
    """
    with transaction.atomic():
        declaration = _locked(declaration_id, by=by)
        if declaration.state == State.CONFIRMED:
            return declaration
        _check_state(declaration, State.PROPOSED)
        _decide(declaration, State.CONFIRMED, by=by, at=at)
        _note(declaration, "declaration_confirmed", by=by, at=at)
        _tell_holder(declaration, NoticeKind.DECLARATION_CONFIRMED, at=at)
    return declaration


def refuse(declaration_id: int, *, reason: str, by: Actor, at: datetime) -> Declaration:
    """Say no, or take back a yes that was wrong: what it had added is corrected by the next run of each year.

    Effects: the state, a line of the journal, a notice to the holder with the reason.
    """
    with transaction.atomic():
        declaration = _locked(declaration_id, by=by)
        if declaration.state == State.REFUSED:
            return declaration
        _check_state(declaration, State.PROPOSED, State.CONFIRMED)
        if not reason.strip():
            raise Refused(_("Dites pourquoi : le titulaire le lira."), field="reason")
        was_confirmed = declaration.state == State.CONFIRMED
        _decide(declaration, State.REFUSED, by=by, at=at, reason=reason.strip())
        _note(declaration, "declaration_taken_back" if was_confirmed else "declaration_refused", by=by, at=at)
        _tell_holder(declaration, NoticeKind.DECLARATION_REFUSED, at=at, was_confirmed=was_confirmed)
    return declaration


# --- What the clock does ----------------------------------------------------------------------------


def clear_away(*, at: datetime) -> int:
    """Forget the proofs of what was decided long enough ago, and files without a row; how many went."""
    gone = 0
    decided = Declaration.objects.filter(
        proofs__isnull=False, state__in=(State.CONFIRMED, State.REFUSED), decided_at__isnull=False
    ).distinct()
    for pk in list(decided.order_by("pk").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                found = Declaration.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk)
                declaration = found.first()
                if declaration is not None and _is_beyond_contest(declaration, at=at):
                    gone += _forget_proofs(declaration)
        except Exception:  # a fault of ours on one declaration must not keep the others back
            log.exception("declaration %s set aside", pk)
    return gone + _remove_orphans(at=at)


def _is_beyond_contest(declaration: Declaration, *, at: datetime) -> bool:
    assert declaration.decided_at is not None  # declaration_is_decided_at_a_moment
    day = paris_day(declaration.decided_at)
    return midnight_after(months_later(day, rulebook.on(day).contest_months)) <= at


def _remove_orphans(*, at: datetime) -> int:
    """A crash between the file and the commit of its row leaves it alone."""
    storage = private_storage()
    if not storage.exists(PROOFS_FOLDER):
        return 0
    _folders, names = storage.listdir(PROOFS_FOLDER)
    paths = {f"{PROOFS_FOLDER}/{name}" for name in names}
    known = set(DeclarationProof.objects.filter(file__in=paths).values_list("file", flat=True))
    gone = 0
    for path in sorted(paths - known):
        # One that is being written has no row yet.
        if storage.get_modified_time(path) < at - ORPHANS_WAIT:
            storage.delete(path)
            gone += 1
    return gone


# --- Parts of the verbs -------------------------------------------------------------------------------


def _holder(by: Actor) -> HolderProfile:
    if not by.is_holder or by.holder is None:
        raise NotAllowed(_("Seul le titulaire déclare sa situation."))
    return by.holder


def _lock_holder(holder: HolderProfile) -> None:
    HolderProfile.objects.select_for_update(no_key=True).get(pk=holder.pk)


def _locked_own(declaration_id: int, *, by: Actor) -> Declaration:
    holder = _holder(by)
    _lock_holder(holder)
    found = Declaration.objects.select_for_update(of=("self",)).filter(pk=declaration_id, holder=holder)
    declaration = found.first()
    if declaration is None:
        raise NotAllowed(_("Cette déclaration n’est pas la vôtre."))
    return declaration


def _locked(declaration_id: int, *, by: Actor) -> Declaration:
    if not by.is_admin or by.user is None or not by.user.has_perm("rights.decide_declaration"):
        raise NotAllowed(_("Vous n’avez pas le droit de décider d’une déclaration."))
    rows = Declaration.objects.select_for_update(of=("self",)).select_related("holder__user")
    declaration = rows.get(pk=declaration_id)
    if declaration.holder.user == by.user:
        raise NotAllowed(_("Personne ne décide de sa propre déclaration."))
    return declaration


def _check_state(declaration: Declaration, *allowed: State) -> None:
    if declaration.state not in allowed:
        raise Refused(
            _("Cette déclaration a changé d’état : « %s ». Cette action n’est plus possible.")
            % declaration.get_state_display()
        )


def _decide(declaration: Declaration, state: State, *, by: Actor, at: datetime, reason: str = "") -> None:
    declaration.state, declaration.decided_by, declaration.decided_at = state, by.user, at
    declaration.reason = reason
    declaration.save(update_fields=["state", "decided_by", "decided_at", "reason"])


def _keep(declaration: Declaration, name: str, content: bytes, *, at: datetime) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if declaration.proofs.filter(digest=digest).exists():
        return
    proof = DeclarationProof(
        declaration=declaration,
        file_name=shown_name(name, type_of(content)),
        content_type=type_of(content),
        size=len(content),
        digest=digest,
        added_at=at,
    )
    proof.file.save("", ContentFile(content), save=False)
    proof.save()


def _forget_proofs(declaration: Declaration) -> int:
    """Rows now, files after the commit; how many."""
    held = list(declaration.proofs.order_by("pk"))
    for proof in held:
        name = proof.file.name
        proof.delete()
        transaction.on_commit(partial(private_storage().delete, name), robust=True)
    return len(held)


def _note(declaration: Declaration, action: str, *, by: Actor, at: datetime) -> None:
    journal.record(
        by=by,
        action=action,
        subject=declaration.holder,
        at=at,
        details={
            "declaration": declaration.pk,
            "kind": str(declaration.kind),
            "from_year": declaration.from_year,
            "until_year": declaration.until_year,
            "reason": declaration.reason,
        },
    )


def _tell_holder(
    declaration: Declaration, kind: NoticeKind, *, at: datetime, was_confirmed: bool = False
) -> None:
    holder = declaration.holder
    if holder.user is None:
        return
    tell_person(
        holder.user,
        kind=kind,
        at=at,
        facts={
            "name": holder.display_name,
            "declaration": str(declaration.get_kind_display()),
            "from_year": str(declaration.from_year),
            "reason": declaration.reason,
            "was_confirmed": was_confirmed,
        },
        link=reverse("declarations"),
    )
