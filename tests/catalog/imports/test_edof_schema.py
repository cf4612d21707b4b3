"""Our table against the official XSD: every way to break the official example, judged by both."""

import copy

import pytest
from lxml import etree

from catalog.imports import edof_schema
from catalog.imports.edof_schema import NAMESPACE

TAG = f"{{{NAMESPACE}}}"
TEXTS = [
    "", "x", "0", "1", "2", "9", "20270100", "20271301", "-3", "+4", "RNCP", "RS12345678901", "é" * 51,
    "x" * 201, "x" * 256, "x" * 3001, "+33123", "12345678901234567",
]  # fmt: skip


@pytest.fixture(scope="module")
def official(shared_data):
    folder = shared_data / "edof"
    schema = etree.XMLSchema(etree.parse(folder / "lheo_import_fichier_xml_optimise_v5r2.xsd"))
    example = etree.parse(folder / "Exemple_de_catalogue_a_importer_v7r0.xml")
    return schema, example


def ours(document) -> bool:
    return not any(
        True for training in document.iter(f"{TAG}formation") for _fault in edof_schema.faults(training)
    )


def test_the_example_as_given_is_well_formed_for_both(official):
    schema, example = official
    assert schema.validate(example) and ours(example)


def mutants(example):
    """(what was done, document): for every element of the first training that our table knows."""
    example = copy.deepcopy(example)
    first, *others = example.iter(f"{TAG}formation")
    for other in others:
        other.getparent().remove(other)
    paths = [example.getpath(element) for element in first.iter()]
    for path in paths:

        def fresh(path=path):
            document = copy.deepcopy(example)
            return document, document.xpath(path)[0]

        document, element = fresh()
        name = f"{etree.QName(element).localname} {element.get('info', '')}"
        is_record = element.getparent().tag == f"{TAG}offres"  # what stands beside it is the reader's matter
        if not is_record:
            element.getparent().remove(element)
            yield f"without {name}", document
        document, element = fresh()
        element.addnext(copy.deepcopy(element))
        yield f"twice {name}", document
        for tag in () if is_record else (f"{TAG}inconnu", "{autre}" + etree.QName(element).localname):
            document, element = fresh()
            element.tag = tag
            yield f"{name} as {tag}", document
        document, element = fresh()
        element.set("surprise", "1")
        yield f"attribute on {name}", document
        for attribute in list(element.attrib):
            document, element = fresh()
            element.attrib.pop(attribute, None)
            yield f"{name} without {attribute}", document
        document, element = fresh()
        if (following := element.getnext()) is not None:
            following.addnext(element)
            yield f"{name} after its next", document
        document, element = fresh()
        element.insert(0, etree.Element(f"{TAG}nom"))
        yield f"child in {name}", document
        for text in TEXTS:
            document, element = fresh()
            for child in list(element):
                element.remove(child)
            element.text = text
            yield f"{name} says {text[:20]!r} ({len(text)})", document


def test_both_agree_on_every_broken_copy_of_the_example(official):
    schema, example = official
    refused, disagreements = 0, []
    for what, document in mutants(example):
        theirs = schema.validate(document)
        refused += not theirs
        if theirs != ours(document):
            disagreements.append((what, "allowed by the XSD" if theirs else str(schema.error_log.last_error)))
    assert refused > 1000
    assert disagreements == []


# Blank for Python, digits of another alphabet, blanks around a code: where two readers could differ.
STRANGE = [
    "\u00a0",
    "\u2003 ",
    "\u0663",
    " 1 ",
    "1\u00a0",
    "2027٠١01",
    "\n",
    "é",
    "RNCP٣٤٥",
    "\U0001f600" * 51,
]


def strange(example):
    """(what was done, document): texts that two readers could take for different things."""
    for element in example.iter():
        path = example.getpath(element)
        for text in STRANGE:
            document = copy.deepcopy(example)
            found = document.xpath(path)[0]
            if len(found):
                found[0].tail = text
            else:
                found.text = text
            yield f"{etree.QName(element).localname} says {text!r}", document


def test_what_is_said_at_once_to_be_sound_has_no_fault(official):
    _schema, example = official
    sound, unseen, wrong = 0, [], []
    first = copy.deepcopy(example)
    for other in list(first.iter(f"{TAG}formation"))[1:]:
        other.getparent().remove(other)
    for what, document in (*mutants(example), *strange(first)):
        for training in document.iter(f"{TAG}formation"):
            has_fault = next(edof_schema.faults(training), None) is not None
            if edof_schema.is_sound(training):
                sound += 1
                wrong += [what] * has_fault
            elif not has_fault:
                unseen.append(what)
    assert wrong == []
    assert sound > 1000, "and most of what is sound is said so at once"
    assert len(unseen) < sound / 20, unseen
