"""The portal's own catalogue format (EDOF): trainings, their actions, their sessions (docs/imports.md).

One offer is one action. It is refused when it cannot be kept as written: shape, number, organisation or
certification unknown, dates and prices that say nothing. It is kept but hidden when the rules do not open it
today: ended certification, organisation not entitled, Qualiopi kind missing; the day they do, it shows.

Offers that the file does not hold are left alone. Sessions are given whole: one that its action no longer
gives stops recruiting. What people with a dossier were promised stays (catalog.promises).
"""

import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import nh3
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.utils.translation import gettext as _

import rulebook
from catalog import eligibility, promises, search
from catalog.geography import point_of
from catalog.imports import edof_schema, loading, reading, report, snapshots, values
from catalog.imports.edof_schema import NAMESPACE, Fault
from catalog.imports.reading import WINDOWS, Progress, Source, Unusable, line_of
from catalog.imports.report import Report
from catalog.imports.towns import Towns
from catalog.imports.values import Wrong
from catalog.models import Certification, CertificationBlock, ImportRun, Offer, Provider, Session, Town
from rulebook import Rules, workdays
from ui import french

MAX_BYTES = 500 * 2**20
LOT = 100
MAX_NUMBER = 100
MAX_HOURS = 99_999
FAR_KM = (
    60  # a place further from its town's position is a slip: approximate positions are 30 km off at worst
)

MODES = {"0": Offer.Mode.ON_SITE, "1": Offer.Mode.MIXED, "2": Offer.Mode.DISTANCE}
RECRUITMENTS = {"1": Session.Recruitment.OPEN, "2": Session.Recruitment.CLOSED}
# What may shape a text; no attribute, so no link, no style, no script.
TAGS = {"p", "br", "ul", "ol", "li", "strong", "em"}
SYNONYMS = {"b": "strong", "i": "em", "div": "p"}
# A tag ends before the next one begins: looking for « > » beyond would take hours in a text full of « <a ».
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
# Longer is refused (edof_schema): cleaned no further, so that one text never keeps the worker.
CLEANED_MAX = 10_000
# What stands where the format wants something and nothing is said: as catalog.exporting writes it, as many
# real files do. No address ends in « .invalid » (RFC 2606), no number is all zeros.
NOT_SAID = "Non précisé."
NO_EMAIL, NO_PHONE = "inconnu@exemple.invalid", "0000000000"
is_web_address = URLValidator(schemes=["http", "https"])


@dataclass(slots=True)
class SessionRow:
    line: int
    number: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Action:
    """One action with its training, read; `fields` are those of Offer. `faults` keep it out."""

    line: int
    subject: str
    siret: str = ""
    siret_line: int = 0
    training_number: str = ""
    action_number: str = ""
    register_code: str = ""
    portal_code: str = ""
    code_line: int = 0
    blocks: list[tuple[int, str]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    place: "Place | None" = None
    sessions: list[SessionRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.siret, self.training_number, self.action_number


@dataclass(slots=True)
class Place:
    """Where an action takes place. `degrees`: latitude and longitude, when the file gives them."""

    line: int
    postal_code: str
    town_name: str
    degrees: tuple[float, float] | None

    @property
    def address(self) -> tuple[str, str, str]:
        return self.postal_code, self.town_name, ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action that was kept. `before` is None for a new offer; snapshots of both."""

    line: int
    subject: str
    offer: Offer
    before: dict[str, Any] | None
    after: dict[str, Any]


Watch = Callable[[Outcome], None]


def run(
    file: str,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Progress | None = None,
    only: Provider | None = None,
    watch: Watch | None = None,
) -> Report:
    """Imports one catalogue (.xml, gzip or zip). Unusable: nothing was written.

    `only`: every other organisation's action is refused. `watch` is told of each action that was kept.
    """
    work = partial(_work, at=at, only=only, watch=watch)
    return report.run(ImportRun.Kind.CATALOGUE, file, work, at=at, dry_run=dry_run, progress=progress)


def _work(
    source: Source, result: Report, *, at: datetime, only: Provider | None, watch: Watch | None
) -> None:
    rules = rulebook.on(workdays.paris_day(at))

    def refuse_stray(line: int, name: str) -> None:
        # Other data may follow the trainings; what is misspelled may be one of them.
        if name != "extras":
            result.read += 1
            result.refuse(line, f"<{name[:60]}>", _("cet élément n'est pas attendu dans <offres>."))

    trainings = reading.xml_records(
        source, root="lheo", record="formation", depth=2, max_bytes=MAX_BYTES, on_stray=refuse_stray
    )
    seen: dict[tuple[str, str, str], int] = {}
    for lot in loading.lots(_actions(trainings, rules), LOT):
        for action in lot:
            result.read += 1
            _refuse_twice(action, seen)
        _Lot(lot, result, at=at, rules=rules, only=only, watch=watch).write()


def _refuse_twice(action: Action, seen: dict[tuple[str, str, str], int]) -> None:
    if not all(action.key):
        return
    if action.key in seen:
        action.faults.append(
            Fault(
                action.line,
                _("l'action est déjà dans le fichier, ligne %(line)d : même organisme, mêmes numéros.")
                % {"line": seen[action.key]},
            )
        )
    seen.setdefault(action.key, action.line)


# --- Reading ----------------------------------------------------------------------------------------


def _actions(trainings: Iterable, rules: Rules) -> Iterator[Action]:
    """Every action of every training; a training without any is one of its own, to be refused."""
    for training in trainings:
        if not training.tag.startswith(f"{{{NAMESPACE}}}"):
            raise Unusable(
                _("Ce catalogue n'est pas au format du portail : l'espace de noms attendu est %(namespace)s.")
                % {"namespace": NAMESPACE},
                line=line_of(training),
            )
        yield from _Training(training, rules).actions()


class _Training:
    """One `<formation>`: what its actions share."""

    def __init__(self, element, rules: Rules):
        self.element = element
        self.rules = rules
        self.faults: list[Fault] = []
        self.number = _number(element)
        self.fields: dict[str, Any] = {}

    def actions(self) -> Iterator[Action]:
        elements = self.element.findall(_tag("action"))
        # The shape of each action is its own; that of the rest is everybody's.
        own_lines = {id(element): list(edof_schema.faults(element)) for element in elements}
        told = {fault for faults in own_lines.values() for fault in faults}
        self.faults += [fault for fault in edof_schema.faults(self.element) if fault not in told]
        self._check_head(self.element, _("la formation"))
        self._read_texts()
        siret, siret_line = self._read_siret()
        register_code, portal_code, code_line = self._read_certification()
        blocks = [
            (line_of(extra), values.line(extra.text))
            for extra in _extras(_child(self.element, "extras"), "code-bloc")
        ]
        if not elements:
            yield Action(
                line_of(self.element),
                _("formation %(number)s") % {"number": self.number or "?"},
                faults=self.faults,
            )
        for element in elements:
            action = Action(
                line=line_of(element),
                subject=_("formation %(training)s, action %(action)s")
                % {"training": self.number or "?", "action": _number(element) or "?"},
                siret=siret,
                siret_line=siret_line,
                training_number=self.number,
                action_number=_number(element),
                register_code=register_code,
                portal_code=portal_code,
                code_line=code_line,
                blocks=blocks,
                fields=dict(self.fields),
                faults=[*self.faults, *own_lines[id(element)]],
            )
            self._check_head(element, _("l'action"), into=action.faults)
            _ActionReader(element, action).read()
            yield action

    def _check_head(self, element, what: str, into: list[Fault] | None = None) -> None:
        _check_head(element, what, self.faults if into is None else into)

    def _read_texts(self) -> None:
        self.fields = {
            "title": values.line(html.unescape(MARKUP.sub(" ", _text(self.element, "intitule-formation")))),
            "objectives": rich(_said(self.element, "objectif-formation")),
            "content": rich(_said(self.element, "contenu-formation")),
            "expected_results": rich(_said(self.element, "resultats-attendus")),
        }
        summary = _extra(_child(self.element, "extras"), "resume-contenu")
        self.fields["summary"] = rich(_extra_text(summary))
        if len(_extra_text(summary)) > 3000:
            self.faults.append(
                Fault(
                    line_of(summary),
                    _("« resume-contenu » compte %(length)d caractères, 3000 au plus.")
                    % {"length": len(_extra_text(summary))},
                )
            )

    def _read_siret(self) -> tuple[str, int]:
        element = self.element.find(
            "/".join(map(_tag, ("organisme-formation-responsable", "SIRET-organisme-formation", "SIRET")))
        )
        if element is None or not (element.text or "").strip():
            return "", 0  # the shape has said so
        line = line_of(element)
        written = values.line(element.text)
        try:
            return values.siret(written), line
        except Wrong as wrong:
            # The shape already says it when the length is wrong.
            if len(written) == 14:
                self.faults.append(Fault(line, str(wrong)))
            return "", line

    def _read_certification(self) -> tuple[str, str, int]:
        """(register code, portal code, line): one of the two codes, the other empty."""
        certification = _child(self.element, "certification")
        for child in certification if certification is not None else ():
            name, code = edof_schema.name_of(child), values.line(child.text)
            if name in {"code-RNCP", "code-RS"}:
                return code, "", line_of(child)
            if name == "code-CPF":
                if code and code not in self.rules.portal_code_kinds:
                    self.faults.append(
                        Fault(
                            line_of(child),
                            _("le code « %(code)s » n'est pas un code d'action du portail.")
                            % {"code": code[:20]},
                        )
                    )
                return "", code, line_of(child)
        return "", "", line_of(self.element)


class _ActionReader:
    """Fills an `Action` from its element; what is wrong goes to its faults."""

    def __init__(self, element, action: Action):
        self.element, self.action = element, action
        self.extras = _child(element, "extras")

    def read(self) -> None:
        action = self.action
        mode = MODES.get(_text(self.element, "modalites-enseignement").strip(), "")
        action.fields |= {
            "mode": mode,
            "prerequisites": rich(_text(self.element, "conditions-specifiques")),
            "has_prerequisites": self._flag("existence-prerequis"),
            "admission": rich(
                self._extra_text("info-admission", 250) or _text(self.element, "modalites-recrutement")
            ),
            "accessibility": rich(self._accessibility()),
            "hours": self._hours(),
            "url": self._url(),
        }
        self._read_price()
        self._read_contact()
        self._read_place(mode)
        self._read_sessions()

    def _fault(self, element, reason: str) -> None:
        self.action.faults.append(Fault(line_of(element), reason))

    def _extra_text(self, info: str, maximum: int) -> str:
        element = _extra(self.extras, info)
        text = _extra_text(element)
        if len(text) > maximum:
            self._fault(
                element,
                _("« %(info)s » compte %(length)d caractères, %(maximum)d au plus.")
                % {"info": info, "length": len(text), "maximum": maximum},
            )
        return text

    def _flag(self, info: str) -> bool:
        return _flag(self.extras, info, self.action.faults)

    def _accessibility(self) -> str:
        # `acces-handicapes` is often the code 0 or 1: no sentence to show.
        written = _text(self.element, "acces-handicapes").strip()
        return self._extra_text("modalites-handicap", 250) or ("" if written.isdecimal() else written)

    def _hours(self) -> int | None:
        total = None
        for name in ("nombre-heures-centre", "nombre-heures-entreprise"):
            element = _child(self.element, name)
            if element is None or not re.fullmatch(r"[+-]?\d+", values.line(element.text), re.ASCII):
                continue
            try:
                total = (total or 0) + values.whole(values.line(element.text).lstrip("+"), maximum=MAX_HOURS)
            except Wrong as wrong:
                self._fault(element, f"<{name}> : {wrong}")
        return total

    def _url(self) -> str:
        element = self.element.find("/".join(map(_tag, ("url-action", "urlweb"))))
        address = values.line(element.text) if element is not None else ""
        if not address:
            return ""
        if "://" not in address:
            address = f"https://{address}"
        try:
            is_web_address(address)
        except ValidationError:
            self._fault(element, _("« %(url)s » n'est pas une adresse web.") % {"url": values.short(address)})
        return address[:500]

    def _read_price(self) -> None:
        fees = _extra(self.extras, "frais-pedagogiques")
        amounts: dict[str, int] = {}
        for info, parse in (
            ("frais-ttc", values.cents),
            ("frais-ht", values.cents),
            ("taux-tva", values.per_mille),
        ):
            element = _extra(fees, info)
            if written := _extra_text(element).strip():
                try:
                    amounts[info] = parse(written)
                except Wrong as wrong:
                    self._fault(element, f"{info} : {wrong}")
                    return
        place = fees if fees is not None else self.extras if self.extras is not None else self.element
        if "frais-ttc" not in amounts:
            self._fault(place, _("le prix TTC manque (« frais-ttc » dans « frais-pedagogiques »)."))
            return
        ttc, rate = amounts["frais-ttc"], amounts.get("taux-tva", 0)
        net = amounts.get("frais-ht")
        # TTC = HT × (1 + rate), give or take the cent of a rounding.
        if net is not None and abs(ttc * 1000 - net * (1000 + rate)) > 1000:
            self._fault(
                place,
                _("les prix ne sont pas cohérents : HT %(net)s €, TVA %(rate)s %%, TTC %(gross)s €.")
                % {
                    "net": _euros(net),
                    "rate": f"{rate / 10:g}".replace(".", ","),
                    "gross": _euros(ttc),
                },
            )
        self.action.fields |= {"price_cents": ttc, "vat_per_mille": rate, "extra_fees_cents": 0}
        extra = _extra(self.extras, "frais-anpec")
        if written := _extra_text(extra).strip():
            try:
                self.action.fields["extra_fees_cents"] = values.cents(written)
            except Wrong as wrong:
                self._fault(extra, f"frais-anpec : {wrong}")

    def _read_contact(self) -> None:
        contact = _extra(self.extras, "contact-information")
        coordinates = _child(contact, "coordonnees")
        if coordinates is None:
            coordinates = self.element.find("/".join(map(_tag, ("lieu-de-formation", "coordonnees"))))
        email = _child(coordinates, "courriel")
        address = values.line(email.text) if email is not None else ""
        address = "" if address.lower().endswith(".invalid") else address
        if address:
            try:
                validate_email(address)
            except ValidationError:
                self._fault(
                    email, _("« %(email)s » n'est pas une adresse e-mail.") % {"email": values.short(address)}
                )
        phone = coordinates.find(f"{_tag('telfixe')}/{_tag('numtel')}") if coordinates is not None else None
        number = values.line(phone.text)[:20] if phone is not None else ""
        self.action.fields |= {
            "contact_email": address[:254],
            "contact_phone": number if number.strip("0") else "",
        }

    def _read_place(self, mode: str) -> None:
        fields = {"address": "", "postal_code": "", "town_name": "", "town": None, "point": None}
        self.action.fields |= fields
        if mode == Offer.Mode.DISTANCE:
            return
        coordinates = self.element.find("/".join(map(_tag, ("lieu-de-formation", "coordonnees"))))
        address = _child(coordinates, "adresse")
        if address is None:
            if coordinates is not None:
                self._fault(coordinates, _("l'adresse du lieu de formation manque."))
            return
        postal_code, town_name = (
            values.line(_text(address, "codepostal")),
            values.line(_text(address, "ville")),
        )
        if not postal_code or not town_name:
            self._fault(address, _("le code postal ou la ville du lieu de formation manque."))
            return
        if not re.fullmatch(r"\d{5}", postal_code, re.ASCII):
            # A wrong length is said by the shape.
            if len(_text(address, "codepostal")) == 5:
                self._fault(
                    _child(address, "codepostal"),
                    _("le code postal « %(text)s » n'a pas 5 chiffres.")
                    % {"text": values.short(postal_code)},
                )
            return
        self.action.fields |= {
            "address": _street(address)[:255],
            "postal_code": postal_code,
            "town_name": town_name[:100],
        }
        self.action.place = Place(line_of(address), postal_code, town_name, self._degrees(address))

    def _degrees(self, address) -> tuple[float, float] | None:
        position = _child(address, "geolocalisation")
        if position is None:
            return None
        written = [values.line(_text(position, name)).replace(",", ".") for name in ("latitude", "longitude")]
        if not any(written):
            return None
        try:
            latitude, longitude = map(float, written)
        except ValueError:
            latitude = longitude = float("nan")
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            self._fault(position, _("la latitude ou la longitude n'est pas un nombre de degrés."))
            return None
        return latitude, longitude

    def _read_sessions(self) -> None:
        is_permanent = _text(self.element, "modalites-entrees-sorties").strip() == "1"
        seen: dict[str, int] = {}
        for element in self.element.findall(_tag("session")):
            number, line = _number(element), line_of(element)
            _check_head(element, _("la session"), self.action.faults)
            if number in seen:
                self._fault(
                    element,
                    _("la session « %(number)s » est déjà donnée, ligne %(line)d.")
                    % {"number": number, "line": seen[number]},
                )
            seen.setdefault(number, line)
            starts_on, ends_on = (None, None) if is_permanent else self._period(element)
            extras = _child(element, "extras")
            self.action.sessions.append(
                SessionRow(
                    line,
                    number,
                    {
                        "starts_on": starts_on,
                        "ends_on": ends_on,
                        "recruitment": RECRUITMENTS.get(
                            _text(element, "etat-recrutement").strip(), Session.Recruitment.CLOSED
                        ),
                        "is_guaranteed": _flag(extras, "garantie", self.action.faults),
                        "details": rich(_extra_text(_extra(extras, "modalites-particulieres"))),
                    },
                )
            )

    def _period(self, session) -> tuple[date | None, date | None]:
        period = _child(session, "periode")
        days: list[date | None] = []
        for name in ("debut", "fin"):
            element = _child(period, name)
            try:
                days.append(values.compact_date(element.text if element is not None else ""))
            except Wrong as wrong:
                self._fault(element, f"<{name}> : {wrong}")
                return None, None
            if days[-1] is None:
                self._fault(
                    element if element is not None else period if period is not None else session,
                    _("<%(name)s> : la date manque, alors que l'action est à dates fixes.") % {"name": name},
                )
        starts_on, ends_on = days
        if starts_on and ends_on and ends_on < starts_on:
            self._fault(period, _("la session finit avant de commencer."))
        return starts_on, ends_on


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _child(element, name: str):
    return element.find(_tag(name)) if element is not None else None


def _text(element, name: str) -> str:
    """What a child says, with the letters that Windows meant where the file has control characters."""
    child = _child(element, name)
    return (child.text or "").translate(WINDOWS) if child is not None else ""


def _said(element, name: str) -> str:
    text = _text(element, name)
    return "" if text.strip() == NOT_SAID else text


def _extras(extras, info: str) -> Iterator:
    """Every `<extra info=…>` below, however deep: the format nests them freely."""
    if extras is not None:
        for name in ("extra", "extras"):
            for element in extras.iter(_tag(name)):
                if element.get("info") == info:
                    yield element


def _extra(extras, info: str):
    return next(_extras(extras, info), None)


def _extra_text(element) -> str:
    return (element.text or "").translate(WINDOWS) if element is not None else ""


def _flag(extras, info: str, faults: list[Fault]) -> bool:
    element = _extra(extras, info)
    written = _extra_text(element).strip()
    if written not in {"", "0", "1"}:
        faults.append(
            Fault(
                line_of(element),
                _("« %(info)s » vaut 0 ou 1, pas « %(text)s ».")
                % {"info": info, "text": values.short(written)},
            )
        )
    return written == "1"


def _number(element) -> str:
    return values.line(element.get("numero"))


def _check_head(element, what: str, faults: list[Fault]) -> None:
    """The number, and the dates of creation and change."""
    words = {"what": what}
    if "numero" in element.attrib and not _number(element):
        faults.append(Fault(line_of(element), _("le numéro de %(what)s est vide.") % words))
    if len(_number(element)) > MAX_NUMBER:
        faults.append(
            Fault(
                line_of(element),
                _("le numéro de %(what)s compte %(length)d caractères, %(maximum)d au plus.")
                % {**words, "length": len(_number(element)), "maximum": MAX_NUMBER},
            )
        )
    for attribute in ("datecrea", "datemaj"):
        try:
            values.compact_date(element.get(attribute))
        except Wrong as wrong:
            faults.append(Fault(line_of(element), f"{attribute} : {wrong}"))


def _street(address) -> str:
    """« MONORGANISME, 12 RUE du général Leclerc, BP 202 »."""
    extras = _child(address, "extras")
    way = " ".join(
        values.line(_extra_text(_extra(extras, info)))
        for info in ("numero-voie", "code-nature-voie", "libelle-voie")
    )
    lines = [values.line((line.text or "").translate(WINDOWS)) for line in address.findall(_tag("ligne"))]
    parts = [*lines, " ".join(way.split()), values.line(_extra_text(_extra(extras, "ligne5-adresse")))]
    return ", ".join(dict.fromkeys(part for part in parts if part not in ("", NOT_SAID)))


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"


def rich(text: str) -> str:
    """An organisation's text, safe to show: TAGS only, no attribute; plain when it has no markup."""
    text = text.strip()[:CLEANED_MAX]
    if not MARKUP.search(text):
        return text
    for theirs, ours in SYNONYMS.items():
        text = re.sub(rf"<(/?){theirs}(?=[\s>/])[^<>]*>", rf"<\1{ours}>", text, flags=re.IGNORECASE)
    text = nh3.clean(text, tags=TAGS, attributes={})
    text = re.sub(r"<(p|li|strong|em)>(?:\s|&nbsp;|<br>)*</\1>", "", text).strip()
    if MARKUP.search(text):
        return text
    # Nothing but forbidden markup was there: plain again, unless plain would read as markup.
    plain = html.unescape(text)
    return f"<p>{text}</p>" if MARKUP.search(plain) else plain


# --- Judging and writing ----------------------------------------------------------------------------


class _Lot:
    """Some actions, judged and written with a bounded number of queries whatever their number."""

    def __init__(
        self,
        actions: list[Action],
        result: Report,
        *,
        at: datetime,
        rules: Rules,
        only: Provider | None,
        watch: Watch | None,
    ):
        self.actions, self.result, self.at, self.rules = actions, result, at, rules
        self.only, self.watch = only, watch
        self.providers = {
            provider.organisation.siret: provider
            for provider in Provider.objects.filter(
                organisation__siret__in={action.siret for action in actions if action.siret}
            )
            .select_related("organisation")
            .order_by("pk")
        }
        codes = {action.register_code for action in actions if action.register_code}
        self.certifications = {
            certification.code: certification
            for certification in Certification.objects.filter(code__in=codes)
            .only("code", "register", "number")
            .order_by("pk")
        }
        blocks = {code for action in actions for _line, code in action.blocks}
        self.blocks = set(
            CertificationBlock.objects.filter(code__in=blocks)
            .values_list("certification_id", "code")
            .order_by("pk")
            if blocks
            else ()
        )
        places = {action.place.address for action in actions if action.place}
        self.towns = Towns(places) if places else None

    def write(self) -> None:
        kept = []
        for action in self.actions:
            self._judge(action)
            if action.faults:
                self.result.refuse_faults(action.line, action.subject, action.faults)
            else:
                kept.append(action)
        if not kept:
            return
        stored = self._stored(kept)
        kept = [action for action in kept if not self._breaks_a_promise(action, stored)]
        before = _snapshots(stored.values()) if self.watch else {}
        offers = self._write_offers(kept, stored)
        self._write_sessions(kept, offers)
        if self.watch:
            self._tell_outcomes(kept, offers, before)
        self._tell_hidden(kept, offers)

    def _judge(self, action: Action) -> None:
        """What only our own data can tell."""

        def fault(line: int, reason: str) -> None:
            action.faults.append(Fault(line, reason))

        if action.siret and self.only and action.siret != self.only.organisation.siret:
            fault(
                action.siret_line,
                _("le SIRET %(siret)s n'est pas celui de votre organisme : %(own)s.")
                % {"siret": action.siret, "own": self.only.organisation.siret},
            )
        elif action.siret and action.siret not in self.providers:
            fault(
                action.siret_line,
                _("aucun organisme de formation du portail n'a le SIRET %(siret)s.")
                % {"siret": action.siret},
            )
        if action.register_code and action.register_code not in self.certifications:
            fault(
                action.code_line,
                _("la certification %(code)s n'est pas dans le répertoire du portail.")
                % {"code": values.short(action.register_code)},
            )
        if action.register_code in self.certifications:
            for line, code in action.blocks:
                if (action.register_code, code) not in self.blocks:
                    fault(
                        line,
                        _("le bloc « %(block)s » n'est pas de la certification %(code)s.")
                        % {"block": values.short(code), "code": action.register_code},
                    )
        if action.place:
            self._judge_place(action, action.place, fault)

    def _judge_place(self, action: Action, place: Place, fault) -> None:
        town = self.towns.find(*place.address)
        if town is None:
            fault(
                place.line,
                _("aucune commune « %(town)s » n'a le code postal %(postal_code)s.")
                % {"town": values.short(place.town_name), "postal_code": place.postal_code},
            )
            return
        action.fields |= {"town": town, "point": self._point(action, place, town)}

    def _point(self, action: Action, place: Place, town: Town):
        if place.degrees is None:
            return town.point
        latitude, longitude = place.degrees
        if abs(latitude - town.latitude) * 111 > FAR_KM or abs(longitude - town.longitude) * 75 > FAR_KM:
            self.result.remark(
                place.line,
                action.subject,
                _("la position donnée est loin de %(town)s : celle de la commune est retenue.")
                % {"town": town},
            )
            return town.point
        return point_of(latitude=latitude, longitude=longitude, department=town.department)

    def _fields(self, action: Action) -> dict[str, Any]:
        kind = (
            self.rules.portal_code_kinds[action.portal_code] if action.portal_code else Offer.Kind.CERTIFYING
        )
        return action.fields | {
            "kind": kind,
            "certification_id": action.register_code or None,
            "portal_code": action.portal_code,
            "block_codes": list(dict.fromkeys(code for _line, code in action.blocks)),
        }

    def _stored(self, kept: list[Action]) -> dict[tuple[str, str, str], Offer]:
        """The offers we already have of these actions, by their key in the file."""
        sirets = {self.providers[action.siret].pk: action.siret for action in kept}
        stored = {
            (sirets[offer.provider_id], offer.training_number, offer.action_number): offer
            for offer in Offer.objects.filter(
                provider__in=sirets.keys(), training_number__in={action.training_number for action in kept}
            )
            .defer("search")
            .order_by("pk")
        }
        stored = {action.key: stored[action.key] for action in kept if action.key in stored}
        self.fields = {action.key: self._fields(action) for action in kept}
        self.held = promises.offers_held(
            [offer.pk for key, offer in stored.items() if promises.broken(offer, self._columns(key))]
        )
        return stored

    def _columns(self, key: tuple[str, str, str]) -> dict[str, Any]:
        fields = self.fields[key]
        return fields | {"town_id": fields["town"].pk if fields["town"] else None}

    def _breaks_a_promise(self, action: Action, stored: dict[tuple[str, str, str], Offer]) -> bool:
        offer = stored.get(action.key)
        if offer is None or offer.pk not in self.held:
            return False
        self.result.refuse(
            action.line,
            action.subject,
            _(
                "des personnes ont un dossier sur cette offre : sa nature, sa certification, sa modalité"
                " et sa commune ne changent plus. Donnez un autre numéro à l'action."
            ),
        )
        return True

    def _write_offers(
        self, kept: list[Action], stored: dict[tuple[str, str, str], Offer]
    ) -> dict[tuple[str, str, str], Offer]:
        offers: dict[tuple[str, str, str], Offer] = {}
        created, changed, names = [], [], set()
        for action in kept:
            fields = self.fields[action.key]
            names |= fields.keys()
            offer = stored.get(action.key)
            if offer is None:
                offer = Offer(
                    provider=self.providers[action.siret],
                    training_number=action.training_number,
                    action_number=action.action_number,
                    updated_at=self.at,
                    **fields,
                )
                created.append(offer)
            elif _differs(offer, fields):
                self._tell_hand_edited(action, offer)
                for name, value in fields.items():
                    setattr(offer, name, value)
                offer.updated_at, offer.hand_edited_at = self.at, None
                changed.append(offer)
            offers[action.key] = offer
        Offer.objects.bulk_create(created)
        Offer.objects.bulk_update(changed, [*sorted(names), "updated_at", "hand_edited_at"])
        if created or changed:
            search.reindex([offer.pk for offer in (*created, *changed)])
        self.created = {offer.pk for offer in created}
        self.changed = {offer.pk for offer in changed}
        return offers

    def _tell_hand_edited(self, action: Action, offer: Offer) -> None:
        if offer.hand_edited_at:
            self.result.remark(
                action.line,
                action.subject,
                _("modifiée à la main le %(day)s : l'import remplace ces changements.")
                % {"day": french.short_day(offer.hand_edited_at)},
            )

    def _write_sessions(self, kept: list[Action], offers: dict) -> None:
        stored: dict[Any, dict[str, Session]] = {}
        known = [offer.pk for offer in offers.values() if offer.pk not in self.created]
        for session in Session.objects.filter(offer__in=known).order_by("pk") if known else ():
            stored.setdefault(session.offer_id, {})[session.number] = session
        held = self._sessions_held(kept, offers, stored)
        created, changed = [], []
        for action in kept:
            offer = offers[action.key]
            before = stored.get(offer.pk, {})
            for row in action.sessions:
                session = before.pop(row.number, None)
                if session and session.pk in held:
                    row = self._keep_dates(action, row, session)
                if session is None:
                    created.append(Session(offer=offer, number=row.number, **row.fields))
                elif _differs(session, row.fields):
                    for name, value in row.fields.items():
                        setattr(session, name, value)
                    changed.append(session)
                else:
                    continue
                self.changed.add(offer.pk)
            for session in before.values():
                if session.recruitment != Session.Recruitment.CLOSED:
                    session.recruitment = Session.Recruitment.CLOSED
                    changed.append(session)
                    self.changed.add(offer.pk)
        Session.objects.bulk_create(created)
        Session.objects.bulk_update(
            changed, ["starts_on", "ends_on", "recruitment", "is_guaranteed", "details"]
        )
        changed_offers = self.changed - self.created
        self.result.created += len(self.created)
        self.result.updated += len(changed_offers)
        self.result.unchanged += len(offers) - len(self.created) - len(changed_offers)

    def _sessions_held(self, kept: list[Action], offers: dict, stored: dict[Any, dict[str, Session]]) -> set:
        """The sessions that the file would move, and that people have a dossier on."""
        moved = [
            session.pk
            for action in kept
            for row in action.sessions
            if (session := stored.get(offers[action.key].pk, {}).get(row.number))
            and promises.broken(session, row.fields)
        ]
        return promises.sessions_held(moved)

    def _keep_dates(self, action: Action, row: SessionRow, session: Session) -> SessionRow:
        self.result.remark(
            row.line,
            action.subject,
            _(
                "des personnes ont un dossier sur la session « %(number)s » : ses dates ne changent plus."
                " Donnez un autre numéro aux nouvelles dates."
            )
            % {"number": row.number},
        )
        return SessionRow(
            row.line,
            row.number,
            row.fields | {"starts_on": session.starts_on, "ends_on": session.ends_on},
        )

    def _tell_outcomes(self, kept: list[Action], offers: dict, before: dict[Any, dict[str, Any]]) -> None:
        # Read again: a snapshot is compared with what is stored later, so it is made of what was stored.
        written = Offer.objects.filter(pk__in=[offer.pk for offer in offers.values()]).defer("search")
        after = _snapshots(written.order_by("pk"))
        for action in kept:
            offer = offers[action.key]
            self.watch(Outcome(action.line, action.subject, offer, before.get(offer.pk), after[offer.pk]))

    def _tell_hidden(self, kept: list[Action], offers: dict) -> None:
        # Read again: the licence's category is the database's to say.
        written = {
            offer.pk: offer
            for offer in Offer.objects.filter(pk__in=[offer.pk for offer in offers.values()])
            .select_related("provider__organisation", "certification")
            .defer("search")
            .order_by("pk")
        }
        facts = eligibility.facts_of_each(written.values())
        for action in kept:
            reasons = eligibility.refusals(facts[offers[action.key].pk], on=self.rules.day, rules=self.rules)
            if reasons:
                self.result.hide(action.line, action.subject, *(reason.sentence for reason in reasons))


def _snapshots(offers: Collection[Offer]) -> dict[Any, dict[str, Any]]:
    sessions: dict[Any, list[Session]] = {offer.pk: [] for offer in offers}
    for session in Session.objects.filter(offer__in=list(sessions)).order_by("number"):
        sessions[session.offer_id].append(session)
    return {offer.pk: snapshots.of(offer, sessions[offer.pk]) for offer in offers}


def _differs(row, fields: dict[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in fields.items() if name != "town") or (
        "town" in fields and row.town_id != (fields["town"].pk if fields["town"] else None)
    )
