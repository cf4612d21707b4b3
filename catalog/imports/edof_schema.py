"""The shape of the portal's catalogue file (EDOF, version 5r2): which elements, how many, in what order.

A table and a small checker instead of the XSD: reasons in French, on the line of the fault, all of them and
not only the first. tests/catalog/imports compares it with the official XSD on every way to break the
official example.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from django.utils.translation import gettext as _
from lxml import etree
from lxml.builder import ElementMaker

from catalog.imports.reading import line_of

NAMESPACE = "https://www.of.moncompteformation.gouv.fr"
XSD = "http://www.w3.org/2001/XMLSchema"
DATED = ("numero", "datemaj", "datecrea")

# Element → its children in order. « ? » at most one, « + » one or more, « *3 » none to three.
SEQUENCES = {
    "formation": """intitule-formation objectif-formation resultats-attendus contenu-formation
        parcours-de-formation objectif-general-formation certification action+
        organisme-formation-responsable extras""",
    "action": """niveau-entree-obligatoire modalites-enseignement conditions-specifiques? lieu-de-formation
        modalites-entrees-sorties url-action? session+ adresse-information? date-information*3 restauration?
        hebergement? transport? acces-handicapes langue-formation modalites-recrutement?
        modalites-pedagogiques? code-perimetre-recrutement? infos-perimetre-recrutement?
        nombre-heures-centre? nombre-heures-entreprise? extras""",
    "session": "periode? adresse-inscription etat-recrutement extras",
    "periode": "debut? fin?",
    "lieu-de-formation": "coordonnees extras?",
    "coordonnees": "nom prenom adresse? telfixe portable? courriel extras?",
    "adresse": "ligne+3 codepostal? ville? pays? geolocalisation? extras",
    "geolocalisation": "latitude longitude",
    "adresse-inscription": "adresse",
    "adresse-information": "adresse",
    "date-information": "date",
    "url-action": "urlweb",
    "telfixe": "numtel",
    "portable": "numtel",
    "organisme-formation-responsable": "SIRET-organisme-formation",
    "SIRET-organisme-formation": "SIRET",
}
# Element → the children it has one of; or any number of, in any order.
CHOICES = {"certification": ("code-RNCP", "code-RS", "code-CPF")}
ANY_OF = {"extras": ("extras", "extra")}
REQUIRED_ATTRIBUTES = {
    "formation": DATED, "action": DATED, "session": DATED, "coordonnees": ("numero",), "adresse": ("numero",),
}  # fmt: skip
OPTIONAL_ATTRIBUTES = {"extras": ("numero", "info")}
ANYTHING = "extra"  # any attribute, any text; below it, what the format knows keeps its shape


@dataclass(frozen=True, slots=True)
class Text:
    """What an element may say: its length, its pattern, and the words for that pattern."""

    minimum: int = 0
    maximum: int = 10_000
    pattern: str = ""
    wanted: str = ""


def _one_of(*codes: str) -> Text:
    return Text(1, 10, "|".join(codes), "/".join(codes))


DATE = Text(8, 8, r"\d{4}[019]\d[01239]\d", "AAAAMMJJ")
WHOLE = Text(1, 18, r"[+-]?\d+", "0, 1, 2…")
TEXTS = {
    "intitule-formation": Text(1, 255),
    "objectif-formation": Text(1, 3000),
    "resultats-attendus": Text(1, 3000),
    "contenu-formation": Text(1, 3000),
    "parcours-de-formation": _one_of("1", "2", "3", "4"),
    "objectif-general-formation": _one_of("6", "7", "8", "5", "9", "2", "4"),
    "code-RNCP": Text(5, 10, r"RNCP\d+", "RNCP40344"),
    "code-RS": Text(3, 10, r"RS\d+", "RS6604"),
    "code-CPF": Text(4, 10, r"CPF\d+", "CPF200"),
    "SIRET": Text(14, 14),
    "niveau-entree-obligatoire": _one_of("0", "1"),
    "modalites-enseignement": _one_of("0", "1", "2"),
    "conditions-specifiques": Text(1, 3000),
    "modalites-entrees-sorties": _one_of("0", "1"),
    "urlweb": Text(3, 400),
    "debut": DATE,
    "fin": DATE,
    "date": DATE,
    "etat-recrutement": _one_of("1", "2"),
    "restauration": Text(1, 250),
    "hebergement": Text(1, 250),
    "transport": Text(1, 250),
    "acces-handicapes": Text(1, 250),
    "langue-formation": Text(2, 2),
    "modalites-recrutement": Text(0, 3000),
    "modalites-pedagogiques": Text(0, 200),
    "code-perimetre-recrutement": _one_of(*"0123456"),
    "infos-perimetre-recrutement": Text(0, 50),
    "nombre-heures-centre": WHOLE,
    "nombre-heures-entreprise": WHOLE,
    "nom": Text(1, 50),
    "prenom": Text(1, 50),
    "ligne": Text(1, 50),
    "codepostal": Text(5, 5),
    "ville": Text(1, 50),
    "pays": Text(2, 2),
    "latitude": Text(0, 30),
    "longitude": Text(0, 30),
    "numtel": Text(1, 15, r"\+?\d+", "0123456789"),
    "courriel": Text(3, 160),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A French reason, and the line it stands on."""

    line: int
    reason: str


def name_of(element) -> str:
    """The name without its namespace; with it when the namespace is another."""
    namespace, _brace, name = element.tag.rpartition("}")
    return name if namespace == f"{{{NAMESPACE}" else element.tag


def faults(element) -> Iterator[Fault]:
    """Everything that the format forbids in this element, in the order of the file."""
    name = name_of(element)
    yield from _attribute_faults(element, name)
    if name in TEXTS:
        yield from text_faults(element, name, TEXTS[name])
        return
    if name != ANYTHING and any(text.strip() for text in _own_texts(element)):
        yield Fault(
            line_of(element), _("<%(name)s> contient du texte hors de tout élément.") % {"name": name}
        )
    if name in SEQUENCES:
        yield from _sequence_faults(element, name)
    elif name in CHOICES:
        yield from _choice_faults(element, name, CHOICES[name])
    elif name in ANY_OF:
        for child in element:
            if name_of(child) not in ANY_OF[name]:
                yield _unexpected(child, name)
    for child in element:
        if _is_known(name_of(child)):
            yield from faults(child)


def _is_known(name: str) -> bool:
    return name in TEXTS or name in SEQUENCES or name in CHOICES or name in ANY_OF or name == ANYTHING


def _own_texts(element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield child.tail or ""


def _attribute_faults(element, name: str) -> Iterator[Fault]:
    if name == ANYTHING:
        return
    required = REQUIRED_ATTRIBUTES.get(name, ())
    for attribute in required:
        if attribute not in element.attrib:
            yield Fault(
                line_of(element),
                _("<%(name)s> n'a pas d'attribut « %(attribute)s ».")
                % {"name": name, "attribute": attribute},
            )
    for attribute in element.attrib:
        if attribute not in (*required, *OPTIONAL_ATTRIBUTES.get(name, ())) and "}" not in attribute:
            yield Fault(
                line_of(element),
                _("<%(name)s> a un attribut inconnu « %(attribute)s ».")
                % {"name": name, "attribute": attribute[:60]},
            )


def text_faults(element, name: str, text: Text) -> Iterator[Fault]:
    """What is wrong with an element that only holds a text."""
    line = line_of(element)
    if len(element):
        yield _unexpected(element[0], name)
        return
    # The codes of the format are tokens: blanks around them do not count. Lengths of prose count every one.
    written = element.text or ""
    if text.pattern:
        written = written.strip()
    if not written.strip() and text.minimum:
        yield Fault(line, _("<%(name)s> est vide.") % {"name": name})
    elif len(written) > text.maximum:
        yield Fault(
            line,
            _("<%(name)s> compte %(length)d caractères, %(maximum)d au plus.")
            % {"name": name, "length": len(written), "maximum": text.maximum},
        )
    elif len(written) < text.minimum:
        yield Fault(
            line,
            _("<%(name)s> compte %(length)d caractères, %(minimum)d au moins.")
            % {"name": name, "length": len(written), "minimum": text.minimum},
        )
    elif text.pattern and not re.fullmatch(text.pattern, written, re.ASCII):
        yield Fault(
            line,
            _("<%(name)s> : « %(text)s » n'est pas une valeur permise (on attend %(wanted)s).")
            % {"name": name, "text": written[:60], "wanted": text.wanted},
        )


_PARTICLE = re.compile(r"([\w-]+)(\?|\+\d*|\*\d*)?")


def _particles(name: str) -> list[tuple[str, int, int]]:
    """(child, minimum, maximum) in order."""
    result = []
    for particle in SEQUENCES[name].split():
        child, times = _PARTICLE.fullmatch(particle).groups()
        times = times or ""
        maximum = int(times[1:]) if times[1:] else 1 if times in {"", "?"} else 1_000_000
        result.append((child, 0 if times[:1] in {"?", "*"} else 1, maximum))
    return result


PARTICLES = {name: _particles(name) for name in SEQUENCES}


def _sequence_faults(element, name: str) -> Iterator[Fault]:
    particles = PARTICLES[name]
    order = {child: index for index, (child, _minimum, _maximum) in enumerate(particles)}
    counts: dict[str, int] = dict.fromkeys(order, 0)
    reached, is_told = 0, False
    for child in element:
        child_name = name_of(child)
        if child_name not in order:
            yield _unexpected(child, name)
            continue
        counts[child_name] += 1
        maximum = particles[order[child_name]][2]
        if counts[child_name] == maximum + 1:
            yield Fault(
                line_of(child),
                _("<%(child)s> est répété : %(maximum)d au plus dans <%(name)s>.")
                % {"child": child_name, "maximum": maximum, "name": name},
            )
        if order[child_name] < reached and not is_told:
            is_told = True
            yield Fault(
                line_of(child),
                _("<%(child)s> n'est pas à sa place dans <%(name)s> : il vient avant <%(next)s>.")
                % {"child": child_name, "name": name, "next": particles[reached][0]},
            )
        reached = max(reached, order[child_name])
    for child_name, minimum, _maximum in particles:
        if counts[child_name] < minimum:
            yield Fault(
                line_of(element),
                _("<%(child)s> manque dans <%(name)s>.") % {"child": child_name, "name": name},
            )


def _choice_faults(element, name: str, choices: tuple[str, ...]) -> Iterator[Fault]:
    for child in element:
        if name_of(child) not in choices:
            yield _unexpected(child, name)
    if sum(name_of(child) in choices for child in element) != 1:
        yield Fault(
            line_of(element),
            _("<%(name)s> contient un seul élément parmi %(choices)s.")
            % {"name": name, "choices": ", ".join(f"<{choice}>" for choice in choices)},
        )


def _unexpected(child, name: str) -> Fault:
    return Fault(
        line_of(child),
        _("<%(child)s> n'est pas attendu dans <%(name)s>.") % {"child": name_of(child)[:80], "name": name},
    )


# --- Said at once ----------------------------------------------------------------------------------

SPACES = "".join(chr(code) for code in range(0x80, 0x3001) if chr(code).isspace())
"""What Python takes for blank and XML does not."""


def is_sound(element) -> bool:
    """`faults` would find nothing: the same tables, as a schema that libxml2 runs twenty times faster.

    Never true of a faulty element; false of some that have no fault, which are then looked at for nothing.
    """
    if not _schema().validate(element):
        return False
    return not any(TEXTS[name].minimum for blank in _blanks()(element) if (name := name_of(blank)) in TEXTS)


@cache
def _blanks() -> etree.XPath:
    return etree.XPath(f".//*[not(*)][not(normalize-space(translate(., '{SPACES}', '')))]")


@cache
def _schema() -> etree.XMLSchema:
    """The tables of this module, in the words of XML Schema."""
    builder = ElementMaker(namespace=XSD, nsmap={"xs": XSD, "e": NAMESPACE})
    others = {"namespace": "##other", "processContents": "skip"}  # attributes of other namespaces pass

    def attributes(required: Iterable[str] = (), optional: Iterable[str] = ()):
        for use, names in (("required", required), ("optional", optional)):
            yield from (builder.attribute(name=name, type="xs:string", use=use) for name in names)
        yield builder.anyAttribute(**others)

    def reference(name: str, minimum: int = 1, maximum: int | None = 1):
        most = "unbounded" if maximum is None else str(maximum)
        return builder.element(ref=f"e:{name}", minOccurs=str(minimum), maxOccurs=most)

    def text(name: str, told: Text):
        facets = [builder.minLength(value=str(told.minimum)), builder.maxLength(value=str(told.maximum))]
        if told.pattern:
            # Its digits are those of ASCII; a hyphen in brackets is written out.
            pattern = told.pattern.replace(r"\d", "[0-9]").replace("[+-]", r"[+\-]")
            facets.append(builder.pattern(value=pattern))
        base = "xs:token" if told.pattern else "xs:string"
        yield builder.simpleType(builder.restriction(*facets, base=base), name=f"{name}-text")
        yield builder.element(
            builder.complexType(
                builder.simpleContent(builder.extension(*attributes(), base=f"e:{name}-text"))
            ),
            name=name,
        )

    schema = builder.schema(targetNamespace=NAMESPACE, elementFormDefault="qualified")
    for name, told in TEXTS.items():
        schema.extend(text(name, told))
    groups = {
        **{
            name: builder.sequence(
                *(
                    reference(child, minimum, None if maximum == 1_000_000 else maximum)
                    for child, minimum, maximum in particles
                )
            )
            for name, particles in PARTICLES.items()
        },
        **{
            name: builder.choice(*(reference(child) for child in children))
            for name, children in CHOICES.items()
        },
        **{
            name: builder.choice(
                *(reference(child) for child in children), minOccurs="0", maxOccurs="unbounded"
            )
            for name, children in ANY_OF.items()
        },
    }
    for name, group in groups.items():
        own = attributes(REQUIRED_ATTRIBUTES.get(name, ()), OPTIONAL_ATTRIBUTES.get(name, ()))
        schema.append(builder.element(builder.complexType(group, *own), name=name))
    anything = builder.any(namespace="##any", processContents="lax", minOccurs="0", maxOccurs="unbounded")
    free = builder.anyAttribute(namespace="##any", processContents="skip")
    schema.append(
        builder.element(builder.complexType(builder.sequence(anything), free, mixed="true"), name=ANYTHING)
    )
    return etree.XMLSchema(schema)
