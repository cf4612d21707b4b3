"""An organisation's catalogue as a file of the portal's format (EDOF 5r2), which `import_catalogue` reads.

Read back, an offer is what it was. What the format asks and an offer does not say stands there as a blank
that the importer knows (`actions.NOT_SAID` and its like). Drafts and archived offers are left out; one that
the format cannot say is left out too, and named.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import groupby

from django.utils.translation import gettext as _
from lxml import etree

from catalog.geography import degrees_of
from catalog.imports.actions import LEVELS, MODES, NO_EMAIL, NO_PHONE, NOT_SAID, RHYTHMS
from catalog.imports.edof_schema import NAMESPACE, TEXTS
from catalog.models import Offer, Provider, Session
from rulebook import workdays

PARTS = 200
"""Offers read at a time: an organisation may have thousands."""
MODE_CODES = {mode: code for code, mode in MODES.items()}
RHYTHM_CODES = {rhythm: code for code, rhythm in RHYTHMS.items()}
# Of the codes that mean the same level, the last: the European one. None asked is « 1 ».
LEVEL_CODES = {level: code for code, level in LEVELS.items() if level} | {0: "1"}
FRENCH = "fr"
OPEN, CLOSED = "1", "2"
NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# What the format wants and the portal does not keep: « parcours collectif », « certification ».
GROUP_COURSE, TO_CERTIFY = "1", "6"
MOST_LINES, LINE_MAX = 3, 50


@dataclass(slots=True)
class Exported:
    """What was written: how many offers, and those that were left out, each with why."""

    offers: int = 0
    left_out: list[tuple[Offer, str]] = field(default_factory=list)


def preview(provider: Provider) -> Exported:
    """What `export` would write and leave out."""
    told = Exported()
    told.offers = sum(1 for _offer in _kept(provider, told))
    return told


def export(provider: Provider, *, into: Exported | None = None) -> Iterator[bytes]:
    """The file, a part at a time, in UTF-8. `into` is told what was written and left out."""
    told = into if into is not None else Exported()
    out = _Parts()
    with etree.xmlfile(out, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element("lheo", nsmap={None: NAMESPACE}), xml.element("offres"):
            for formation in _trainings(provider, told):
                xml.write(formation, pretty_print=True)
                yield from out.take()
    yield from out.take()


class _Parts(BytesIO):
    """What was written since it was last taken."""

    def take(self) -> Iterator[bytes]:
        written = self.getvalue()
        self.seek(0)
        self.truncate()
        if written:
            yield written


def _kept(provider: Provider, told: Exported) -> Iterator[Offer]:
    """The offers that the format can say, those of one training side by side; the others are told."""
    offers = (
        Offer.objects.filter(provider=provider, is_draft=False, archived_at=None, withheld_for="")
        .select_related("provider__organisation", "town")
        .prefetch_related("sessions")
        .order_by("training_number", "title", "action_number")
    )
    return (offer for offer in offers.iterator(chunk_size=PARTS) if _can_be_said(offer, told))


def _trainings(provider: Provider, told: Exported) -> Iterator[etree._Element]:
    # Texts stand on each offer: those that share them all are actions of one training again.
    for _shared, actions in groupby(_kept(provider, told), key=_shared_by_a_training):
        told_of = list(actions)
        told.offers += len(told_of)
        yield _formation(told_of)


def _shared_by_a_training(offer: Offer) -> tuple:
    return (
        *(offer.training_number, offer.title, offer.objectives, offer.expected_results, offer.content),
        *(offer.summary, offer.certification_id, offer.portal_code, tuple(offer.block_codes)),
        offer.particulars.get("course", GROUP_COURSE),
    )


def _can_be_said(offer: Offer, told: Exported) -> bool:
    sessions = list(offer.sessions.all())
    if not sessions:
        why = _("elle n’a aucune session, et le format en veut une.")
    elif len({session.is_permanent for session in sessions}) > 1:
        why = _("elle mêle des dates et une entrée à tout moment, que le format sépare.")
    elif offer.mode != Offer.Mode.DISTANCE and not (offer.postal_code and offer.town_name):
        why = _("son lieu n’a ni code postal ni ville.")
    elif too_long := next((name for name, text, most in _texts(offer) if len(text) > most), None):
        why = _("« %(name)s » est plus long que le format ne l’admet.") % {"name": too_long}
    else:
        return True
    told.left_out.append((offer, why))
    return False


def _texts(offer: Offer) -> Iterable[tuple[str, str, int]]:
    """(what it is, the text, how long it may be)."""
    return (
        (_("objectifs"), offer.objectives, TEXTS["objectif-formation"].maximum),
        (_("contenu"), offer.content, TEXTS["contenu-formation"].maximum),
        (_("résultats attendus"), offer.expected_results, TEXTS["resultats-attendus"].maximum),
        (_("résumé"), offer.summary, 3000),
        (_("prérequis"), offer.prerequisites, TEXTS["conditions-specifiques"].maximum),
        (_("admission"), offer.admission, 250),
        (_("accessibilité"), offer.accessibility, 250),
    )


# --- Elements, in the order of the format -------------------------------------------------------------


def _element(name: str, text: str | None = None, **attributes: str) -> etree._Element:
    made = etree.Element(f"{{{NAMESPACE}}}{name}", attributes, nsmap={None: NAMESPACE})
    if text is not None:
        made.text = NOT_XML.sub("", text)
    return made


def _told(name: str, text: str | None) -> etree._Element | None:
    return _element(name, text) if text else None


def _with(name: str, *children: etree._Element | None, **attributes: str) -> etree._Element:
    made = _element(name, **attributes)
    made.extend(child for child in children if child is not None)
    return made


def _extras(info: str, *children: etree._Element | None) -> etree._Element:
    return _with("extras", *children, info=info)


def _extra(info: str, text: str) -> etree._Element | None:
    return _element("extra", text, info=info) if text else None


def _numbered(name: str, number: str, offer: Offer, *children: etree._Element | None) -> etree._Element:
    day = f"{workdays.paris_day(offer.updated_at):%Y%m%d}"
    return _with(name, *children, numero=number, datemaj=day, datecrea=day)


def _formation(offers: list[Offer]) -> etree._Element:
    first = offers[0]
    code = first.certification_id or first.portal_code
    register = "code-CPF" if first.portal_code else f"code-{code.rstrip('0123456789')}"
    return _numbered(
        "formation",
        first.training_number,
        first,
        _element("intitule-formation", first.title),
        _element("objectif-formation", first.objectives or NOT_SAID),
        _element("resultats-attendus", first.expected_results or NOT_SAID),
        _element("contenu-formation", first.content or NOT_SAID),
        _element("parcours-de-formation", first.particulars.get("course", GROUP_COURSE)),
        _element("objectif-general-formation", TO_CERTIFY),
        _with("certification", _element(register, code)),
        *(_action(offer) for offer in offers),
        _with(
            "organisme-formation-responsable",
            _with("SIRET-organisme-formation", _element("SIRET", first.provider.organisation.siret)),
        ),
        _extras(
            "formation",
            _extra("resume-contenu", first.summary),
            _extras("blocs-competences", *(_extra("code-bloc", block) for block in first.block_codes))
            if first.block_codes
            else None,
        ),
    )


def _action(offer: Offer) -> etree._Element:
    sessions = sorted(offer.sessions.all(), key=lambda session: session.number)
    told = offer.particulars
    in_company = min(told.get("company_hours", 0), offer.hours or 0)
    return _numbered(
        "action",
        offer.action_number,
        offer,
        _element("niveau-entree-obligatoire", "0"),
        _element("modalites-enseignement", MODE_CODES[offer.mode]),
        _element("conditions-specifiques", offer.prerequisites) if offer.prerequisites else None,
        _with("lieu-de-formation", _coordinates(offer, _address(offer))),
        _element("modalites-entrees-sorties", "1" if sessions[0].is_permanent else "0"),
        _with("url-action", _element("urlweb", offer.url)) if offer.url else None,
        *(_session(offer, session) for session in sessions),
        _told("restauration", told.get("meals")),
        _told("hebergement", told.get("housing")),
        _told("transport", told.get("transport")),
        _element("acces-handicapes", "0"),
        _element("langue-formation", (offer.languages or [FRENCH])[0].upper()),
        _told("modalites-pedagogiques", told.get("pedagogy")),
        _element("nombre-heures-centre", str(offer.hours - in_company)) if offer.hours is not None else None,
        _element("nombre-heures-entreprise", str(in_company)) if in_company else None,
        _extras(
            "action",
            _with("extra", _coordinates(offer, None), info="contact-information"),
            _extra("modalites-handicap", offer.accessibility),
            _extra("info-admission", offer.admission),
            _extras(
                "frais-pedagogiques",
                _extra("taux-tva", f"{offer.vat_per_mille / 10:g}"),
                _extra("frais-ttc", _euros(offer.price_cents)),
            ),
            _extra("frais-anpec", _euros(offer.extra_fees_cents)) if offer.extra_fees_cents else None,
            _extra("frais-certif-inclus-frais-anpec", "1" if told.get("exam_in_fees") else ""),
            _extra("detail-frais-anpec", told.get("fees", "")),
            _extra("existence-prerequis", "1" if offer.has_prerequisites else "0"),
            _extras(
                "codes-rythme-formation",
                *(_extra("code-rythme-formation", RHYTHM_CODES[rhythm]) for rhythm in offer.rhythms),
            )
            if offer.rhythms
            else None,
            *_more_languages(offer),
            _extra("code-niveau-entree", LEVEL_CODES.get(offer.entry_level, "")),
        ),
    )


def _more_languages(offer: Offer) -> list[etree._Element]:
    """Where the format's one language does not say it: each in an extra, or one empty extra for none."""
    if len(offer.languages) == 1:
        return []
    return [_element("extra", code.upper(), info="langue-formation") for code in offer.languages or [""]]


def _coordinates(offer: Offer, address: etree._Element | None) -> etree._Element:
    # Who answers is not kept by name: the organisation does.
    phone = re.sub(r"(?!^\+)\D", "", offer.contact_phone)[: TEXTS["numtel"].maximum]
    return _with(
        "coordonnees",
        _element("nom", offer.provider.organisation.name[: TEXTS["nom"].maximum]),
        _element("prenom", NOT_SAID),
        address,
        _with("telfixe", _element("numtel", phone or NO_PHONE)),
        _element("courriel", offer.contact_email or NO_EMAIL),
        numero="1",
    )


def _address(offer: Offer) -> etree._Element | None:
    """Where it takes place; nothing at a distance. Its lines, joined again, are the address."""
    if offer.mode == Offer.Mode.DISTANCE:
        return None
    lines, way, rest = _lines(offer.address)
    position = None
    if offer.point and offer.town and offer.point != offer.town.point:
        latitude, longitude = degrees_of(offer.point, department=offer.town.department)
        position = _with(
            "geolocalisation",
            _element("latitude", f"{latitude:.7f}"),
            _element("longitude", f"{longitude:.7f}"),
        )
    return _with(
        "adresse",
        *(_element("ligne", line) for line in lines),
        _element("codepostal", offer.postal_code),
        _element("ville", offer.town_name[: TEXTS["ville"].maximum]),
        position,
        _extras(
            "adresse",
            _extra("libelle-voie", way),
            _extra("ligne5-adresse", rest),
            _extra("accessibilite-batimentaire", offer.particulars.get("building", "")),
            _extra("conformite-reglementaire", "1" if offer.particulars.get("complies") else ""),
        ),
        numero="1",
    )


def _lines(address: str) -> tuple[list[str], str, str]:
    """One to three lines of fifty letters, the street and what follows it: joined by commas, the address."""
    parts = address.split(", ") if address else [NOT_SAID]
    if len(parts[0]) > LINE_MAX:
        return [NOT_SAID], address, ""
    lines = [parts.pop(0)]
    while len(parts) > 2 and len(lines) < MOST_LINES and len(parts[0]) <= LINE_MAX:
        lines.append(parts.pop(0))
    return lines, parts[0] if parts else "", ", ".join(parts[1:])


def _session(offer: Offer, session: Session) -> etree._Element:
    dates = (session.starts_on, session.ends_on)
    return _numbered(
        "session",
        session.number,
        offer,
        _with(
            "periode",
            *(
                _element(name, f"{day:%Y%m%d}")
                for name, day in zip(("debut", "fin"), dates, strict=True)
                if day
            ),
        )
        if any(dates)
        else None,
        _with(
            "adresse-inscription",
            _with("adresse", _element("ligne", NOT_SAID), _extras("adresse"), numero="1"),
        ),
        # Suspended or closed: nobody may enrol.
        _element("etat-recrutement", OPEN if session.is_open else CLOSED),
        _extras(
            "session",
            _extra("garantie", "1" if session.is_guaranteed else "0"),
            _extra("modalites-particulieres", session.details),
        ),
    )


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
