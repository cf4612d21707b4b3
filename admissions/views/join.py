"""How an organisation asks to come in: question pages that keep what is typed, a review, what follows.

Every view has four moves: fetch what this person wrote · validate · one verb · answer. A request belongs
to its author, whatever role they act in; those of others do not exist (404).
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from admissions import completeness, documents, listing, registers, screen, workflow
from admissions.completeness import Page
from admissions.downloads import as_download, receipt_of
from admissions.forms import FORMS, GiveUpForm, OrganisationForm, PageForm, SendForm, initial_of, read_codes
from admissions.models import Document, JoinRequest
from admissions.permissions import own_requests
from admissions.states import EDITABLE
from rulebook import workdays
from ui import french
from ui.documents import SIZE_MAX, too_big
from ui.htmx import page_or_fragment
from ui.refusals import Refused, error_above, request_id_of
from ui.uploads import DropTooBig

QUESTIONS = tuple(page for page in Page if page != Page.DOCUMENTS)


@login_not_required
@require_safe
def join(request: HttpRequest) -> HttpResponse:
    """Who may join, what to prepare, how long it takes; one's own requests."""
    rules = rulebook.on(workdays.paris_day(timezone.now()))
    mine = listing.all_of(request.actor) if request.user.is_authenticated else []
    context = {
        "receivability": screen.at_most(rules.term("admission_receivability")),
        "rules": rules,
        "mine": mine,
        "breadcrumbs": [(_("Référencer un organisme"), None)],
    }
    return render(request, "admissions/join/welcome.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def join_start(request: HttpRequest) -> HttpResponse:
    """The first question, which makes the draft."""
    form = OrganisationForm(_posted(request))
    error, status = "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                asked = workflow.create(
                    form.cleaned_data["siret"],
                    by=request.actor,
                    at=timezone.now(),
                    request_id=request_id_of(request),
                )
                return redirect("join_page", asked.pk, Page.CONTACT)
            except Refused as refusal:
                error = error_above(refusal, [form])
    context = {
        "form": form,
        "error": error,
        "steps": _steps(Page.ORGANISATION),
        "breadcrumbs": _trail(_("Nouvelle demande")),
    }
    return render(request, "admissions/join/start.html", context, status=status)


@require_safe
def join_request(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """Where a request stands, what runs out, what follows."""
    return _answer(request, _own(request, join_request_id))


@require_http_methods(["GET", "HEAD", "POST"])
def join_page(request: HttpRequest, join_request_id: UUID, page: Page) -> HttpResponse:
    """One question page: keeps what is readable, then goes on, or leaves for later."""
    asked = _own(request, join_request_id)
    if asked.state not in EDITABLE and request.method != "POST":
        return redirect("join_request", asked.pk)
    form = FORMS[page](_posted(request), initial=initial_of(asked, page))
    error, status = "", 200
    if request.method == "POST":
        status = 422
        is_readable = form.is_valid()
        try:
            edit = partial(workflow.edit, by=request.actor, at=timezone.now(), fields=form.kept())
            asked = edit(asked.pk)
            is_ready = is_readable and ("later" in request.POST or _is_whole(asked, page, form))
            if is_ready and "check" not in request.POST:
                return _go_on(request, asked, page)
            status = 200 if is_ready else 422
        except Refused as refusal:
            error = error_above(refusal, [form])
    return _question(request, asked, page, form, error=error, status=status)


@csrf_exempt
def join_documents(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """The page of documents. Its upload handler must come before the body is read, so before the token is
    looked for, which the inner view demands."""
    request.upload_handlers.insert(0, DropTooBig(request, size_max=SIZE_MAX))
    return _documents(request, join_request_id)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _documents(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """Keeps each good file, says beside each other one what is wrong."""
    asked = _own(request, join_request_id)
    if asked.state not in EDITABLE and request.method != "POST":
        return redirect("join_request", asked.pk)
    page, at = Page.DOCUMENTS, timezone.now()
    form = FORMS[page](_posted(request), initial=initial_of(asked, page))
    faults: dict[str, str] = {}
    error, status = "", 200
    if request.method == "POST":
        status = 422
        is_readable = form.is_valid()
        try:
            asked = workflow.edit(asked.pk, by=request.actor, at=at, fields=form.kept())
            faults = _keep_files(request, asked, at=at)
            is_later = "later" in request.POST
            if is_readable and not faults and (is_later or _is_whole(asked, page, form, faults)):
                return _go_on(request, asked, page)
        except Refused as refusal:
            error = error_above(refusal, [form])
    return _question(request, asked, page, form, error=error, faults=faults, status=status)


@require_POST
def join_document_remove(request: HttpRequest, join_request_id: UUID, document_id: UUID) -> HttpResponse:
    asked = _own(request, join_request_id)
    document = get_object_or_404(Document, pk=document_id, join_request=asked)
    try:
        documents.remove(document.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _answer(request, asked, error=refusal.message, status=422)
    messages.success(request, _("« %(name)s » est retiré.") % {"name": document.file_name})
    return redirect("join_documents", asked.pk)


@require_safe
def join_document(request: HttpRequest, join_request_id: UUID, document_id: UUID) -> HttpResponse:
    """One's own file, as a download."""
    asked = _own(request, join_request_id)
    return as_download(get_object_or_404(Document, pk=document_id, join_request=asked))


@require_safe
def join_codes(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """What the registers say of the codes being typed; keeps nothing."""
    asked = _own(request, join_request_id)
    text = request.GET.get("certification_codes", "")[:2000].replace("\0", "")
    today = workdays.paris_day(timezone.now())
    context = {"findings": [], "error": ""}
    try:
        codes = read_codes(text)
        context["findings"] = registers.findings(codes, siret=asked.siret, on=today, rules=rulebook.on(today))
    except ValidationError as error:
        context["error"] = " ".join(error.messages)
    return render(request, "admissions/join/_findings.html", context)


@require_safe
def join_review(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """Everything on one page, before the honour declaration."""
    asked = _own(request, join_request_id)
    if asked.state not in EDITABLE:
        return redirect("join_request", asked.pk)
    return _review(request, asked)


@require_POST
def join_send(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    asked = _own(request, join_request_id)
    form = SendForm(request.POST)
    form.is_valid()
    try:
        workflow.send(
            asked.pk,
            by=request.actor,
            at=timezone.now(),
            request_id=request_id_of(request),
            declares=form.cleaned_data["declares"],
        )
    except Refused as refusal:
        error = error_above(refusal, [form])
        asked = _own(request, asked.pk)
        if asked.state in EDITABLE:
            return _review(request, asked, form=form, error=error, status=422)
        return _answer(request, asked, error=error, status=422)
    messages.success(request, _("Votre demande est envoyée. Un récépissé vous attend par e-mail et ici."))
    return redirect("join_request", asked.pk)


@require_POST
def join_withdraw(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    asked = _own(request, join_request_id)
    form = GiveUpForm(request.POST)
    words = (
        form.cleaned_data["words"]
        if form.is_valid()
        else request.POST.get("words", "")[:1000].replace("\0", "")
    )
    withdraw = partial(workflow.withdraw, asked.pk, words=words)
    return _do(request, asked, withdraw, said=_("Votre demande est retirée."))


@require_POST
def join_discard(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    asked = _own(request, join_request_id)
    try:
        workflow.discard(asked.pk, by=request.actor)
    except Refused as refusal:
        return _answer(request, asked, error=refusal.message, status=422)
    messages.success(request, _("Le brouillon et ses pièces sont supprimés. Rien n’avait été envoyé."))
    return redirect("join")


@require_POST
def join_again(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """Start anew from a request that is over."""
    asked = _own(request, join_request_id)
    try:
        new = workflow.again(asked.pk, by=request.actor, at=timezone.now(), request_id=request_id_of(request))
    except Refused as refusal:
        return _answer(request, asked, error=refusal.message, status=422)
    messages.success(request, _("Vos réponses sont reprises. Relisez-les, et joignez les pièces."))
    return redirect("join_request", new.pk)


@require_safe
def join_receipt(request: HttpRequest, join_request_id: UUID) -> HttpResponse:
    """What was sent and when, as a text file to keep."""
    asked = get_object_or_404(own_requests(request.actor).filter(sent_at__isnull=False), pk=join_request_id)
    return receipt_of(asked)


# --- The four moves -----------------------------------------------------------------------------------


def _posted(request: HttpRequest) -> QueryDict | None:
    """What was sent, be it nothing; None for a page that is only looked at."""
    return request.POST if request.method == "POST" else None


def _own(request: HttpRequest, join_request_id: UUID) -> JoinRequest:
    return get_object_or_404(own_requests(request.actor).select_related("organisation"), pk=join_request_id)


def _is_whole(asked: JoinRequest, page: Page, form: PageForm, faults: dict[str, str] | None = None) -> bool:
    """Says beside each field what the page still lacks."""
    today = workdays.paris_day(timezone.now())
    held = list(asked.documents.order_by("pk"))
    missing = completeness.gaps_of_page(page, asked, held, on=today, rules=rulebook.on(today))
    for gap in missing:
        if gap.field in form.fields:
            form.add_error(gap.field, gap.sentence)
        elif faults is not None:
            faults[gap.field] = gap.sentence
    return not missing


def _go_on(request: HttpRequest, asked: JoinRequest, page: Page) -> HttpResponse:
    if "later" in request.POST:
        messages.success(request, _("C’est gardé. Revenez quand vous voulez."))
        return redirect("join_request", asked.pk)
    if request.POST.get("back") == "review":
        return redirect("join_review", asked.pk)
    following = list(Page)[list(Page).index(page) + 1 :]
    if not following:
        return redirect("join_review", asked.pk)
    if following[0] == Page.DOCUMENTS:
        return redirect("join_documents", asked.pk)
    return redirect("join_page", asked.pk, following[0])


def _keep_files(request: HttpRequest, asked: JoinRequest, *, at) -> dict[str, str]:
    """Add every file that came; why each other one was not kept, by kind."""
    dropped = next((each for each in request.upload_handlers if isinstance(each, DropTooBig)), None)
    faults = {kind: too_big(kind).message for kind in (dropped.too_big if dropped else ())}
    for kind in Document.Kind:
        for upload in request.FILES.getlist(kind.value):
            try:
                documents.add(asked.pk, kind, upload, by=request.actor, at=at)
            except Refused as refusal:
                faults[kind.value] = refusal.message
    return {kind: message for kind, message in faults.items() if kind in Document.Kind.values}


def _question(
    request: HttpRequest,
    asked: JoinRequest,
    page: Page,
    form: PageForm,
    *,
    error: str = "",
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    today = workdays.paris_day(timezone.now())
    rules = rulebook.on(today)
    context = {
        "asked": asked,
        "page": page,
        "form": form,
        "error": error,
        "steps": _steps(page, asked),
        "breadcrumbs": _trail(str(page.label), asked),
        "back": request.POST.get("back") or request.GET.get("retour", ""),
        "remarks": [
            remark
            for remark in registers.remarks(asked, on=today, rules=rules)
            if remark.field in completeness.FIELDS[page] and remark.field not in form.errors
        ],
    }
    if page == Page.TRAININGS:
        context["findings"] = registers.findings(
            asked.certification_codes, siret=asked.siret, on=today, rules=rules
        )
    if page == Page.DOCUMENTS:
        form.fields["extract_issued_on"].help_text = ngettext(
            "Il doit dater de moins de %(n)s mois le jour de l’envoi.",
            "Il doit dater de moins de %(n)s mois le jour de l’envoi.",
            rules.admission_extract_months,
        ) % {"n": rules.admission_extract_months}
        held: dict[str, list[Document]] = {}
        for document in asked.documents.order_by("added_at", "pk"):
            held.setdefault(document.kind, []).append(document)
        context |= {
            "kinds": [
                (kind, held.get(kind.value, []), (faults or {}).get(kind.value, ""))
                for kind in completeness.needed_documents(asked)
            ],
            "held": [document for several in held.values() for document in several],
            "errors": _errors_of_documents(form, faults or {}),
            "size_max": SIZE_MAX // 1_000_000,
            "count_max": documents.FILES_PER_KIND_MAX,
        }
    return render(request, f"admissions/join/{_template_of(page)}.html", context, status=status)


def _errors_of_documents(form: PageForm, faults: dict[str, str]) -> list[tuple[str, str, str]]:
    """All that has to be corrected on the page of documents, each with its input."""
    errors = [(f"id_{kind}", str(Document.Kind(kind).label), message) for kind, message in faults.items()]
    for name, messages_of in form.errors.items():
        errors += [(form[name].id_for_label, form[name].label, message) for message in messages_of]
    return errors


def _template_of(page: Page) -> str:
    return {Page.DOCUMENTS: "documents", Page.TRAININGS: "trainings"}.get(page, "question")


def _trail(label: str, asked: JoinRequest | None = None) -> list[tuple[str, str | None]]:
    trail: list[tuple[str, str | None]] = [(_("Référencer un organisme"), reverse("join"))]
    if asked is not None:
        trail.append((asked.name or french.siret(asked.siret), reverse("join_request", args=[asked.pk])))
    return [*trail, (label, None)]


def _steps(current: Page | None, asked: JoinRequest | None = None) -> list[tuple[str, str, str]]:
    """Where one is: each page, done or not, and the review last. `current` None: the review."""
    today = workdays.paris_day(timezone.now())
    lacking = set(Page)
    if asked is not None:
        held = list(asked.documents.order_by("pk"))
        lacking = {gap.page for gap in completeness.gaps(asked, held, on=today, rules=rulebook.on(today))}
    steps = []
    for page in Page:
        state = "now" if page == current else "later" if page in lacking else "done"
        url = screen.page_url(asked, page) if asked is not None else ""
        steps.append((state, str(page.label), url))
    return [*steps, ("later" if current else "now", _("Relire et envoyer"), "")]


def _checklist(shown: screen.RequestScreen) -> list[tuple[str, str, str, str, str]]:
    """Every page, done or not, and sending at the end: what parts/_checklist.html shows."""
    items, has_now = [], False
    for section in shown.sections:
        state, action = "done", _("Revoir")
        if section.gaps:
            state, action = ("later", _("Répondre")) if has_now else ("now", _("Continuer"))
            has_now = True
        items.append((state, section.label, "", section.url, action))
    review = reverse("join_review", args=[shown.asked.pk])
    end = "blocked" if has_now else "now"
    return [*items, (end, _("Relire et envoyer"), "", review, _("Relire et envoyer ma demande"))]


def _review(
    request: HttpRequest,
    asked: JoinRequest,
    *,
    form: SendForm | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "screen": screen.of(asked, at=timezone.now()),
        "asked": asked,
        "form": form or SendForm(),
        "error": error,
        "steps": _steps(None, asked),
        "breadcrumbs": _trail(_("Relire et envoyer"), asked),
    }
    return render(request, "admissions/join/review.html", context, status=status)


def _do(
    request: HttpRequest, asked: JoinRequest, verb: Callable[..., JoinRequest], *, said: str
) -> HttpResponse:
    try:
        verb(by=request.actor, at=timezone.now(), request_id=request_id_of(request))
    except Refused as refusal:
        return _answer(request, _own(request, asked.pk), error=refusal.message, status=422)
    messages.success(request, said)
    return redirect("join_request", asked.pk)


def _answer(request: HttpRequest, asked: JoinRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    at = timezone.now()
    shown = screen.of(asked, at=at)
    # Whoever wrote the request may have left the organisation since.
    spaces = [
        role.key for role in request.roles if role.is_provider and role.organisation == asked.organisation
    ]
    context = {
        "screen": shown,
        "asked": asked,
        "at": at,
        "error": error,
        "checklist": _checklist(shown),
        "space_key": spaces[0] if spaces else "",
        "give_up_form": GiveUpForm(),
        "breadcrumbs": _trail(asked.name or french.siret(asked.siret)),
    }
    return page_or_fragment(
        request, "admissions/join/request.html", "admissions/join/_request.html", context, status=status
    )
