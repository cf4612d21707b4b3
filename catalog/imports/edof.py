"""The portal's own catalogue format (EDOF), read: trainings, their actions, their sessions.

LHEO, which it comes from, is read by the same hands (lheo.py): names are local here, each format says its own
namespace and shape.
"""

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lxml import etree

from catalog import particulars
from catalog.imports import edof_schema, values
from catalog.imports.actions import (
    CLEANED_MAX,
    LEVELS,
    MARKUP,
    MODES,
    NOT_SAID,
    RECRUITMENTS,
    RHYTHMS,
    Action,
    Place,
    SessionRow,
    rich,
)
from catalog.imports.edof_schema import NAMESPACE, Fault
from catalog.imports.reading import WINDOWS, line_of
from catalog.imports.values import Wrong
from catalog.models import Offer, Session
from rulebook import Rules

__all__ = ["NAMESPACE", "actions"]

MAX_NUMBER = 100
MAX_HOURS = 99_999
SIGNED = re.compile(r"[+-]?\d+", re.ASCII)
is_web_address = URLValidator(schemes=["http", "https"])


def actions(training, rules: Rules) -> Iterator[Action]:
    """Every action of one `<formation>`; without any, it is one of its own, to be refused."""
    yield from Training(training, rules).actions()


class Training:
    """One `<formation>`: what its actions share. `shape`: what its format forbids in an element."""

    shape = staticmethod(edof_schema.faults)
    is_sound = staticmethod(edof_schema.is_sound)

    @staticmethod
    def reader(element, action: Action) -> "ActionReader":
        return ActionReader(element, action)

    def __init__(self, element, rules: Rules):
        self.element = element
        self.rules = rules
        self.faults: list[Fault] = []
        self.number = number_of(element)
        self.fields: dict[str, Any] = {}
        self.certif_info: tuple[str, ...] = ()  # the portal's own format has no such code
        self.extras = extras_of(child_of(element, "extras"))

    def actions(self) -> Iterator[Action]:
        elements = self.element.findall(tag("action"))
        # The shape of each action is its own; that of the rest is everybody's.
        own_lines: dict[int, list[Fault]] = {}
        if not self.is_sound(self.element):
            own_lines = {id(element): list(self.shape(element)) for element in elements}
            told = {fault for faults in own_lines.values() for fault in faults}
            self.faults += [fault for fault in self.shape(self.element) if fault not in told]
        self._check_head(self.element, gettext_lazy("la formation"))
        self._read_texts()
        siret, siret_line = self._read_siret()
        register_code, portal_code, code_line = self._read_certification()
        blocks = [(line_of(extra), values.line(extra.text)) for extra in self.extras.get("code-bloc", ())]
        if not elements:
            yield Action(
                line_of(self.element),
                _("formation %(number)s") % {"number": self.number or "?"},
                faults=self.faults,
            )
        subject = _("formation %(training)s, action %(action)s")
        for element in elements:
            action = Action(
                line=line_of(element),
                subject=subject % {"training": self.number or "?", "action": number_of(element) or "?"},
                siret=siret,
                siret_line=siret_line,
                training_number=self.number,
                action_number=number_of(element),
                register_code=register_code,
                certif_info=self.certif_info,
                portal_code=portal_code,
                code_line=code_line,
                blocks=blocks,
                fields=dict(self.fields),
                faults=[*self.faults, *own_lines.get(id(element), ())],
            )
            self._check_head(element, gettext_lazy("l'action"), into=action.faults)
            self.reader(element, action).read()
            yield action

    def _check_head(self, element, what: str, into: list[Fault] | None = None) -> None:
        _check_head(element, what, self.faults if into is None else into)

    def _read_texts(self) -> None:
        self.fields = {
            "title": _plain(text_of(self.element, "intitule-formation")),
            "objectives": rich(said(self.element, "objectif-formation")),
            "content": rich(said(self.element, "contenu-formation")),
            "expected_results": rich(said(self.element, "resultats-attendus")),
        }
        summary = _extra(self.extras, "resume-contenu")
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
            "/".join(map(tag, ("organisme-formation-responsable", "SIRET-organisme-formation", "SIRET")))
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
        certification = child_of(self.element, "certification")
        for child in certification if certification is not None else ():
            name, code = etree.QName(child).localname, values.line(child.text)
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


class ActionReader:
    """Fills an `Action` from its element; what is wrong goes to its faults."""

    def __init__(self, element, action: Action):
        self.element, self.action = element, action
        self.extras_element = child_of(element, "extras")
        self.extras = extras_of(self.extras_element)

    def read(self) -> None:
        action = self.action
        action.pedagogy = values.line(said(self.element, "modalites-pedagogiques"))
        mode = MODES.get(text_of(self.element, "modalites-enseignement").strip(), "")
        action.fields |= {
            "mode": mode,
            "prerequisites": rich(said(self.element, "conditions-specifiques")),
            "has_prerequisites": self._flag("existence-prerequis"),
            "admission": rich(
                self._extra_text("info-admission", 250) or said(self.element, "modalites-recrutement")
            ),
            "accessibility": rich(self._accessibility()),
            "hours": self._hours(),
            "url": self._url(),
            "rhythms": self._rhythms(),
            "languages": self._languages(),
        }
        action.fields["particulars"] = self._particulars(mode)
        self._read_level()
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
        written = text_of(self.element, "acces-handicapes").strip()
        return self._extra_text("modalites-handicap", 250) or ("" if written.isdecimal() else written)

    def _hours(self) -> int | None:
        total = None
        for name in ("nombre-heures-centre", "nombre-heures-entreprise"):
            element = child_of(self.element, name)
            if element is None or not SIGNED.fullmatch(values.line(element.text)):
                continue
            try:
                total = (total or 0) + values.whole(values.line(element.text).lstrip("+"), maximum=MAX_HOURS)
            except Wrong as wrong:
                self._fault(element, f"<{name}> : {wrong}")
        return total

    def _particulars(self, mode: str) -> dict[str, Any]:
        of_the_place: Extras = {}
        if mode != Offer.Mode.DISTANCE:
            address = self.element.find("/".join(map(tag, ("lieu-de-formation", "coordonnees", "adresse"))))
            of_the_place = extras_of(child_of(address, "extras"))
        company = values.line(text_of(self.element, "nombre-heures-entreprise")).lstrip("+")
        course = text_of(self.element.getparent(), "parcours-de-formation").strip()
        return particulars.kept(
            {
                "course": course if course in particulars.COURSES else "",
                # One that is no number, or too large, is a fault of the hours.
                "company_hours": min(
                    int(company) if company.isdecimal() and len(company) < 6 else 0,
                    self.action.fields["hours"] or 0,
                ),
                "pedagogy": _plain(said(self.element, "modalites-pedagogiques")),
                "meals": _plain(said(self.element, "restauration")),
                "housing": _plain(said(self.element, "hebergement")),
                "transport": _plain(said(self.element, "transport")),
                "building": _plain(_extra_text(_extra(of_the_place, "accessibilite-batimentaire"))),
                "complies": _flag(of_the_place, "conformite-reglementaire", self.action.faults),
                "fees": _plain(_extra_text(_extra(self.extras, "detail-frais-anpec"))),
                "exam_in_fees": self._flag("frais-certif-inclus-frais-anpec"),
            }
        )

    def _rhythms(self) -> list[str]:
        """In the order of the file, each once."""
        told = {}
        for element in self.extras.get("code-rythme-formation", ()):
            code = _extra_text(element).strip()
            if code in RHYTHMS:
                told[RHYTHMS[code]] = True
            elif code:
                self._fault(
                    element,
                    _("le rythme « %(code)s » n'est pas de la liste (de 1 à 7).")
                    % {"code": values.short(code)},
                )
        return list(told)

    def _languages(self) -> list[str]:
        """The first is the main one. The format has room for one: extras of that name say all, or none."""
        told = self.extras.get("langue-formation") or self.element.findall(tag("langue-formation"))
        found = {}
        for element in told:
            if written := values.line(element.text):
                try:
                    found[values.language(written)] = True
                except Wrong as wrong:
                    self._fault(element, f"<langue-formation> : {wrong}")
        return list(found)

    def _level_element(self):
        return _extra(self.extras, "code-niveau-entree")

    def _read_level(self) -> None:
        """The level to enter with. A file that has no place for it says nothing of it: it stays."""
        element = self._level_element()
        code = values.line(element.text) if element is not None else ""
        if code in LEVELS:
            self.action.fields["entry_level"] = LEVELS[code]
        elif code:
            self._fault(
                element,
                _("le niveau à l'entrée « %(code)s » n'est pas de la table de LHEO (0 à 8, 11 à 18).")
                % {"code": values.short(code)},
            )

    def _url(self) -> str:
        element = self.element.find("/".join(map(tag, ("url-action", "urlweb"))))
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
        inside = extras_of(fees)
        amounts: dict[str, int] = {}
        for info, parse in (
            ("frais-ttc", values.cents),
            ("frais-ht", values.cents),
            ("taux-tva", values.per_mille),
        ):
            element = _extra(inside, info)
            if written := _extra_text(element).strip():
                try:
                    amounts[info] = parse(written)
                except Wrong as wrong:
                    self._fault(element, f"{info} : {wrong}")
                    return
        place = next(each for each in (fees, self.extras_element, self.element) if each is not None)
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

    def _contact(self):
        contact = child_of(_extra(self.extras, "contact-information"), "coordonnees")
        if contact is not None:
            return contact
        return self.element.find("/".join(map(tag, ("lieu-de-formation", "coordonnees"))))

    def _read_contact(self) -> None:
        coordinates = self._contact()
        email = child_of(coordinates, "courriel")
        address = values.line(email.text) if email is not None else ""
        address = "" if address.lower().endswith(".invalid") else address
        if address:
            try:
                validate_email(address)
            except ValidationError:
                self._fault(
                    email, _("« %(email)s » n'est pas une adresse e-mail.") % {"email": values.short(address)}
                )
        phone = coordinates.find(f"{tag('telfixe')}/{tag('numtel')}") if coordinates is not None else None
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
        coordinates = self.element.find("/".join(map(tag, ("lieu-de-formation", "coordonnees"))))
        address = child_of(coordinates, "adresse")
        if address is None:
            if coordinates is not None:
                self._fault(coordinates, _("l'adresse du lieu de formation manque."))
            return
        postal_code, town_name = (
            values.line(text_of(address, "codepostal")),
            values.line(text_of(address, "ville")),
        )
        if not postal_code or not town_name:
            self._fault(address, _("le code postal ou la ville du lieu de formation manque."))
            return
        if not re.fullmatch(r"\d{5}", postal_code, re.ASCII):
            # A wrong length is said by the shape.
            if len(text_of(address, "codepostal")) == 5:
                self._fault(
                    child_of(address, "codepostal"),
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
        position = child_of(address, "geolocalisation")
        if position is None:
            return None
        written = [
            values.line(text_of(position, name)).replace(",", ".") for name in ("latitude", "longitude")
        ]
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

    def _session_number(self, element) -> str:
        return number_of(element)

    def _read_sessions(self) -> None:
        is_permanent = text_of(self.element, "modalites-entrees-sorties").strip() == "1"
        seen: dict[str, int] = {}
        for element in self.element.findall(tag("session")):
            number, line = self._session_number(element), line_of(element)
            _check_head(element, gettext_lazy("la session"), self.action.faults)
            if number in seen:
                self._fault(
                    element,
                    _("la session « %(number)s » est déjà donnée, ligne %(line)d.")
                    % {"number": number, "line": seen[number]},
                )
            seen.setdefault(number, line)
            starts_on, ends_on = (None, None) if is_permanent else self._period(element)
            extras = extras_of(child_of(element, "extras"))
            self.action.sessions.append(
                SessionRow(
                    line,
                    number,
                    {
                        "starts_on": starts_on,
                        "ends_on": ends_on,
                        "recruitment": RECRUITMENTS.get(
                            text_of(element, "etat-recrutement").strip(), Session.Recruitment.CLOSED
                        ),
                        "is_guaranteed": _flag(extras, "garantie", self.action.faults),
                        "details": rich(_extra_text(_extra(extras, "modalites-particulieres"))),
                    },
                )
            )

    def _period(self, session) -> tuple[date | None, date | None]:
        period = child_of(session, "periode")
        days: list[date | None] = []
        for name in ("debut", "fin"):
            element = child_of(period, name)
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


def tag(name: str) -> str:
    """In whatever namespace: the file's was judged."""
    return f"{{*}}{name}"


def child_of(element, name: str):
    return next(element.iterchildren(tag(name)), None) if element is not None else None


def text_of(element, name: str) -> str:
    """What a child says, with the letters that Windows meant where the file has control characters."""
    child = child_of(element, name)
    return _text(child) if child is not None else ""


def _text(element) -> str:
    text = element.text or ""
    return text if text.isascii() else text.translate(WINDOWS)


def _plain(text: str) -> str:
    """A short text on one line, without markup."""
    return values.line(html.unescape(MARKUP.sub(" ", text[:CLEANED_MAX]))) if text else ""


def said(element, name: str) -> str:
    text = text_of(element, name)
    return "" if text.strip() in (NOT_SAID, "-") else text


Extras = dict[str, list]


def extras_of(element) -> Extras:
    """Every `<extra info=…>` below an `<extras>`, by its info, however deep: the format nests them freely."""
    found: Extras = {}
    if element is not None:
        for name in ("{*}extra", "{*}extras"):
            for each in element.iter(name):
                found.setdefault(each.get("info"), []).append(each)
    return found


def _extra(extras: Extras, info: str):
    return extras[info][0] if info in extras else None


def _extra_text(element) -> str:
    return _text(element) if element is not None else ""


def _flag(extras: Extras, info: str, faults: list[Fault]) -> bool:
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


def number_of(element) -> str:
    return values.line(element.get("numero"))


def _check_head(element, what: str, faults: list[Fault]) -> None:
    """The number, and the dates of creation and change."""
    words = {"what": what}
    if "numero" in element.attrib and not number_of(element):
        faults.append(Fault(line_of(element), _("le numéro de %(what)s est vide.") % words))
    if len(number_of(element)) > MAX_NUMBER:
        faults.append(
            Fault(
                line_of(element),
                _("le numéro de %(what)s compte %(length)d caractères, %(maximum)d au plus.")
                % {**words, "length": len(number_of(element)), "maximum": MAX_NUMBER},
            )
        )
    for attribute in ("datecrea", "datemaj"):
        try:
            values.compact_date(element.get(attribute))
        except Wrong as wrong:
            faults.append(Fault(line_of(element), f"{attribute} : {wrong}"))


def _street(address) -> str:
    """« MONORGANISME, 12 RUE du général Leclerc, BP 202 »."""
    extras = extras_of(child_of(address, "extras"))
    way = " ".join(
        values.line(_extra_text(_extra(extras, info)))
        for info in ("numero-voie", "code-nature-voie", "libelle-voie")
    )
    lines = [values.line(_text(line)) for line in address.findall(tag("ligne"))]
    parts = [*lines, " ".join(way.split()), values.line(_extra_text(_extra(extras, "ligne5-adresse")))]
    return ", ".join(dict.fromkeys(part for part in parts if part not in ("", NOT_SAID)))


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"
