"""Writing an offer by hand: one short page a question, a last look, then people can see it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from accounts.permissions import provider_required
from catalog import editing, lint, listing, publishing
from catalog.eligibility import Code
from catalog.lint import Step
from catalog.models import Offer, Session
from catalog.offer_forms import FORMS, PurposeForm, SessionForm
from catalog.views.requests import list_left, own_offers, say, step_url
from rulebook import Rules, workdays
from ui.refusals import Refused, request_id_of

read_or_post = require_http_methods(["GET", "HEAD", "POST"])
QUERY_MAX = 200
# What only the organisation as a whole can put right: which question of the help says how.
HELP = {
    Code.ACTIVITY_UNDECLARED: "declaration-et-bilan",
    Code.ACTIVITY_LAPSED: "declaration-et-bilan",
    Code.QUALIOPI_MISSING: "offre-masquee",
}


@dataclass(frozen=True)
class Page:
    """One page of the writing: its question, and a word on what it is for."""

    name: str
    question: str
    lead: str


def pages() -> dict[Step, Page]:
    return {
        Step.PURPOSE: Page(
            _("But"),
            _("À quoi mène la formation ?"),
            _("Les droits financent une certification active, ou l’une des actions prévues par la loi."),
        ),
        Step.TEXTS: Page(
            _("Textes"),
            _("Que vont lire les gens ?"),
            _("Écrivez simplement. Les personnes comparent, et décident sur ces lignes."),
        ),
        Step.PLACE: Page(
            _("Lieu et durée"),
            _("Où, comment et combien de temps ?"),
            _("La recherche classe les formations par distance."),
        ),
        Step.PRICE: Page(
            _("Prix"),
            _("Combien coûte la formation ?"),
            _("C’est le montant que la personne validera. Ce qui s’y ajoute se dit à part."),
        ),
        Step.SESSIONS: Page(
            _("Sessions"),
            _("Quelles sont les dates ?"),
            _("Une session a des dates, ou accepte les entrées à tout moment."),
        ),
    }


# --- The pages of an offer --------------------------------------------------------------------------


@provider_required
@read_or_post
def new(request: HttpRequest) -> HttpResponse:
    rules = _rules()
    form = PurposeForm(_posted(request), rules=rules)
    if form.is_valid():
        try:
            offer = editing.start(
                by=request.actor,
                at=timezone.now(),
                request_id=request_id_of(request),
                kind=form.cleaned_data["kind"],
                certification=form.found,
            )
        except Refused as refusal:
            say(refusal, form)
        else:
            return redirect("provider_offer_step", offer.pk, Step.TEXTS)
    return _purpose_page(request, form, None, rules=rules)


@provider_required
@read_or_post
def step(request: HttpRequest, offer_id: UUID, step: str) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    if step == Step.PURPOSE:
        return _purpose(request, offer)
    if step not in FORMS:
        raise Http404
    is_kept_unfinished = offer.is_draft and "later" in request.POST
    form = FORMS[step](_posted(request), offer=offer, rules=_rules(), is_kept_unfinished=is_kept_unfinished)
    if form.is_valid():
        try:
            editing.write(offer.pk, by=request.actor, at=timezone.now(), fields=form.changes())
        except Refused as refusal:
            say(refusal, form)
        else:
            return _onwards(request, offer, Step(step))
    return _page(request, offer, Step(step), form)


@provider_required
@require_POST
def check(request: HttpRequest, offer_id: UUID, step: str, name: str) -> HttpResponse:
    """One field, judged as it is typed. Writes nothing; sending the page judges it again."""
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    if step == Step.SESSIONS:
        form: Any = SessionForm(request.POST)
    elif step in FORMS:
        form = FORMS[step](request.POST, offer=offer, rules=_rules())
    else:
        raise Http404
    if name not in form.fields:
        raise Http404
    form.is_valid()
    remarks = [] if form.errors.get(name) else _remarks_on(name, form, offer, Step(step))
    context = {"field": form[name], "remarks": remarks, "offer": offer, "step": step}
    if name == "town" and not form.errors.get(name):
        context["recognised"] = form.cleaned_data.get("town")
    return render(request, "catalog/provider/_field.html", context)


def _remarks_on(name: str, form: Any, offer: Offer, step: Step) -> list[lint.Remark]:
    rules = _rules()
    if step == Step.SESSIONS:
        if form.errors:
            return []
        session = Session(offer=offer, **form.changes())
        found = [
            *lint.session_remarks(session, offer=offer),
            *lint.start_remarks(session, on=rules.day, rules=rules),
        ]
    else:
        for field, value in editing.placed(form.changes()).items():
            setattr(offer, field, value)
        found = lint.review(offer, (), on=rules.day, rules=rules)
    return [remark for remark in found if remark.field == name]


def _purpose(request: HttpRequest, offer: Offer) -> HttpResponse:
    rules = _rules()
    form = PurposeForm(_posted(request), rules=rules, offer=offer)
    if form.is_valid():
        try:
            editing.set_purpose(
                offer.pk,
                by=request.actor,
                at=timezone.now(),
                kind=form.cleaned_data["kind"],
                certification=form.found,
            )
        except Refused as refusal:
            say(refusal, form)
        else:
            return _onwards(request, offer, Step.PURPOSE)
    return _purpose_page(request, form, offer, rules=rules)


def _purpose_page(
    request: HttpRequest, form: PurposeForm, offer: Offer | None, *, rules: Rules
) -> HttpResponse:
    typed = str(form["q"].value() or request.GET.get("q", ""))
    return _page(request, offer, Step.PURPOSE, form, **_choices(request, typed, form.chosen, rules=rules))


@provider_required
@require_safe
def certifications(request: HttpRequest) -> HttpResponse:
    """The list under the field, as it is typed; `q`, and `certification` when one is ticked already."""
    context = _choices(
        request, request.GET.get("q", ""), request.GET.get("certification", ""), rules=_rules()
    )
    return render(request, "catalog/provider/_certifications.html", context)


def _choices(request: HttpRequest, typed: str, chosen: str, *, rules: Rules) -> dict[str, Any]:
    typed = typed.replace("\0", "")[:QUERY_MAX].strip()
    chosen = chosen.replace("\0", "")[:12]
    choices = listing.certification_choices(
        typed, siret=request.actor.organisation.siret, on=rules.day, rules=rules, chosen=chosen
    )
    return {"choices": choices, "typed": typed, "chosen": chosen}


# --- Sessions ---------------------------------------------------------------------------------------


@provider_required
@read_or_post
def sessions(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    form = SessionForm(_posted(request))
    if form.is_valid():
        try:
            added = editing.add_session(
                offer.pk,
                by=request.actor,
                at=timezone.now(),
                request_id=request_id_of(request),
                fields=form.changes(),
            )
        except Refused as refusal:
            say(refusal, form)
        else:
            rules = _rules()
            if added.earliest_start(rules.day, rules):
                messages.success(request, _("La session est ajoutée."))
            else:
                words = _("La session est ajoutée, mais personne ne peut la demander : lisez son état.")
                messages.warning(request, words)
            return redirect("provider_offer_sessions", offer.pk)
    rules = _rules()
    context = {
        "sessions": listing.own_sessions(offer, on=rules.day, rules=rules),
        "earliest": workdays.earliest_start(rules.day, rules.earliest_start_days),
        "rules": rules,
    }
    return _page(request, offer, Step.SESSIONS, form, **context)


@provider_required
@read_or_post
def session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    form = SessionForm(_posted(request), session=session)
    if form.is_valid():
        try:
            editing.edit_session(session.pk, by=request.actor, at=timezone.now(), fields=form.changes())
        except Refused as refusal:
            say(refusal, form)
        else:
            messages.success(request, _("La session est modifiée."))
            return redirect("provider_offer_sessions", session.offer_id)
    context = {
        "session": session,
        "offer": session.offer,
        "form": form,
        "step": Step.SESSIONS,
        "has_dossiers": Session.objects.filter(pk=session.pk).with_dossiers().exists(),
        "breadcrumbs": [
            *_trail(request, session.offer),
            (_("Sessions"), reverse("provider_offer_sessions", args=[session.offer_id])),
            (_("Une session"), None),
        ],
    }
    return render(request, "catalog/provider/session.html", context, status=_status(form))


@provider_required
@require_POST
def recruitment(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    is_open = request.POST.get("open") == "1"
    try:
        editing.set_recruitment(session.pk, by=request.actor, at=timezone.now(), is_open=is_open)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(
            request,
            _("Les inscriptions sont ouvertes.")
            if is_open
            else _("Les inscriptions sont fermées. Les dossiers en cours continuent."),
        )
    return redirect("provider_offer_sessions", session.offer_id)


@provider_required
@require_POST
def delete_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    try:
        editing.delete_session(session.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("La session est supprimée."))
    return redirect("provider_offer_sessions", session.offer_id)


# --- The whole offer --------------------------------------------------------------------------------


@provider_required
@require_safe
def offer(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    return _offer_page(request, get_object_or_404(own_offers(request), pk=offer_id))


@provider_required
@require_POST
def publish(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    verb = editing.publish if offer.is_draft else publishing.publish
    try:
        verb(offer.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    words = (
        _("« %(title)s » est publiée. On la trouve dès maintenant dans la recherche.")
        if offer.is_draft
        else _("« %(title)s » n’est plus masquée.")
    )
    messages.success(request, words % {"title": offer.title})
    return redirect("provider_offer", offer.pk) if offer.is_draft else _back(request)


@provider_required
@require_POST
def hide(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    try:
        publishing.hide(offer.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    messages.success(
        request,
        _("« %(title)s » est masquée. Les dossiers confirmés ne changent pas.") % {"title": offer.title},
    )
    return _back(request)


@provider_required
@require_POST
def archive(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    try:
        publishing.archive(offer.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    words = _("« %(title)s » est archivée. Ses dossiers continuent ; vous la retrouvez sous « Archivées ».")
    messages.success(request, words % {"title": _title(offer)})
    return _back(request)


@provider_required
@require_POST
def unarchive(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    try:
        publishing.unarchive(offer.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    words = _("« %(title)s » est sortie des archives. Elle reste masquée tant que vous ne la montrez pas.")
    messages.success(request, words % {"title": _title(offer)})
    return _back(request)


@provider_required
@require_POST
def duplicate(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    try:
        copy = editing.duplicate(
            offer.pk, by=request.actor, at=timezone.now(), request_id=request_id_of(request)
        )
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    messages.success(request, _("Voici la copie, en brouillon. Changez ce qui diffère, puis publiez-la."))
    return redirect("provider_offer", copy.pk)


@provider_required
@require_POST
def delete(request: HttpRequest, offer_id: UUID) -> HttpResponse:
    offer = get_object_or_404(own_offers(request), pk=offer_id)
    try:
        editing.delete(offer.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _offer_page(request, offer, refusal=refusal)
    messages.success(request, _("« %(title)s » est supprimée.") % {"title": _title(offer)})
    return redirect("provider_offers")


# --- Answers ----------------------------------------------------------------------------------------


def _rules() -> Rules:
    return rulebook.on(workdays.paris_day(timezone.now()))


def _posted(request: HttpRequest):
    return request.POST if request.method == "POST" else None


def _status(form: Any) -> int:
    return 422 if form.errors else 200


def _title(offer: Offer) -> str:
    return offer.title or _("Offre sans intitulé")


def _own_session(request: HttpRequest, session_id: UUID) -> Session:
    own = Session.objects.filter(offer__provider_id=request.actor.organisation_id)
    return get_object_or_404(own.select_related("offer__certification"), pk=session_id)


def _trail(request: HttpRequest, offer: Offer) -> list[tuple[str, str | None]]:
    return [
        (_("Mes offres"), list_left(request)),
        (_title(offer), reverse("provider_offer", args=[offer.pk])),
    ]


def _back(request: HttpRequest) -> HttpResponse:
    """To the page the button was on: the offer, or the list of them as it was."""
    if request.POST.get("from") == "offer":
        return redirect("provider_offer", request.resolver_match.kwargs["offer_id"])
    return redirect(list_left(request))


def _onwards(request: HttpRequest, offer: Offer, step: Step) -> HttpResponse:
    """The next page of a draft; back to the whole of it when it was only to be mended."""
    if not offer.is_draft:
        messages.success(request, _("C’est enregistré. Les personnes le voient dès maintenant."))
        return redirect(
            list_left(request) if "list" in request.GET else reverse("provider_offer", args=[offer.pk])
        )
    if "later" in request.POST:
        messages.success(request, _("Votre brouillon est enregistré. Reprenez-le quand vous voulez."))
        return redirect(list_left(request))
    if "back" in request.POST:
        return redirect("provider_offer", offer.pk)
    following = list(Step)[list(Step).index(step) + 1]
    return redirect(step_url(offer, following))


def _fix_url(offer: Offer, remark: lint.Remark) -> str:
    """Where what the remark says is put right: the very field, or the page that does it; "" if none does."""
    if remark.code in lint.TO_TAKE_OVER and not offer.is_draft:
        return f"{reverse('provider_endings')}#{offer.certification_id}"
    if remark.session:
        url = reverse("provider_session", args=[remark.session])
    elif remark.step:
        return step_url(offer, remark.step, remark.field)
    elif remark.code == Code.PROVIDER_SUSPENDED:
        return reverse("provider_standing")
    elif remark.code == Code.WITHHELD:
        return reverse("contact")
    else:
        return reverse("help_question", args=[HELP[remark.code]]) if remark.code in HELP else ""
    return f"{url}#id_{remark.field}" if remark.field else url


def _page(request: HttpRequest, offer: Offer | None, step: Step, form: Any, **context: Any) -> HttpResponse:
    """One question page; `offer` is None before the first answer."""
    every = pages()
    order = list(Step)
    states = ["done" if each < order.index(step) else "later" for each in range(len(order))]
    states[order.index(step)] = "now"
    context |= {
        "form": form,
        "offer": offer,
        "step": str(step),
        "page": every[step],
        "steps": [
            (state, every[each].name, step_url(offer, each) if offer else "")
            for state, each in zip(states, order, strict=True)
        ]
        + [("later", _("Relecture"), reverse("provider_offer", args=[offer.pk]) if offer else "")],
        "previous_url": step_url(offer, order[order.index(step) - 1])
        if offer and step != Step.PURPOSE
        else "",
        "breadcrumbs": [*_trail(request, offer), (every[step].name, None)]
        if offer
        else [(_("Mes offres"), reverse("provider_offers")), (_("Nouvelle offre"), None)],
    }
    return render(request, f"catalog/provider/steps/{_template(step)}.html", context, status=_status(form))


def _template(step: Step) -> str:
    return {Step.PURPOSE: "purpose", Step.SESSIONS: "sessions"}.get(step, "questions")


def _offer_page(request: HttpRequest, offer: Offer, *, refusal: Refused | None = None) -> HttpResponse:
    rules = _rules()
    sessions = list(offer.sessions.order_by("starts_on", "pk"))
    # Put away, nothing of it is to be mended.
    remarks = [] if offer.archived_at else lint.review(offer, sessions, on=rules.day, rules=rules)
    told = [(remark, _fix_url(offer, remark)) for remark in remarks]
    context = {
        "offer": offer,
        "replacements": list(offer.replacements.order_by("title", "pk")),
        "refusal": refusal,
        "to_take_over": lint.TO_TAKE_OVER,
        "is_open": offer.is_published and not any(remark.blocks for remark in remarks),
        "blocking": [pair for pair in told if pair[0].blocks],
        "advice": [pair for pair in told if not pair[0].blocks],
        "is_requestable": any(session.earliest_start(rules.day, rules) for session in sessions),
        "sessions": listing.own_sessions(offer, on=rules.day, rules=rules)[: listing.SESSIONS_MAX],
        "links": {each.name.lower(): step_url(offer, each) for each in Step},
        "breadcrumbs": [(_("Mes offres"), reverse("provider_offers")), (_title(offer), None)],
    }
    return render(request, "catalog/provider/offer.html", context, status=422 if refusal else 200)
