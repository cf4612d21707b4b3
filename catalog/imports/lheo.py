"""LHEO 2.2 and 2.3, the nation's format for training offers, read as an EDOF catalogue is (edof.py).

It says more than the portal keeps (domains, publics, funders) and asks less: a price, numbers and the state
of a session may be missing. What an offer of the portal cannot do without is refused where it is missing.
"""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _
from lxml import etree

from catalog.imports import edof, values
from catalog.imports.actions import Action
from catalog.imports.edof import child_of, number_of, said, tag, text_of
from catalog.imports.edof_schema import TEXTS, Fault, Text, text_faults
from catalog.imports.reading import line_of
from catalog.imports.values import Wrong
from rulebook import Rules

INDEX = "lheo-index"  # summaries of offers, and organisations (imports/providers.py)
NO_CERTIF_INFO = {"", "-", "-1", "0"}  # nothing is meant, in files that must say something
CERTIFICATIONS_MAX = 5  # the format's own
NAMESPACES = ("http://www.lheo.org/2.2", "http://lheo.gouv.fr/2.3")

# Every element of LHEO 2.3: another name is a slip, and what it holds would be lost without a word.
_NAMES = """
    SIRET SIRET-formateur SIRET-lieu-formation SIRET-organisme-formation a-distance acces-handicapes
    action adresse adresse-information adresse-inscription alternance annee-cycle bloc-competences
    blocs-competences capacite-cumulee capacite-simultanee certifiante certification civilite
    code-CERTIFINFO code-CPF code-ELU code-FORMACODE code-INSEE-canton code-INSEE-commune code-NSF
    code-RNCP code-ROME code-RS code-UAI code-UAI-formateur code-UAI-lieu-formation
    code-UAI-organisme-formation code-bloc code-financeur code-modalite-pedagogique code-niveau-entree
    code-niveau-sortie code-perimetre-recrutement code-public-vise code-type-formation codepostal
    commentaire conditions-specifiques contact-formateur contact-formation contact-formation-resume
    contact-organisme contact-session contenu-formation conventionnement coordonnees
    coordonnees-organisme courriel cout-indicatif-equipement cycle date date-information debut
    denomination departement detail-conditions-prise-en-charge domaine-formation duree-conventionnee
    duree-cycle duree-indicative effectif-minimal enseignement equipement etat-recrutement extra extras
    fax fin formation frais-restants geolocalisation hebergement heure-debut heure-fin
    identifiant-module info-public-vise infos-perimetre-recrutement intitule-formation langue-formation
    latitude lheo lheo-index lheo-plus libelle-bloc libelle-enseignement lieu-de-formation ligne
    longitude modalite-recrutement modalites-alternance modalites-enseignement modalites-entrees-sorties
    modalites-inscription modalites-pedagogiques modalites-recrutement modules-prerequis nb-places
    nb-places-financees niveau-entree-obligatoire nom nom-organisme nombre-heures-centre
    nombre-heures-entreprise nombre-heures-total numero-activite numtel objectif-formation
    objectif-general-formation obligatoire offres organisme-financeur organisme-formateur
    organisme-formation-responsable parcours-de-formation pays periode periode-inscription portable
    positionnement potentiel prenom prise-en-charge-frais-possible prix-horaire-TTC prix-total-TTC
    raison-sociale raison-sociale-formateur recrutement reference-certification
    reference-code-CERTIFINFO reference-code-FORMACODE reference-code-RNCP reference-code-RS
    reference-module region renseignements-specifiques restauration resultats-attendus resume-offre
    resume-organisme resumes-offres resumes-organismes rythme-alternance rythme-formation session
    sous-module sous-modules telfixe transport type-alternance type-contact type-cycle type-enseignement
    type-equipement type-module unite-rythme-alternance unites-centre unites-entreprise url-action
    url-formation url-session urlweb validation-blocs ville web"""
NAMES = frozenset(_NAMES.split())
# What an offer of the portal is made of, and cannot be without.
NEEDED = {
    "formation": ("intitule-formation", "action", "organisme-formation-responsable"),
    "action": ("modalites-enseignement", "modalites-entrees-sorties", "session"),
    "organisme-formation-responsable": ("SIRET-organisme-formation",),
    "SIRET-organisme-formation": ("SIRET",),
}
# What is read of it, and how it is written; a text may be empty where the portal's own format wants one.
READ = {
    name: TEXTS[name]
    for name in (
        *("intitule-formation", "SIRET", "modalites-enseignement", "modalites-entrees-sorties", "codepostal"),
        *("ville", "nombre-heures-centre", "nombre-heures-entreprise"),
    )
} | {
    "objectif-formation": Text(0, 3000),
    "resultats-attendus": Text(0, 3000),
    "contenu-formation": Text(0, 3000),
    "conditions-specifiques": Text(0, 3000),
    "acces-handicapes": Text(0, 250),
    "modalites-recrutement": Text(0, 3000),
    "etat-recrutement": Text(1, 10, "[123]", "1/2/3"),
    "nombre-heures-total": TEXTS["nombre-heures-centre"],
    "langue-formation": TEXTS["langue-formation"],
}


def actions(training, rules: Rules) -> Iterator[Action]:
    """Every action of one `<formation>`; without any, it is one of its own, to be refused."""
    yield from Training(training, rules).actions()


def shape(element) -> Iterator[Fault]:
    """What keeps this element from being read, in the order of the file."""
    for each in element.iter(etree.Element):
        name = etree.QName(each).localname
        if name not in NAMES:
            yield Fault(line_of(each), _("<%(name)s> n'est pas un élément de LHEO.") % {"name": name[:80]})
        elif name in READ and each.getparent().tag != _extra_of(each):
            yield from text_faults(each, name, READ[name])
        for child in NEEDED.get(name, ()):
            if child_of(each, child) is None:
                yield Fault(
                    line_of(each),
                    _("<%(child)s> manque dans <%(name)s>.") % {"child": child, "name": name},
                )
        if name in ("formation", "action") and not number_of(each):
            yield Fault(
                line_of(each),
                _("<%(name)s> n'a pas d'attribut « numero », par lequel le portail la reconnaît.")
                % {"name": name},
            )


class Training(edof.Training):
    shape = staticmethod(shape)
    is_sound = staticmethod(lambda element: next(shape(element), None) is None)

    @staticmethod
    def reader(element, action: Action) -> "ActionReader":
        return ActionReader(element, action)

    def _read_certification(self) -> tuple[str, str, int]:
        """One certification of the registers: RNCP before RS, whatever else is named beside.

        Without either, a code of the portal; else Certif Info's number, which our own data leads to one.
        """
        codes: dict[str, int] = {}
        for name, register in (("code-RNCP", "RNCP"), ("code-RS", "RS")):
            for element in self.element.findall(f"{tag('certification')}/{tag(name)}"):
                written = values.line(element.text).upper().removeprefix(register).strip()
                if re.fullmatch(r"\d{1,6}", written, re.ASCII):
                    codes.setdefault(f"{register}{int(written)}", line_of(element))
                elif written:
                    self.faults.append(
                        Fault(
                            line_of(element),
                            _("<%(name)s> : « %(text)s » n'est pas un numéro du répertoire.")
                            % {"name": name, "text": values.short(written)},
                        )
                    )
        if len(codes) > 1:
            self.faults.append(
                Fault(
                    max(codes.values()),
                    _("deux certifications : %(codes)s. Une offre du portail en prépare une.")
                    % {"codes": ", ".join(codes)},
                )
            )
        if codes:
            code = next(iter(codes))
            return code, "", codes[code]
        for element in self.element.iter(tag("code-CPF")):
            if (code := values.line(element.text)) in self.rules.portal_code_kinds:
                return "", code, line_of(element)
        named: dict[str, int] = {}
        for element in self.element.findall(f"{tag('certification')}/{tag('code-CERTIFINFO')}"):
            if (code := values.line(element.text)) not in NO_CERTIF_INFO:
                named.setdefault(code, line_of(element))
        if len(named) > CERTIFICATIONS_MAX:
            self.faults.append(
                Fault(
                    list(named.values())[CERTIFICATIONS_MAX],
                    _("plus de %(most)d certifications : le format en admet %(most)d par formation.")
                    % {"most": CERTIFICATIONS_MAX},
                )
            )
            return "", "", line_of(self.element)
        if named:
            self.certif_info = tuple(named)
            return "", "", next(iter(named.values()))
        self.faults.append(
            Fault(
                line_of(self.element),
                _("aucun numéro RNCP ou RS ni code d'action du portail (CPF200…) ne dit ce qu'elle prépare."),
            )
        )
        return "", "", line_of(self.element)


class ActionReader(edof.ActionReader):
    def read(self) -> None:
        super().read()
        obligatory = text_of(self.element, "niveau-entree-obligatoire").strip() == "1"
        self.action.fields["has_prerequisites"] = obligatory
        if not self.action.fields["rhythms"]:
            del self.action.fields["rhythms"]  # prose here: those that were told by hand stay

    def _read_price(self) -> None:
        """The whole price; or that of an hour, for as many hours."""
        self.action.fields |= {"price_cents": 0, "vat_per_mille": 0, "extra_fees_cents": 0}
        for name, times in (("prix-total-TTC", 1), ("prix-horaire-TTC", self.action.fields["hours"])):
            element = child_of(self.element, name)
            if element is None or not (element.text or "").strip() or not times:
                continue
            try:
                self.action.fields["price_cents"] = values.cents(element.text) * times
            except Wrong as wrong:
                self._fault(element, f"<{name}> : {wrong}")
            return
        self._fault(
            self.element,
            _("le prix manque : <prix-total-TTC>, ou <prix-horaire-TTC> et le nombre d'heures."),
        )

    def _hours(self) -> int | None:
        total = child_of(self.element, "nombre-heures-total")
        if total is not None and values.line(total.text).isdecimal():
            try:
                return values.whole(values.line(total.text), maximum=edof.MAX_HOURS)
            except Wrong as wrong:
                self._fault(total, f"<nombre-heures-total> : {wrong}")
        return super()._hours()

    def _level_element(self):
        return child_of(self.element.getparent(), "code-niveau-entree")

    def _accessibility(self) -> str:
        written = said(self.element, "acces-handicapes").strip()
        return "" if written.isdecimal() else written

    def _contact(self):
        training = self.element.getparent()
        found = training.find(f"{tag('contact-formation')}/{tag('coordonnees')}")
        return found if found is not None and child_of(found, "courriel") is not None else super()._contact()

    def _session_number(self, element) -> str:
        """Its own, or its dates: the same session keeps it from one file to the next."""
        if number := number_of(element):
            return number
        period = child_of(element, "periode")
        days = (text_of(period, name).strip() for name in ("debut", "fin"))
        return "-".join(day for day in days if re.fullmatch(r"\d{8}", day, re.ASCII)) or "1"


def _extra_of(element) -> str:
    """What is written inside an `<extra>` has no shape."""
    return f"{{{etree.QName(element).namespace}}}extra"
