"""« Mes déclarations »: what its holder says of themselves, what became of it, how it ends.

Every query starts from `request.actor.holder`: a declaration of somebody else does not exist (404).
"""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import rulebook
from accounts.permissions import holder_required
from rights import declarations as verbs
from rights.kinds import DeclarationKind, DeclarationState
from rights.models import Declaration, DeclarationProof
from rulebook.workdays import paris_day
from ui.documents import SIZE_MAX, as_download, too_big
from ui.refusals import Refused, error_above, request_id_of
from ui.uploads import DropTooBig

SLUGS = {
    DeclarationKind.LOW_QUALIFIED: "sans-diplome",
    DeclarationKind.BOE: "obligation-d-emploi",
    DeclarationKind.PREFERS_HOURS: "heures",
}
BY_SLUG = {slug: kind for kind, slug in SLUGS.items()}


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be declared: for whom, what it changes, and whether it is open now."""

    kind: DeclarationKind
    who: str
    effect: str
    is_open: bool

    @property
    def slug(self) -> str:
        return SLUGS[self.kind]


class NewForm(forms.Form):
    """On one's honour, except what is only a choice."""

    sworn = forms.BooleanField(
        label=gettext_lazy("Je certifie sur l’honneur que c’est exact"),
        error_messages={"required": gettext_lazy("Cochez cette case : votre déclaration vous engage.")},
    )

    def __init__(self, *args: Any, kind: DeclarationKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind in verbs.CHOICES:
            del self.fields["sworn"]


class EndForm(forms.Form):
    until_year = forms.TypedChoiceField(
        label=gettext_lazy("Dernière année où c’était encore vrai"),
        coerce=int,
        error_messages={
            "required": gettext_lazy("Choisissez une année."),
            "invalid_choice": gettext_lazy("Choisissez une année de la liste."),
        },
        help_text=gettext_lazy("Cette année-là compte encore en entier ; les suivantes ne comptent plus."),
    )

    def __init__(self, *args: Any, declaration: Declaration, this_year: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        years = range(max(this_year, declaration.from_year), declaration.from_year - 1, -1)
        self.fields["until_year"].choices = [(year, str(year)) for year in years]


@require_safe
@holder_required
def declarations(request: HttpRequest) -> HttpResponse:
    return _list(request)


@csrf_exempt
def declaration_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Its upload handler must come before the body is read, so before the token is looked for, which the
    inner view demands."""
    request.upload_handlers.insert(0, DropTooBig(request, size_max=SIZE_MAX))
    return _new(request, slug)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@holder_required
def _new(request: HttpRequest, slug: str) -> HttpResponse:
    if slug not in BY_SLUG:
        raise Http404
    kind, at = BY_SLUG[slug], timezone.now()
    is_posted = request.method == "POST"
    form = NewForm(request.POST if is_posted else None, kind=kind)
    error, fault, status = "", "", 200
    if is_posted:
        status = 422
        is_sworn = form.is_valid()
        try:
            _check_files(request, kind)
            if is_sworn:
                made = verbs.declare(
                    kind,
                    proofs=request.FILES.getlist("proofs"),
                    by=request.actor,
                    at=at,
                    request_id=request_id_of(request),
                )
                messages.success(request, _said(made))
                return redirect("declarations")
        except Refused as refusal:
            if refusal.field == "proofs":
                fault = refusal.message
            else:
                error = refusal.message
    elif not verbs.may_declare(kind, list(verbs.of_holder(request.actor.holder))):
        return redirect("declarations")
    context = {
        "kind": _kind(kind, [], rules=rulebook.crediting_on(paris_day(at))),
        "form": form,
        "error": error,
        "fault": fault,
        "errors": _errors(form, fault),
        "is_proved": kind in verbs.PROVED,
        "is_choice": kind in verbs.CHOICES,
        "year": paris_day(at).year,
        "size_max": SIZE_MAX // 1_000_000,
        "count_max": verbs.PROOFS_MAX,
        "breadcrumbs": _trail(str(kind.label)),
    }
    return render(request, "rights/holder/declaration_new.html", context, status=status)


@require_POST
@holder_required
def declaration_withdraw(request: HttpRequest, declaration_id: int) -> HttpResponse:
    declaration = _own(request, declaration_id)
    try:
        verbs.withdraw(declaration.pk, by=request.actor, at=timezone.now())
    except Refused as refusal:
        return _list(request, error=refusal.message, status=422)
    messages.success(request, _("Votre déclaration est retirée, et ses justificatifs effacés."))
    return redirect("declarations")


@require_http_methods(["GET", "HEAD", "POST"])
@holder_required
def declaration_end(request: HttpRequest, declaration_id: int) -> HttpResponse:
    """« Ma situation a changé »."""
    declaration = _own(request, declaration_id)
    at = timezone.now()
    is_posted = request.method == "POST"
    form = EndForm(request.POST if is_posted else None, declaration=declaration, this_year=paris_day(at).year)
    error, status = "", 200
    if is_posted:
        status = 422
        if form.is_valid():
            try:
                verbs.end(declaration.pk, until_year=form.cleaned_data["until_year"], by=request.actor, at=at)
                messages.success(request, _("C’est noté. Les années déjà inscrites seront corrigées."))
                return redirect("declarations")
            except Refused as refusal:
                error = error_above(refusal, [form])
    elif declaration.state != DeclarationState.CONFIRMED or declaration.until_year is not None:
        return redirect("declarations")
    context = {
        "declaration": declaration,
        "form": form,
        "error": error,
        "breadcrumbs": _trail(_("Ma situation a changé")),
    }
    return render(request, "rights/holder/declaration_end.html", context, status=status)


@require_safe
@holder_required
def declaration_proof(request: HttpRequest, declaration_id: int, proof_id: Any) -> HttpResponse:
    """One's own file, as a download."""
    declaration = _own(request, declaration_id)
    proof = get_object_or_404(DeclarationProof, pk=proof_id, declaration=declaration)
    return as_download(proof.file, name=proof.file_name, content_type=proof.content_type)


# --- The four moves -----------------------------------------------------------------------------------


def _own(request: HttpRequest, declaration_id: int) -> Declaration:
    return get_object_or_404(Declaration, pk=declaration_id, holder=request.actor.holder)


def _list(request: HttpRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    held = list(verbs.of_holder(request.actor.holder))
    rules = rulebook.crediting_on(paris_day(timezone.now()))
    context = {
        "held": held,
        "kinds": [_kind(kind, held, rules=rules) for kind in DeclarationKind],
        "error": error,
        "breadcrumbs": [(_("Mes droits"), reverse("rights")), (_("Mes déclarations"), None)],
    }
    return render(request, "rights/holder/declarations.html", context, status=status)


def _kind(kind: DeclarationKind, held: list[Declaration], *, rules: rulebook.CreditingRules) -> Kind:
    who = {
        DeclarationKind.LOW_QUALIFIED: _(
            "Pour les salariés sans CAP, ni BEP, ni titre professionnel, ni autre diplôme de niveau 3."
        ),
        DeclarationKind.BOE: _(
            "Pour les salariés reconnus travailleurs handicapés (RQTH), titulaires d’une rente d’incapacité, "
            "de l’AAH ou de la carte mobilité inclusion."
        ),
        DeclarationKind.PREFERS_HOURS: _("Pour qui travaille la même année dans le public et dans le privé."),
    }
    return Kind(
        kind=kind,
        who=who[kind],
        effect=verbs.effect(kind, rules=rules),
        is_open=verbs.may_declare(kind, held),
    )


def _check_files(request: HttpRequest, kind: DeclarationKind) -> None:
    """Told with what else is wrong. Refused: what was dropped while it arrived, or how many came."""
    dropped = next((each for each in request.upload_handlers if isinstance(each, DropTooBig)), None)
    if dropped is not None and "proofs" in dropped.too_big:
        raise too_big("proofs")
    verbs.check_count(kind, len(request.FILES.getlist("proofs")))


def _errors(form: NewForm, fault: str) -> list[tuple[str, str, str]]:
    """Lines of the summary: what is wrong with the file, then with the form."""
    errors = [("id_proofs", _("Justificatif"), fault)] if fault else []
    return errors + [("id_sworn", "", message) for message in form.errors.get("sworn", [])]


def _said(made: Declaration) -> str:
    if made.state == DeclarationState.CONFIRMED:
        return _("C’est noté : ce choix compte à partir de %s.") % made.from_year
    return _("Votre déclaration est envoyée. Un avis vous dira ce qui est décidé.")


def _trail(last: str) -> list[tuple[str, str | None]]:
    return [
        (_("Mes droits"), reverse("rights")),
        (_("Mes déclarations"), reverse("declarations")),
        (last, None),
    ]
