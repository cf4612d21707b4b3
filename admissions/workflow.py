"""What people do with a request to join: one verb each, whoever does it.

Every move has the same steps in this order: lock · same request again? · guards · effects · move · tell.
It is done by `by`, at the moment `at`; the same `request_id` returns the first result. What cannot be
done raises `Refused`; who may not, `NotAllowed`. Nothing is ever refused by the clock: lateness is the
administration's, and is shown.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _
from stdnum import luhn

import rulebook
from accounts import journal
from accounts.actors import Actor
from accounts.models import Membership, Organisation
from accounts.permissions import NotAllowed
from admissions import announcements, clocks, completeness, documents, guards, permissions, registers
from admissions.completeness import Page
from admissions.models import Document, JoinRequest, JoinStep
from admissions.states import MOVES, Motive, Side, State
from catalog import indexing
from catalog.models import Provider
from rulebook import workdays
from ui.refusals import Refused, StalePage

__all__ = ["NotAllowed", "Refused"]

QUALIOPI_KINDS = ("training", "skills_review", "vae", "apprenticeship")
ALL_FIELDS = tuple(field for page in Page for field in completeness.FIELDS[page])

# Any number: the same for everyone who admits.
ADMISSION_LOCK = 6_323_001


# --- Before anything is sent ------------------------------------------------------------------------


def create(siret: str, *, by: Actor, at: datetime, request_id: UUID) -> JoinRequest:
    """A draft for this SIRET, with what the registers know of it. By anyone who signed in."""
    if by.user is None:
        raise NotAllowed(_("Connectez-vous d’abord."))
    with transaction.atomic():
        done = JoinRequest.objects.filter(creation_request_id=request_id, author_id=by.user.pk).first()
        if done:
            return done
        guards.check_siret_free(siret)
        guards.check_open_count(by.user.pk)
        return _start(JoinRequest(siret=siret, **_known(siret)), by=by, at=at, request_id=request_id)


def again(join_request_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> JoinRequest:
    """A new draft with the answers of a request that is over; documents are asked again. By its author."""
    with transaction.atomic():
        old = _lock(join_request_id)
        permissions.check_author(old, by)
        done = JoinRequest.objects.filter(creation_request_id=request_id, author_id=old.author_id).first()
        if done:
            return done
        if old.state not in {State.REFUSED, State.WITHDRAWN}:
            raise Refused(_("Cette demande n’est pas terminée : il n’y a rien à recommencer."))
        guards.check_siret_free(old.siret)
        guards.check_open_count(old.author_id)
        answers = {field: getattr(old, field) for field in ALL_FIELDS}
        # Declared anew each time; the extract will be another one.
        answers |= {"has_no_conviction": False, "extract_issued_on": None}
        return _start(JoinRequest(**answers), by=by, at=at, request_id=request_id)


def edit(join_request_id: UUID, *, by: Actor, at: datetime, fields: Mapping[str, Any]) -> JoinRequest:
    """Keep what was typed on a page, complete or not. By its author, while it is a draft or to complete."""
    with transaction.atomic():
        asked = _lock(join_request_id)
        permissions.check_author(asked, by)
        guards.check_editable(asked)
        if fields.get("siret", asked.siret) != asked.siret:
            guards.check_siret_free(fields["siret"])
        kept = [name for name in fields if name in ALL_FIELDS]
        for name in kept:
            setattr(asked, name, fields[name])
        asked.touched_at = at
        asked.save(update_fields=[*kept, "touched_at"])
    return asked


def discard(join_request_id: UUID, *, by: Actor) -> None:
    """Throw a draft and its documents away: nothing was sent. By its author, or by the clock."""
    with transaction.atomic():
        asked = _lock(join_request_id)
        if not by.is_system:
            permissions.check_author(asked, by)
        if asked.state != State.DRAFT:
            raise Refused(_("Cette demande a été envoyée : retirez-la plutôt."))
        documents.remove_all(asked)
        asked.delete()


# --- The main line ----------------------------------------------------------------------------------


def send(join_request_id: UUID, *, by: Actor, at: datetime, request_id: UUID, declares: bool) -> JoinRequest:
    """Send, or send again once completed. By its author, who declares on their honour.

    Effects: SENT; what was written is frozen in the step; the delays are frozen; a receipt.
    """
    with transaction.atomic():
        asked, is_done = _begin("send", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "send")
        today = workdays.paris_day(at)
        rules = rulebook.on(today)
        held = list(asked.documents.order_by("kind", "added_at"))
        guards.check_siret_free(asked.siret)
        guards.check_complete(asked, held, on=today, rules=rules)
        guards.check_declared(declares)
        guards.check_sends_today(asked, at=at)
        period = clocks.receivability(at, rules=rules)
        asked.receivable_due_at = period.expires_at
        if asked.decision_due_at is None:
            asked.decision_due_at = clocks.decision_due(at, rules=rules)
        else:
            waiting = JoinStep.objects.filter(join_request=asked, verb="ask_completion").latest("id")
            asked.decision_due_at = clocks.pushed_back(
                asked.decision_due_at, asked_at=waiting.at, answered_at=at
            )
        asked.sent_at = asked.sent_at or at
        asked.reminded_at = asked.lateness_told_at = None
        asked.save(
            update_fields=[
                "receivable_due_at",
                "decision_due_at",
                "sent_at",
                "reminded_at",
                "lateness_told_at",
            ]
        )
        details = {
            "answers": answers_of(asked),
            "documents": [
                {"kind": each.kind, "name": each.file_name, "size": each.size, "digest": each.digest}
                for each in held
            ],
            "declared": True,
            "terms_version": rules.terms_version,
            "skipped": [{"day": day.isoformat(), "why": why} for day, why in period.skipped],
        }
        _move(asked, "send", by=by, at=at, request_id=request_id, details=details)
    return asked


def ask_completion(
    join_request_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str,
    items: Iterable[str],
) -> JoinRequest:
    """Say what is missing. `items`: names of fields and kinds of documents. By an admin.

    Effects: COMPLETION_ASKED, every page can be corrected; the delays wait; a notice.
    """
    with transaction.atomic():
        asked, is_done = _begin("ask_completion", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "ask_completion")
        guards.check_words(words)
        named = list(dict.fromkeys(items))
        unknown = set(named) - set(ALL_FIELDS) - set(Document.Kind.values)
        if not named or unknown:
            raise Refused(_("Cochez au moins un point à compléter."), field="items")
        asked.touched_at, asked.reminded_at = at, None
        asked.save(update_fields=["touched_at", "reminded_at"])
        _move(
            asked,
            "ask_completion",
            by=by,
            at=at,
            request_id=request_id,
            words=words,
            details={"items": named},
        )
    return asked


def declare_receivable(join_request_id: UUID, *, by: Actor, at: datetime, request_id: UUID) -> JoinRequest:
    """The file is complete: its content will be examined. By an admin. A notice."""
    with transaction.atomic():
        asked, is_done = _begin("declare_receivable", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "declare_receivable")
        asked.lateness_told_at = None
        asked.save(update_fields=["lateness_told_at"])
        _move(asked, "declare_receivable", by=by, at=at, request_id=request_id)
    return asked


def admit(
    join_request_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str = "",
    notes: str = "",
) -> JoinRequest:
    """Let the organisation in. By an admin. `words` are told; `notes` stay with the administration.

    Effects, all or none: the organisation and its Qualiopi kinds (one that an import brought is taken
    over), its author as manager, ADMITTED, the journal, notices to the author and to its mailbox.
    """
    with transaction.atomic():
        asked, is_done = _begin("admit", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "admit")
        _one_admission_at_a_time()
        guards.check_siret_free(asked.siret)
        guards.check_activity_number_free(asked)
        asked.organisation = _open_organisation(asked, at=at)
        asked.save(update_fields=["organisation"])
        membership, _is_new = Membership.objects.update_or_create(
            user_id=asked.author_id,
            organisation=asked.organisation,
            defaults={"role": Membership.Role.MANAGER},
        )
        journal.record(
            by=by,
            action="organisation_admitted",
            subject=asked.organisation,
            at=at,
            details={"join_request": asked.number, "manager": journal.subject_of(membership)},
        )
        _move(
            asked,
            "admit",
            by=by,
            at=at,
            request_id=request_id,
            words=words,
            details={"notes": notes.strip()} if notes.strip() else {},
        )
    return asked


def refuse(
    join_request_id: UUID,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    motives: Iterable[str],
    words: str,
    notes: str = "",
) -> JoinRequest:
    """Say no, with motives and words, and how to contest. By an admin. A notice."""
    with transaction.atomic():
        asked, is_done = _begin("refuse", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "refuse")
        named = list(dict.fromkeys(motives))
        if not named or set(named) - set(Motive.values):
            raise Refused(_("Cochez au moins un motif."), field="motives")
        guards.check_words(words)
        details = {"motives": named} | ({"notes": notes.strip()} if notes.strip() else {})
        _move(asked, "refuse", by=by, at=at, request_id=request_id, words=words, details=details)
    return asked


def withdraw(
    join_request_id: UUID, *, by: Actor, at: datetime, request_id: UUID, words: str = ""
) -> JoinRequest:
    """Give up a request that was sent. By its author. A confirmation."""
    with transaction.atomic():
        asked, is_done = _begin("withdraw", join_request_id, by=by, request_id=request_id)
        if is_done:
            return asked
        guards.check_move(asked, "withdraw")
        _move(asked, "withdraw", by=by, at=at, request_id=request_id, words=words)
    return asked


# --- Inside -----------------------------------------------------------------------------------------


def answers_of(asked: JoinRequest) -> dict[str, Any]:
    """All the answers as JSON holds them, by field."""
    encoder = DjangoJSONEncoder()
    return {
        field: value if isinstance(value, str | bool | list | None) else encoder.default(value)
        for field in ALL_FIELDS
        for value in [getattr(asked, field)]
    }


def new_number() -> str:
    """A number people can dictate: 11 digits, the last one a check digit."""
    digits = f"{secrets.randbelow(9_000_000_000) + 1_000_000_000}"
    return digits + luhn.calc_check_digit(digits)


def _known(siret: str) -> dict[str, Any]:
    """What the list of organisations already says of this SIRET, so that nobody types it again."""
    record = registers.public_record(siret)
    if record is None:
        return {}
    fields = ("activity_number", "address", "postal_code", "town_name")
    kinds = {f"qualiopi_{kind}": getattr(record, f"qualiopi_{kind}") for kind in QUALIOPI_KINDS}
    return {field: getattr(record, field) for field in fields} | kinds | {"name": record.organisation.name}


def _start(asked: JoinRequest, *, by: Actor, at: datetime, request_id: UUID) -> JoinRequest:
    asked.number = new_number()
    asked.author_id = by.user.pk if by.user else None
    asked.created_at = asked.touched_at = at
    asked.creation_request_id = request_id
    try:
        with transaction.atomic():
            asked.save(force_insert=True)
    except IntegrityError:
        # The same click from another connection was faster; else the name, or the number, is taken.
        done = JoinRequest.objects.filter(creation_request_id=request_id, author_id=asked.author_id).first()
        if done is None:
            raise StalePage from None
        return done
    return asked


def _lock(join_request_id: UUID) -> JoinRequest:
    asked = (
        JoinRequest.objects.select_for_update(of=("self",))
        .select_related("author", "organisation")
        .filter(pk=join_request_id)
        .first()
    )
    if asked is None:
        raise Refused(_("Ce brouillon a été supprimé."))
    return asked


def _begin(verb: str, join_request_id: UUID, *, by: Actor, request_id: UUID) -> tuple[JoinRequest, bool]:
    """Lock the request, check who acts, and tell whether the same click came before."""
    asked = _lock(join_request_id)
    permissions.check_may(verb, asked, by)
    done = JoinStep.objects.filter(join_request=asked, request_id=request_id).first()
    if done is not None and done.verb != verb:
        raise StalePage
    return asked, done is not None


def _move(
    asked: JoinRequest,
    verb: str,
    *,
    by: Actor,
    at: datetime,
    request_id: UUID,
    words: str = "",
    details: Mapping[str, Any] | None = None,
) -> JoinStep:
    """Write the step (its trigger moves the request), the journal for what the administration did, tell."""
    side = Side.AUTHOR if permissions.is_author(asked, by) else Side.ADMIN
    target = State(MOVES[verb].target_of(asked.state))
    step = JoinStep.objects.create(
        join_request=asked,
        verb=verb,
        from_state=asked.state,
        to_state=target,
        side=side,
        user_id=by.user.pk if by.user else None,
        at=at,
        request_id=request_id,
        words=words.strip(),
        details=dict(details or {}),
    )
    asked.state = target
    if side == Side.ADMIN:
        journal.record(by=by, action=f"join_{verb}", subject=asked, at=at)
    announcements.announce(asked, step, at=at)
    return step


def _one_admission_at_a_time() -> None:
    """Both numbers are compared with all the others: two admissions at once would find them free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])


def _open_organisation(asked: JoinRequest, *, at: datetime) -> Organisation:
    """The organisation as it was asked; what a public list wrote of its name is kept."""
    organisation, is_new = Organisation.objects.get_or_create(
        siret=asked.siret, defaults={"name": asked.name, "email": asked.email, "phone": asked.phone}
    )
    if not is_new:
        organisation.email, organisation.phone = asked.email, asked.phone
        organisation.save(update_fields=["email", "phone"])
    provider, _is_new = Provider.objects.get_or_create(organisation=organisation)
    for kind in asked.qualiopi_kinds:
        setattr(provider, f"qualiopi_{kind}", True)
    for field in ("activity_number", "address", "postal_code", "town_name"):
        setattr(provider, field, getattr(asked, field))
    if asked.last_report_on:
        provider.last_report_on = asked.last_report_on
    # Whoever decides has looked at the declaration: an older list has no say any more.
    provider.activity_lapsed_on, provider.activity_lapse = None, ""
    if asked.school_approval and completeness.LICENCES & set(asked.other_kinds):
        provider.is_approved_driving_school = True
    provider.save()
    indexing.reindex_of(provider=provider, on=workdays.paris_day(at))
    return organisation
