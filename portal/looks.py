"""Every look at personal data in the administration, and everything done there, is written in the journal.

One place for all pages: AdminSite.admin_view passes every view through `written_down`, so that an
admin class added tomorrow is covered without a line of its own. A house test demands that each
model be in one of the two lists.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from typing import Any

from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from accounts import journal
from accounts.actors import Actor, Role
from accounts.journal_words import name_of

# A model about a person, and where from a row one finds whom (or what dossier) it tells about: "" is itself.
PERSONAL = {
    "account.EmailAddress": "user",
    "accounts.ActivationAttempt": "user",
    "accounts.HolderProfile": "",
    "accounts.Invitation": "",
    "accounts.JournalEntry": "",
    "accounts.LoginSession": "user",
    "accounts.Membership": "user",
    "accounts.SignIn": "user",
    "accounts.User": "",
    "admissions.Document": "join_request",
    "admissions.JoinRequest": "",
    "admissions.JoinStep": "join_request",
    "catalog.Favourite": "user",
    "catalog.SavedSearch": "user",
    "catalog.Wish": "user",
    "dossiers.BankTransfer": "",
    "dossiers.Batch": "",
    "dossiers.BatchLine": "dossier",
    "dossiers.CalendarFeed": "user",
    "dossiers.CardPayment": "dossier",
    "dossiers.Claim": "dossier",
    "dossiers.Completion": "dossier",
    "dossiers.Postponement": "dossier",
    "dossiers.Control": "dossier",
    "dossiers.Deadline": "dossier",
    "dossiers.Dossier": "",
    "dossiers.Evidence": "dossier",
    "dossiers.FirstSteps": "holder",
    "dossiers.FundingLine": "dossier",
    "dossiers.Message": "dossier",
    "dossiers.MessageReport": "message.dossier",
    "dossiers.Payment": "dossier",
    "dossiers.ReadMark": "dossier",
    "dossiers.PaymentEvent": "",
    "dossiers.Refund": "dossier",
    "dossiers.Relief": "",
    "dossiers.Review": "dossier",
    "dossiers.ReviewReport": "text.review.dossier",
    "dossiers.ReviewText": "review.dossier",
    "dossiers.Transition": "dossier",
    "notices.Notice": "user",
    "rights.Adjustment": "pocket.holder",
    "rights.Award": "target.holder",
    "rights.Declaration": "holder",
    "rights.DeclarationProof": "declaration.holder",
    "rights.Movement": "target.holder",
    "rights.Pocket": "holder",
    "rights.SealedMovement": "movement.target.holder",
    "rights.YearlyCredit": "holder",
    "rights.YearlyStatement": "holder",
    "support.Entry": "ticket",
    "support.ScamReport": "ticket",
    "support.Ticket": "",
}
# Organisations, registers, rules and models of answers: nobody's private life.
IMPERSONAL = {
    "accounts.Organisation",
    "admissions.Measure",
    "admissions.MeasureStep",
    "auth.Group",
    "catalog.CatalogueImport",
    "catalog.CatalogueImportLine",
    "catalog.Certification",
    "catalog.CertificationBlock",
    "catalog.CertificationIndex",
    "catalog.CertificationOutcome",
    "catalog.CertificationStatement",
    "catalog.CertificationWord",
    "catalog.EndWarning",
    "catalog.Habilitation",
    "catalog.ImportRefusal",
    "catalog.ImportRun",
    "catalog.JobName",
    "catalog.MarketPrice",
    "catalog.Offer",
    "catalog.OfferIndex",
    "catalog.OfferWords",
    "catalog.Provider",
    "catalog.RegisterWord",
    "catalog.Session",
    "catalog.Succession",
    "catalog.Suggestion",
    "catalog.SynonymGroup",
    "catalog.Term",
    "catalog.TermName",
    "catalog.Town",
    "catalog.Visibility",
    "catalog.Word",
    "dossiers.ProviderFigures",
    "rights.Earmark",
    "rights.Envelope",
    "rights.LedgerCheck",
    "rights.Seal",
    "rulebook.Parameter",
    "support.AnswerModel",
}
# These write their own line, which says more.
SAYS_IT_ITSELF = {"admissions_joinrequest_document", "rights_declaration_proof"}
# Somebody may paste a social-security number in a search box: 13 or 15 digits, Corsica's letter included.
NIR = re.compile(
    r"(?<!\d)[1-478](?:[\s.-]?\d){4}[\s.-]?\d[\s.-]?[\dABab](?:[\s.-]?\d){6}(?:[\s.-]?\d{2})?(?!\d)"
)
WORDS_KEPT = 200
ROWS_KEPT = 100


def written_down(
    view: Callable[..., HttpResponse], *, clock: Callable[[], datetime]
) -> Callable[..., HttpResponse]:
    """The same view; what it showed or did stands in the journal before anybody reads the answer."""
    model_admin = getattr(view.func if isinstance(view, partial) else view, "__self__", None)

    @wraps(view)
    def looked_at(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if isinstance(model_admin, ModelAdmin):
            _note(request, response, model_admin, kwargs, at=clock())
        elif request.GET.get("term") and "field_name" in request.GET and response.status_code == 200:
            _note_suggestions(request, at=clock())
        return response

    return looked_at


def _note(
    request: HttpRequest, response: HttpResponse, model_admin: ModelAdmin, kwargs: dict, *, at: datetime
) -> None:
    model, page = model_admin.model, request.resolver_match.url_name or ""
    if page in SAYS_IT_ITSELF or response.status_code >= 400:
        return
    page = page.rpartition("_")[2]
    if request.method == "POST":
        row = None if page == "changelist" else _row(model, kwargs)
        _write(request, f"{name_of(model)}_{page}_posted", _about(row) or model, _posted(request, row), at=at)
    elif model._meta.label in PERSONAL and response.status_code == 200:
        row = _row(model, kwargs)
        if row is not None:
            details = {} if page == "change" else {"page": page}
            subject = _about(row)
            if subject != row:
                details["row"] = journal.subject_of(row)
            action = "history_viewed" if page == "history" else "viewed"
            _write(request, f"{name_of(model)}_{action}", subject, details, at=at)
        elif page == "changelist":
            _write(request, f"{name_of(model)}_listed", model, _asked(request), at=at)


def _note_suggestions(request: HttpRequest, *, at: datetime) -> None:
    """A field that proposes people while one types is a search too."""
    source = apps.get_model(request.GET["app_label"], request.GET["model_name"])
    model = source._meta.get_field(request.GET["field_name"]).related_model
    if model._meta.label in PERSONAL:
        _write(request, f"{name_of(model)}_suggested", model, {"term": _kept(request.GET["term"])}, at=at)


def _row(model: type[Model], kwargs: dict) -> Model | None:
    """The row that an address names: Django's `object_id`, or our own `pk` or `…_id`."""
    for name, value in kwargs.items():
        if name == "pk" or name.endswith("_id"):
            return model._base_manager.filter(pk=unquote(value) if name == "object_id" else value).first()
    return None


def _about(row: Model | None) -> Model | None:
    """Whom a row tells about; itself when it says nobody."""
    found: Any = row
    for name in filter(None, PERSONAL.get(row._meta.label, "").split(".") if row else ()):
        found = getattr(found, name, None)
    return found or row


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: _kept(value) for name, value in request.GET.items() if value}


def _posted(request: HttpRequest, row: Model | None) -> dict[str, Any]:
    """Which action, on which rows, and why, where a reason was asked."""
    details: dict[str, Any] = {} if row is None else {"row": journal.subject_of(row)}
    details |= {name: _kept(request.POST[name]) for name in ("action", "reason") if request.POST.get(name)}
    if chosen := request.POST.getlist("_selected_action"):
        details["rows"] = [_kept(each) for each in chosen[:ROWS_KEPT]]
    return details


def _kept(words: str) -> str:
    """What somebody typed, as a JSON column can hold it: PostgreSQL has no null character."""
    return NIR.sub("…", words.replace("\x00", "\ufffd"))[:WORDS_KEPT]


def _write(
    request: HttpRequest,
    action: str,
    subject: Model | type[Model],
    details: dict[str, Any],
    *,
    at: datetime,
) -> None:
    journal.record(
        by=Actor(role=Role.ADMIN, user=request.user),
        action=action[:60],
        subject=subject,
        at=at,
        details=details,
    )
