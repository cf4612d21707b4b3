"""The desk of whoever is on duty: what burns, what waits for a decision, what the night did.

Every part is shown to whoever may see the rows it counts, and to nobody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import redis
from django.conf import settings
from django.db.models import CharField, Count, DateTimeField, F, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import HolderProfile, SignIn, User
from admissions import listing as admissions
from admissions.models import Measure
from catalog.models import CatalogueImport, ImportRun
from dossiers import transfers
from dossiers.models import (
    BankTransfer,
    Claim,
    Control,
    Deadline,
    Dossier,
    MessageReport,
    PaymentEvent,
    Refund,
    Relief,
    ReviewReport,
    ReviewText,
)
from dossiers.states import ClaimState, ClockKind
from dossiers.states import State as DossierState
from notices.models import Notice
from portal import figures
from rights import adjustments, declarations, integrity, seals
from rulebook import workdays
from support import listing as support
from ui import french

# A register comes every night: beyond a day and two hours, a night was missed.
A_NIGHT_MISSED = timedelta(hours=26)
# Applying the largest catalogue takes minutes; a file older than this waits for a worker that does not come.
FILE_LATE = timedelta(minutes=30)
# A person who forgot a password tries a few times; this many in a day is somebody else.
FAILURES_MAX = 10
# What the broker may hold before something is wrong: the timetable puts a few tasks a minute.
TASKS_MAX = 200
BROKER_PATIENCE_SECONDS = 1


class Level(StrEnum):
    GOOD = ""
    WATCH = "waiting"
    ALARM = "lost"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing to know. `value`: a number, or a few words; `note`: what it means; `url`: what it counts."""

    title: str
    value: Any
    url: str = ""
    note: str = ""
    level: Level = Level.GOOD


@dataclass(frozen=True, slots=True)
class Clocks:
    """Open clocks of one kind, and the address of each count."""

    kind: str
    overdue: tuple[int, str]
    today: tuple[int, str]
    next_day: tuple[int, str]

    @property
    def counts(self) -> list[tuple[int, str]]:
        return [self.overdue, self.today, self.next_day]


@dataclass(frozen=True, slots=True)
class Desk:
    clocks: list[Clocks]
    groups: list[tuple[str, list[Figure]]]
    decisions: int
    late: int

    @property
    def alarms(self) -> list[Figure]:
        return [figure for title, group in self.groups for figure in group if figure.level]


def desk(user: User, *, at: datetime) -> Desk:
    """All of it, in a number of queries that does not grow with what is counted."""
    clocks = _clocks(at=at) if user.has_perm("dossiers.view_deadline") else []
    parts: list[tuple[str, str, Callable[..., list[Figure]]]] = [
        ("dossiers.view_deadline", _("Délais et tâches"), _jobs),
        ("notices.view_notice", _("Avis"), _notices),
        ("catalog.view_importrun", _("Imports"), _imports),
        ("rights.view_movement", _("Registre des droits"), _ledger),
        ("accounts.view_holderprofile", _("Comptes"), _accounts),
        ("accounts.view_signin", _("Connexions"), _sign_ins),
    ]
    groups = [(title, look(at=at)) for perm, title, look in parts if user.has_perm(perm)]
    counts = count(user, at=at).values()
    return Desk(
        clocks=clocks,
        groups=groups,
        decisions=sum(each.count for each in counts),
        late=sum(each.late for each in counts),
    )


def _list(name: str, **query: Any) -> str:
    address = reverse(f"admin:{name}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


# --- What burns -----------------------------------------------------------------------------------------


def _clocks(*, at: datetime) -> list[Clocks]:
    tonight = workdays.midnight_after(workdays.paris_day(at))
    tomorrow = at + timedelta(days=1)
    running = Deadline.objects.filter(closed_at__isnull=True, due_at__lte=tomorrow).order_by()
    found = running.values("kind").annotate(
        overdue=Count("pk", filter=Q(due_at__lte=at)),
        today=Count("pk", filter=Q(due_at__gt=at, due_at__lte=tonight)),
        next_day=Count("pk", filter=Q(due_at__gt=at)),
    )
    counts = {row["kind"]: row for row in found}
    spans = {
        "overdue": {"due_at__lte": at.isoformat()},
        "today": {"due_at__gt": at.isoformat(), "due_at__lte": tonight.isoformat()},
        "next_day": {"due_at__gt": at.isoformat(), "due_at__lte": tomorrow.isoformat()},
    }
    return [
        Clocks(
            kind=str(kind.label),
            **{
                name: (
                    counts.get(kind, {}).get(name, 0),
                    _list("dossiers_deadline", closed_at__isnull=True, kind__exact=kind.value, **span),
                )
                for name, span in spans.items()
            },
        )
        for kind in ClockKind
    ]


def _jobs(*, at: datetime) -> list[Figure]:
    overdue = figures.overdue_clocks(at=at)
    is_late = overdue.is_late(at=at, patience=figures.CLOCKS_LATE)
    swept = figures.age_of(figures.SWEEP, at=at)
    is_asleep = swept is None or swept > figures.SCHEDULER_LATE.total_seconds()
    tasks = _queued_tasks()
    return [
        Figure(
            _("Délais dépassés, encore ouverts"),
            overdue.count,
            _list("dossiers_deadline", closed_at__isnull=True, due_at__lte=at.isoformat()),
            _("Le worker ne les traite pas.") if is_late else _("Traités toutes les 30 secondes."),
            Level.ALARM if is_late else Level.GOOD,
        ),
        Figure(
            _("Dernier passage du planificateur"),
            _("Inconnu") if swept is None else _ago(swept),
            note=_("Vérifiez beat et le worker.") if is_asleep else "",
            level=Level.ALARM if is_asleep else Level.GOOD,
        ),
        Figure(
            _("Tâches en file"),
            _("Inconnu") if tasks is None else tasks,
            note=_("Redis ne répond pas.") if tasks is None else "",
            level=Level.ALARM if tasks is None else Level.WATCH if tasks > TASKS_MAX else Level.GOOD,
        ),
    ]


def _queued_tasks() -> int | None:
    """How many tasks the broker holds; None when it does not answer."""
    patience = {
        "socket_timeout": BROKER_PATIENCE_SECONDS,
        "socket_connect_timeout": BROKER_PATIENCE_SECONDS,
    }
    with redis.Redis.from_url(settings.REDIS_URL, **patience) as client:
        try:
            return client.llen("celery")
        except redis.RedisError:
            return None


def _notices(*, at: datetime) -> list[Figure]:
    waiting = figures.waiting_notices(at=at)
    is_late = waiting.is_late(at=at, patience=figures.OUTBOX_LATE)
    since = _("Le plus ancien attend depuis : %(age)s.")
    lost = Notice.objects.exclude(given_up_at=None).aggregate(count=Count("pk"))["count"]
    return [
        Figure(
            _("Avis en attente d’envoi"),
            waiting.count,
            _list("notices_notice", envoi="attend"),
            since % {"age": _ago((at - waiting.since).total_seconds())} if waiting.since else "",
            Level.ALARM if is_late else Level.GOOD,
        ),
        Figure(
            _("Avis abandonnés"),
            lost,
            _list("notices_notice", envoi="abandonne"),
            _("Corrigez l’adresse, puis renvoyez-les.") if lost else "",
            Level.WATCH if lost else Level.GOOD,
        ),
    ]


def _imports(*, at: datetime) -> list[Figure]:
    last = {
        run.kind: run for run in ImportRun.objects.order_by("kind", "-started_at", "-pk").distinct("kind")
    }
    found = [_register(kind, last.get(kind), at=at) for kind in ImportRun.Kind]
    files = CatalogueImport.objects.aggregate(
        late=Count("pk", filter=Q(state__in=CatalogueImport.WAITING, asked_at__lte=at - FILE_LATE)),
        unusable=Count(
            "pk", filter=Q(state=CatalogueImport.State.UNUSABLE, sent_at__gt=at - timedelta(days=1))
        ),
    )
    return [
        *found,
        Figure(
            _("Fichiers d’organismes sans suite"),
            files["late"],
            _list("catalog_catalogueimport", asked_at__lte=(at - FILE_LATE).isoformat()),
            _("Ils attendent le worker.") if files["late"] else "",
            Level.ALARM if files["late"] else Level.GOOD,
        ),
        Figure(
            _("Fichiers illisibles depuis 24 heures"),
            files["unusable"],
            _list("catalog_catalogueimport", state__exact=CatalogueImport.State.UNUSABLE.value),
        ),
    ]


def _register(kind: ImportRun.Kind, run: ImportRun | None, *, at: datetime) -> Figure:
    """The last run of a register. Catalogues come when organisations like, nomenclatures with a new edition:
    theirs is never old."""
    title = str(kind.label)
    address = _list("catalog_importrun", kind__exact=kind.value)
    is_nightly = kind not in {ImportRun.Kind.CATALOGUE, ImportRun.Kind.NOMENCLATURES}
    if run is None:
        return Figure(title, _("Aucun import"), address, level=Level.WATCH if is_nightly else Level.GOOD)
    address = reverse("admin:catalog_importrun_change", args=[run.pk])
    age = at - run.started_at
    value = _ago(age.total_seconds())
    if run.error:
        return Figure(title, value, address, _("Échec : lisez l’erreur."), Level.ALARM)
    if run.ended_at is None:
        is_stuck = age > FILE_LATE
        note = _("Commencé, pas fini.") if is_stuck else _("En cours.")
        return Figure(title, value, address, note, Level.ALARM if is_stuck else Level.GOOD)
    if is_nightly and age > A_NIGHT_MISSED:
        return Figure(title, value, address, _("La dernière nuit a été manquée."), Level.WATCH)
    note = ngettext("%(count)d ligne refusée.", "%(count)d lignes refusées.", run.refused)
    return Figure(title, value, address, note % {"count": run.refused} if run.refused else "")


def _ledger(*, at: datetime) -> list[Figure]:
    return [_last_check(at=at), _last_seal(at=at)]


def _last_check(*, at: datetime) -> Figure:
    checked = integrity.last_check()
    title = _("Dernière vérification")
    if checked is None:
        return Figure(title, _("Inconnue"), note=_("Elle a lieu chaque nuit à 4 h."), level=Level.ALARM)
    url = reverse("admin:rights_ledgercheck_change", args=[checked.pk])
    age = at - checked.at
    value = _ago(age.total_seconds())
    if checked.findings:
        words = ngettext("%(count)d anomalie trouvée.", "%(count)d anomalies trouvées.", checked.findings)
        return Figure(title, value, url, words % {"count": checked.findings}, Level.ALARM)
    if age > A_NIGHT_MISSED:
        return Figure(title, value, url, _("La dernière nuit a été manquée."), Level.ALARM)
    words = ngettext(
        "%(count)d mouvement, tout est juste.", "%(count)d mouvements, tout est juste.", checked.movements
    )
    return Figure(title, value, url, words % {"count": checked.movements})


def _last_seal(*, at: datetime) -> Figure:
    """A day is sealed within the hour after it: another day later, the job does not run."""
    title = _("Dernier jour scellé")
    due, url = seals.next_day(), _list("rights_seal")
    if due is None:
        return Figure(title, _("Aucun"), url, _("Rien n’est encore enregistré."))
    last = due - timedelta(days=1)
    is_late = at >= workdays.midnight_after(due) + timedelta(days=1)
    return Figure(
        title,
        french.short_day(last),
        url,
        _("Les jours suivants attendent d’être scellés.") if is_late else "",
        Level.ALARM if is_late else Level.GOOD,
    )


def _accounts(*, at: datetime) -> list[Figure]:
    frozen = HolderProfile.objects.frozen(on=workdays.paris_day(at)).values_list("frozen_by")
    counts = dict(frozen.order_by().annotate(count=Count("pk")))
    by_holder = counts.pop("holder", 0)
    address = "accounts_holderprofile"
    return [
        Figure(_("Comptes gelés par leur titulaire"), by_holder, _list(address, frozen="holder")),
        Figure(_("Comptes gelés par le portail"), sum(counts.values()), _list(address, frozen="portal")),
    ]


def _sign_ins(*, at: datetime) -> list[Figure]:
    day = at - timedelta(days=1)
    failed = SignIn.objects.filter(succeeded=False, at__gt=day, at__lte=at).order_by()
    aimed_at = failed.filter(user__isnull=False).values("user").annotate(tries=Count("pk"))
    accounts = aimed_at.filter(tries__gte=FAILURES_MAX).count()
    address = _list("accounts_signin", succeeded__exact=0, at__gt=day.isoformat())
    return [
        Figure(_("Connexions échouées depuis 24 heures"), failed.count(), address),
        Figure(
            _("Comptes visés par de nombreux essais"),
            accounts,
            address,
            _("Dix échecs ou plus en 24 heures.") if accounts else "",
            Level.WATCH if accounts else Level.GOOD,
        ),
    ]


def _ago(seconds: float) -> str:
    """ "12 min", "3 h", "2 jours"."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return _("Moins d’une minute")
    if minutes < 120:
        return _("%(count)d min") % {"count": minutes}
    if minutes < 48 * 60:
        return _("%(count)d h") % {"count": minutes // 60}
    return _("%(count)d jours") % {"count": minutes // (24 * 60)}


# --- What waits for a decision --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of decision. `rows(user, at)` gives them; `since` and `until` are expressions on a row.

    `words(row)` says who it is about, reading `related` rows; `url(row)` is the page where it is decided.
    """

    label: Any
    permission: str
    rows: Callable[[User, datetime], QuerySet]
    since: Any
    until: Any
    related: tuple[str, ...]
    words: Callable[[Any], str]
    url: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Decision:
    label: str
    words: str
    since: datetime
    until: datetime | None
    url: str


@dataclass(frozen=True, slots=True)
class Counted:
    label: str
    count: int
    late: int


NEVER = Value(None, output_field=DateTimeField())

SOURCES: dict[str, Source] = {
    "adhesion": Source(
        label=gettext_lazy("Demande de référencement"),
        permission="admissions.change_joinrequest",
        rows=lambda user, at: admissions.queue(),
        since=F("sent_at"),
        until=admissions.WAITS_UNTIL,
        related=("author",),
        words=lambda row: f"{row.number} · {row.name}",
        url=lambda row: reverse("admin:admissions_joinrequest_change", args=[row.pk]),
    ),
    "aide": Source(
        label=gettext_lazy("Demande d’aide"),
        permission="support.change_ticket",
        rows=lambda user, at: support.queue(),
        since=F("opened_at"),
        until=F("due_at"),
        related=(),
        words=lambda row: f"{row.number} · {row.title}",
        url=lambda row: reverse("admin:support_ticket_change", args=[row.pk]),
    ),
    "message": Source(
        label=gettext_lazy("Message signalé"),
        permission="dossiers.change_messagereport",
        rows=lambda user, at: MessageReport.objects.filter(outcome=""),
        since=F("at"),
        until=NEVER,
        related=("message__dossier__provider__organisation",),
        words=lambda row: (
            f"{row.message.dossier.number} · {row.message.dossier.provider} · {row.get_motive_display()}"
        ),
        url=lambda row: reverse("admin:dossiers_messagereport_change", args=[row.pk]),
    ),
    "texte-d-avis": Source(
        label=gettext_lazy("Texte d’un avis à lire"),
        permission="dossiers.change_reviewtext",
        # Nobody decides about their own words.
        rows=lambda user, at: ReviewText.objects.filter(state=ReviewText.State.WAITING).exclude(user=user),
        since=F("at"),
        until=NEVER,
        related=("review__dossier__offer",),
        words=lambda row: f"{row.get_role_display()} · {row.review.dossier.offer}",
        url=lambda row: reverse("admin:dossiers_reviewtext_change", args=[row.pk]),
    ),
    "avis-signale": Source(
        label=gettext_lazy("Avis signalé par un organisme"),
        permission="dossiers.change_reviewreport",
        rows=lambda user, at: ReviewReport.objects.filter(outcome="").exclude(text__user=user),
        since=F("at"),
        until=NEVER,
        related=("text__review__dossier__offer",),
        words=lambda row: f"{row.text.review.dossier.offer} · {row.get_motive_display()}",
        url=lambda row: reverse("admin:dossiers_reviewreport_change", args=[row.pk]),
    ),
    "suspension": Source(
        label=gettext_lazy("Suspension à décider"),
        permission="admissions.change_measure",
        rows=lambda user, at: Measure.objects.filter(
            pk__in=admissions.measures_to_decide(at=at).order_by().values("pk")
        ),
        since=F("opened_at"),
        until=F("answer_due_at"),
        related=("provider__organisation",),
        words=lambda row: str(row.provider),
        url=lambda row: reverse("admin:admissions_measure_standing", args=[row.provider_id]),
    ),
    "virement": Source(
        label=gettext_lazy("Virement à constater"),
        permission="dossiers.change_dossier",
        rows=lambda user, at: Dossier.objects.filter(
            state=DossierState.AWAITING_PAYMENT,
            deadlines__kind=ClockKind.PAYMENT,
            deadlines__closed_at__isnull=True,
        ),
        since=F("deadlines__opened_at"),
        until=F("deadlines__due_at"),
        related=("provider__organisation",),
        words=lambda row: f"{row.number} · {row.provider}",
        url=lambda row: reverse("admin:dossiers_dossier_payment", args=[row.pk]),
    ),
    "virement-a-decider": Source(
        label=gettext_lazy("Virement à rattacher"),
        permission="dossiers.change_banktransfer",
        rows=lambda user, at: BankTransfer.objects.filter(state__in=BankTransfer.WAITING),
        since=F("imported_at"),
        until=NEVER,
        related=(),
        words=lambda row: f"{row} · {row.payer_name}",
        url=lambda row: reverse("admin:dossiers_banktransfer_change", args=[row.pk]),
    ),
    "virement-a-renvoyer": Source(
        label=gettext_lazy("Virement à renvoyer"),
        permission="dossiers.change_banktransfer",
        # One that a refund stands for waits there, with its holder.
        rows=lambda user, at: transfers.to_send_back(),
        since=Coalesce("decided_at", "imported_at"),
        until=NEVER,
        related=(),
        words=lambda row: f"{row} · {row.payer_name}",
        url=lambda row: reverse("admin:dossiers_banktransfer_change", args=[row.pk]),
    ),
    "remboursement": Source(
        label=gettext_lazy("Remboursement à faire à la main"),
        permission="dossiers.change_refund",
        rows=lambda user, at: Refund.objects.filter(
            Q(state=Refund.State.STUCK) | Q(way=Refund.Way.TRANSFER, state=Refund.State.DUE)
        ),
        since=F("due_at"),
        until=NEVER,
        related=("dossier",),
        words=lambda row: f"{row.dossier.number} · {row}",
        url=lambda row: reverse("admin:dossiers_refund_change", args=[row.pk]),
    ),
    "paiement": Source(
        label=gettext_lazy("Paiement par carte à regarder"),
        permission="dossiers.change_paymentevent",
        rows=lambda user, at: PaymentEvent.objects.filter(
            outcome=PaymentEvent.Outcome.SET_ASIDE, looked_at__isnull=True
        ),
        since=F("received_at"),
        until=NEVER,
        related=(),
        words=lambda row: f"{row.kind} · {row.note}",
        url=lambda row: reverse("admin:dossiers_paymentevent_change", args=[row.pk]),
    ),
    "remise": Source(
        label=gettext_lazy("Remise de délai à confirmer"),
        permission="dossiers.change_relief",
        # Whoever proposed it may not confirm it.
        rows=lambda user, at: Relief.objects.filter(confirmed_at=None).exclude(proposed_by=user),
        since=F("proposed_at"),
        # It adds days to clocks that run, and does nothing for those that are over: the first of them.
        until=Min("dossiers__deadlines__due_at", filter=Q(dossiers__deadlines__closed_at__isnull=True)),
        related=("proposed_by",),
        words=lambda row: f"{row} · {row.proposed_by}",
        url=lambda row: _list("dossiers_relief", id__exact=row.pk),
    ),
    "regularisation": Source(
        label=gettext_lazy("Régularisation à confirmer"),
        permission="rights.decide_adjustment",
        # Whoever proposed it may not decide.
        rows=lambda user, at: adjustments.to_decide(at=at).exclude(proposed_by=user),
        since=F("proposed_at"),
        until=F("expires_at"),
        related=("pocket__holder", "proposed_by"),
        words=lambda row: f"{adjustments.in_words(row)} · {row.pocket.holder} · {row.proposed_by}",
        url=lambda row: reverse("admin:rights_adjustment_change", args=[row.pk]),
    ),
    "declaration": Source(
        label=gettext_lazy("Déclaration d’un titulaire à examiner"),
        permission="rights.decide_declaration",
        # Nobody decides about their own.
        rows=lambda user, at: declarations.to_decide(user),
        since=F("declared_at"),
        until=NEVER,
        related=("holder",),
        words=lambda row: f"{row.get_kind_display()} · {row.holder}",
        url=lambda row: reverse("admin:rights_declaration_change", args=[row.pk]),
    ),
    "aide-d-un-financeur": Source(
        label=gettext_lazy("Aide demandée à un financeur"),
        permission="dossiers.change_dossier",
        rows=lambda user, at: Dossier.objects.filter(
            state=DossierState.FUNDER_REVIEW,
            deadlines__kind=ClockKind.FUNDER_ANSWER,
            deadlines__closed_at__isnull=True,
        ),
        since=F("deadlines__opened_at"),
        until=F("deadlines__due_at"),
        related=("holder",),
        words=lambda row: f"{row.number} · {row.holder}",
        url=lambda row: reverse("admin:dossiers_dossier_change", args=[row.pk]),
    ),
    "force-majeure": Source(
        label=gettext_lazy("Force majeure à décider"),
        permission="dossiers.decide_claim",
        # Nobody decides about their own.
        rows=lambda user, at: Claim.objects.filter(state=ClaimState.OPEN).exclude(dossier__holder__user=user),
        since=F("made_at"),
        until=Max("dossier__deadlines__due_at", filter=Q(dossier__deadlines__kind=ClockKind.CLAIM)),
        related=("dossier__holder",),
        words=lambda row: f"{row.dossier.number} · {row.dossier.holder}",
        url=lambda row: reverse("admin:dossiers_claim_change", args=[row.pk]),
    ),
    "controle": Source(
        label=gettext_lazy("Service fait à contrôler"),
        permission="dossiers.control_completion",
        rows=lambda user, at: Control.objects.filter(released_at=None).exclude(dossier__holder__user=user),
        since=F("opened_at"),
        until=NEVER,
        related=("dossier__holder",),
        words=lambda row: f"{row.dossier.number} · {row.dossier.holder}",
        url=lambda row: reverse("admin:dossiers_dossier_change", args=[row.dossier_id]),
    ),
    "avis": Source(
        label=gettext_lazy("Avis abandonné"),
        permission="notices.change_notice",
        rows=lambda user, at: Notice.objects.exclude(given_up_at=None),
        since=F("given_up_at"),
        until=NEVER,
        related=(),
        words=lambda row: f"{row.get_kind_display()} · {row.email}",
        url=lambda row: _list("notices_notice", id__exact=row.pk),
    ),
}


def count(user: User, *, at: datetime) -> dict[str, Counted]:
    """By kind, what this person may decide. One query each."""
    found = {}
    for kind, source in _open_to(user).items():
        row = _rows(source, user, at=at).aggregate(
            count=Count("pk"), late=Count("pk", filter=Q(until__lte=at))
        )
        found[kind] = Counted(label=str(source.label), **row)
    return found


def decisions(user: User, *, at: datetime, kind: str = "") -> "Queue":
    """What this person may decide, the instant that comes first on top; of one kind only, if it is one."""
    sources = _open_to(user)
    chosen = {kind: sources[kind]} if kind in sources else sources
    return Queue([(name, source, _rows(source, user, at=at)) for name, source in chosen.items()])


def _open_to(user: User) -> dict[str, Source]:
    return {kind: source for kind, source in SOURCES.items() if user.has_perm(source.permission)}


def _rows(source: Source, user: User, *, at: datetime) -> QuerySet:
    return source.rows(user, at).order_by().annotate(since=source.since, until=source.until)


class Queue:
    """A list that a Paginator cuts: the database sorts all kinds together, only one page's rows are read."""

    def __init__(self, parts: list[tuple[str, Source, QuerySet]]):
        self._sources = {name: source for name, source, _rows in parts}
        self._rows = {name: rows for name, _source, rows in parts}
        keys = [
            rows.annotate(decision=Value(name), row=Cast("pk", CharField())).values_list(
                "decision", "row", "since", "until"
            )
            for name, _source, rows in parts
        ]
        # PostgreSQL puts what has no limit last.
        self._keys = (
            keys[0].union(*keys[1:], all=True).order_by("until", "since", "row")
            if len(keys) > 1
            else keys[0].order_by("until", "since", "row")
            if keys
            else None
        )

    def count(self) -> int:
        return 0 if self._keys is None else self._keys.count()

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, span: slice) -> list[Decision]:
        keys = [] if self._keys is None else list(self._keys[span])
        found = {}
        for name, source in self._sources.items():
            wanted = [row for decision, row, *_times in keys if decision == name]
            if wanted:
                rows = self._rows[name].model.objects.select_related(*source.related).in_bulk(wanted)
                found |= {(name, str(pk)): row for pk, row in rows.items()}
        return [
            self._shown(name, found[name, row], since, until)
            for name, row, since, until in keys
            if (name, row) in found
        ]

    def _shown(self, name: str, row: Any, since: datetime, until: datetime | None) -> Decision:
        source = self._sources[name]
        return Decision(str(source.label), source.words(row), since, until, source.url(row))
