"""What pages show of a request, of a measure: a sentence, what runs out, the history. Nothing writes."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import rulebook
from admissions import clocks, completeness, registers
from admissions.announcements import field_label
from admissions.completeness import FIELDS, Gap, Page
from admissions.models import Document, JoinRequest, JoinStep, Measure, MeasureStep
from admissions.registers import Finding, Remark
from admissions.states import (
    EDITABLE,
    FINAL_STATES,
    MEASURE_VERB_WORDS,
    VERB_WORDS,
    MeasureState,
    Motive,
    State,
)
from rulebook import workdays
from ui import french

TimelineStep = tuple[str, str, datetime | None, str]


@dataclass
class Section:
    """One page of a request, as it stands: its answers, and what it still lacks."""

    page: Page
    url: str
    facts: list[tuple[str, str]]
    gaps: list[Gap]
    is_asked: bool = False
    documents: list[Document] = field(default_factory=list)

    @property
    def label(self) -> str:
        return str(self.page.label)


@dataclass
class RequestScreen:
    """Everything templates/admissions/join/request.html and review.html read."""

    asked: JoinRequest
    at: datetime
    sentence: str
    sections: list[Section]
    remarks: list[Remark]
    findings: list[Finding]
    timeline: list[TimelineStep]
    is_late: bool
    skipped: list[tuple[date, str]]
    asked_words: str = ""
    asked_items: list[tuple[str, str]] = field(default_factory=list)
    motives: list[str] = field(default_factory=list)
    last_words: str = ""
    contest_until: datetime | None = None
    holders_wait: str = ""

    @property
    def is_editable(self) -> bool:
        return self.asked.state in EDITABLE

    @property
    def is_over(self) -> bool:
        return self.asked.state in FINAL_STATES

    @property
    def gaps(self) -> list[Gap]:
        return [gap for section in self.sections for gap in section.gaps]

    @property
    def next_page(self) -> str:
        """Where to go on: the first page that lacks something, else the review."""
        for section in self.sections:
            if section.gaps:
                return section.url
        return reverse("join_review", args=[self.asked.pk])


def of(asked: JoinRequest, *, at: datetime) -> RequestScreen:
    """The screen of a request, the same for its author and for the administration."""
    today = workdays.paris_day(at)
    rules = rulebook.on(today)
    steps = list(JoinStep.objects.filter(join_request=asked).order_by("id"))
    last = steps[-1] if steps else None
    items = last.details.get("items", []) if last and asked.state == State.COMPLETION_ASKED else []
    screen = RequestScreen(
        asked=asked,
        at=at,
        sentence=_sentence(asked, at=at),
        sections=sections(asked, at=at, rules=rules, items=items),
        remarks=registers.remarks(asked, on=today, rules=rules) if asked.state not in FINAL_STATES else [],
        findings=registers.findings(asked.certification_codes, siret=asked.siret, on=today, rules=rules),
        timeline=_timeline(asked, steps, at=at),
        is_late=asked.due_at is not None and asked.due_at <= at,
        skipped=_skipped(steps),
        asked_words=last.words if items and last else "",
        asked_items=[(field_label(item), page_url(asked, completeness.page_of(item))) for item in items],
    )
    if last and asked.state in FINAL_STATES:
        screen.motives = [str(Motive(motive).label) for motive in last.details.get("motives", [])]
        screen.last_words = last.words
    if asked.state == State.ADMITTED:
        screen.holders_wait = time_to_answer_holders(rules.term("provider_answer"))
    if last and asked.state == State.REFUSED:
        told_on = rulebook.on(workdays.paris_day(last.at))
        screen.contest_until = clocks.contest_until(last.at, rules=told_on)
    return screen


def sections(
    asked: JoinRequest, *, at: datetime, rules: rulebook.Rules, items: list[str] | None = None
) -> list[Section]:
    """All the pages with their answers; gaps only while it can be corrected."""
    held = list(asked.documents.order_by("kind", "added_at"))
    missing: list[Gap] = []
    if asked.state in EDITABLE:
        missing = completeness.gaps(asked, held, on=workdays.paris_day(at), rules=rules)
    asked_pages = {completeness.page_of(item) for item in items or []}
    return [
        Section(
            page=page,
            url=page_url(asked, page),
            facts=[(field_label(name), _value(asked, name)) for name in FIELDS[page]],
            gaps=[gap for gap in missing if gap.page == page],
            is_asked=page in asked_pages,
            documents=held if page == Page.DOCUMENTS else [],
        )
        for page in Page
    ]


def page_url(asked: JoinRequest, page: Page) -> str:
    """The address of one of its question pages."""
    if page == Page.DOCUMENTS:
        return reverse("join_documents", args=[asked.pk])
    return reverse("join_page", args=[asked.pk, page.value])


def _value(asked: JoinRequest, name: str) -> str:
    """An answer as people read it; a box that is not ticked says nothing."""
    value = getattr(asked, name)
    if name == "siret":
        return french.siret(value)
    if name == "other_kinds":
        labels = dict(JoinRequest.OtherKind.choices)
        return ", ".join(str(labels.get(kind, kind)) for kind in value)
    if isinstance(value, date):
        return french.short_day(value)
    if isinstance(value, bool):
        if name == "is_legal_representative":
            return _("Oui") if value else _("Non, par délégation")
        return _("Oui") if value else ""
    if isinstance(value, list):
        return ", ".join(value)
    return value or ""


def _sentence(asked: JoinRequest, *, at: datetime) -> str:
    """Whose turn, until when: the first line of the page."""
    due = french.last_minute(asked.due_at) if asked.due_at else ""
    if asked.due_at is not None and asked.due_at <= at:
        return _(
            "Nous devions vous répondre avant le %(due)s. Nous sommes en retard : votre demande reste à "
            "l’examen, et l’administration en est prévenue."
        ) % {"due": due}
    return {
        State.DRAFT: _("Ce brouillon n’est pas encore envoyé. Tout ce que vous écrivez est gardé."),
        State.SENT: _("Nous vérifions que votre demande est complète."),
        State.COMPLETION_ASKED: _("Il manque quelque chose : complétez, puis envoyez de nouveau."),
        State.RECEIVABLE: _("Votre demande est complète. Nous examinons son contenu."),
        State.ADMITTED: _("Votre organisme est référencé. Vous en êtes responsable sur ce portail."),
        State.REFUSED: _("Votre demande est refusée. Voici pourquoi, et ce que vous pouvez faire."),
        State.WITHDRAWN: _("Vous avez retiré cette demande. Elle n’est plus examinée."),
    }[State(asked.state)]


def _timeline(asked: JoinRequest, steps: list[JoinStep], *, at: datetime) -> list[TimelineStep]:
    """Past, now, next. The step that ended a request badly is not shown as something achieved."""
    line: list[TimelineStep] = [("done", _("Demande commencée"), asked.created_at, "")]
    for number, step in enumerate(steps):
        title = str(VERB_WORDS[step.verb])
        if step.verb == "send" and number:
            title = _("Complément envoyé")
        is_bad_end = step.verb in {"refuse", "withdraw"}
        line.append(("lost" if is_bad_end else "done", title, step.at, step.words))
    until = {
        State.SENT: (_("Vérification : votre demande est-elle complète ?"), asked.receivable_due_at),
        State.RECEIVABLE: (_("Examen du contenu, puis décision"), asked.decision_due_at),
    }.get(asked.state)
    if until:
        title, due_at = until
        words = _("au plus tard le %(due)s") % {"due": french.last_minute(due_at)}
        line.append(("now", title, None, words))
    if asked.state in EDITABLE:
        line.append(("now", _("À vous : complétez et envoyez"), None, ""))
    if asked.state == State.SENT and asked.decision_due_at:
        words = _("au plus tard le %(due)s") % {"due": french.last_minute(asked.decision_due_at)}
        line.append(("next", _("Décision"), None, words))
    return line


def _skipped(steps: list[JoinStep]) -> list[tuple[date, str]]:
    """The days that the running receivability does not count."""
    sent = [step for step in steps if step.verb == "send"]
    if not sent:
        return []
    return [(date.fromisoformat(each["day"]), each["why"]) for each in sent[-1].details.get("skipped", [])]


def at_most(term: rulebook.Term) -> str:
    """« 11 jours ouvrés au plus »."""
    if term.unit == workdays.BUSINESS:
        words = ngettext("%(n)d jour ouvré au plus", "%(n)d jours ouvrés au plus", term.days)
    else:
        words = ngettext("%(n)d jour au plus", "%(n)d jours au plus", term.days)
    return words % {"n": term.days}


def time_to_answer(term: rulebook.Term) -> str:
    """« Vous avez 15 jours pour répondre… »."""
    if term.unit == workdays.BUSINESS:
        words = ngettext(
            "Vous avez %(n)d jour ouvré pour répondre, seul ou aidé par la personne de votre choix.",
            "Vous avez %(n)d jours ouvrés pour répondre, seul ou aidé par la personne de votre choix.",
            term.days,
        )
    else:
        words = ngettext(
            "Vous avez %(n)d jour pour répondre, seul ou aidé par la personne de votre choix.",
            "Vous avez %(n)d jours pour répondre, seul ou aidé par la personne de votre choix.",
            term.days,
        )
    return words % {"n": term.days}


def time_to_answer_holders(term: rulebook.Term) -> str:
    """« Répondez aux demandes des titulaires en 2 jours ouvrés. »"""
    if term.unit == workdays.BUSINESS:
        words = ngettext(
            "Répondez aux demandes des titulaires en %(n)d jour ouvré.",
            "Répondez aux demandes des titulaires en %(n)d jours ouvrés.",
            term.days,
        )
    else:
        words = ngettext(
            "Répondez aux demandes des titulaires en %(n)d jour.",
            "Répondez aux demandes des titulaires en %(n)d jours.",
            term.days,
        )
    return words % {"n": term.days}


# --- A measure ------------------------------------------------------------------------------------------


@dataclass
class MeasureScreen:
    """Everything the page « Situation » and the administration's page read of a measure."""

    measure: Measure
    title: str
    sentence: str
    timeline: list[TimelineStep]
    can_answer: bool
    is_open: bool
    is_answer_running: bool
    contest_until: datetime | None


def of_measure(measure: Measure, steps: list[MeasureStep], *, at: datetime) -> MeasureScreen:
    state = MeasureState(measure.state)
    is_running = bool(measure.answer_due_at and at < measure.answer_due_at)
    decided = [step for step in steps if step.verb in {"suspend", "suspend_at_once", "confirm"}]
    contest_until = None
    if decided and state == MeasureState.SUSPENDED:
        rules = rulebook.on(workdays.paris_day(decided[-1].at))
        contest_until = clocks.contest_until(decided[-1].at, rules=rules)
    return MeasureScreen(
        measure=measure,
        title=_measure_title(measure),
        sentence=_measure_sentence(measure, at=at),
        timeline=[
            _measure_step(step, is_first=not number, is_last=number == len(steps) - 1)
            for number, step in enumerate(steps)
        ],
        can_answer=state in {MeasureState.WARNED, MeasureState.INTENDED, MeasureState.SUSPENDED},
        is_open=state in {MeasureState.INTENDED, MeasureState.SUSPENDED},
        is_answer_running=is_running and (state == MeasureState.INTENDED or measure.is_urgent),
        contest_until=contest_until,
    )


def _measure_title(measure: Measure) -> str:
    if measure.state == MeasureState.SUSPENDED and measure.is_urgent:
        return _("Suspension en urgence")
    return str(MeasureState(measure.state).label)


def _measure_sentence(measure: Measure, *, at: datetime) -> str:
    due = french.last_minute(measure.answer_due_at) if measure.answer_due_at else ""
    is_running = bool(measure.answer_due_at and at < measure.answer_due_at)
    match MeasureState(measure.state):
        case MeasureState.WARNED:
            return _("Les offres restent visibles. L’organisme peut répondre.")
        case MeasureState.INTENDED if is_running:
            return _("Rien n’est décidé. L’organisme peut répondre jusqu’au %(due)s.") % {"due": due}
        case MeasureState.INTENDED:
            return _("Le délai de réponse est terminé depuis le %(due)s. La décision peut être prise.") % {
                "due": due
            }
        case MeasureState.SUSPENDED if measure.is_urgent:
            return _(
                "Les offres sont fermées. L’organisme peut répondre jusqu’au %(due)s ; la suspension sera "
                "ensuite confirmée ou levée."
            ) % {"due": due}
        case MeasureState.SUSPENDED if measure.ends_on:
            return _("Les offres sont fermées jusqu’au %(day)s.") % {"day": french.day(measure.ends_on)}
        case MeasureState.SUSPENDED:
            return _("Les offres sont fermées, sans date de fin.")
        case MeasureState.LIFTED:
            return _("Les offres sont de nouveau visibles.")
    return _("Cette mesure est close.")


def _measure_step(step: MeasureStep, *, is_first: bool, is_last: bool) -> TimelineStep:
    """Its first words are the measure's own reasons, which stand above."""
    title = str(MEASURE_VERB_WORDS[step.verb])
    state = "done"
    if step.verb in {"suspend", "suspend_at_once", "confirm"}:
        state = "lost"
    elif is_last and step.verb in {"warn", "intend"}:
        state = "now"  # a reproach that waits for its answer is no good news: no green tick
    return (state, title, step.at, "" if is_first else step.words)


def measures_of(provider_id: Any, *, at: datetime) -> list[MeasureScreen]:
    """Every measure of an organisation, open ones first, then the latest. Two queries."""
    found = list(Measure.objects.filter(provider_id=provider_id).order_by("-opened_at", "-id"))
    steps: dict[int, list[MeasureStep]] = {}
    for step in MeasureStep.objects.filter(measure__in=found).order_by("id"):
        steps.setdefault(step.measure_id, []).append(step)
    screens = [of_measure(measure, steps.get(measure.pk, []), at=at) for measure in found]
    return sorted(screens, key=lambda each: not each.is_open)
