"""tantivy in its own process and environment: indexes offers, answers questions, says how long each took.

Talks with benchmarks/search.py in JSON lines: {"index": FILE} → {"indexed": n, "seconds": s};
{"ask": [question, …]} → {"ms": [...], "hits": [...]}. A line of the file is an offer: title, names, text, x,
y, price, starts (days since 1970). A question: words, and x, y, metres, price, day or null.
"""

import json
import sys
import tempfile
import time

import tantivy
from tantivy import FieldType, Filter, Occur, Query, SchemaBuilder, Tokenizer

PAGE = 20
HEAP = 512 * 2**20
FAR = 2**40


def french() -> tantivy.TextAnalyzer:
    """What `portal_french` does: accents folded, small words left out, stems."""
    analyzer = tantivy.TextAnalyzerBuilder(Tokenizer.simple())
    for step in (
        Filter.lowercase(),
        Filter.stopword("french"),
        Filter.ascii_fold(),
        Filter.stemmer("french"),
    ):
        analyzer = analyzer.filter(step)
    return analyzer.build()


def make_index() -> tantivy.Index:
    schema = SchemaBuilder()
    for name in ("title", "names", "text"):
        schema.add_text_field(name, stored=False, tokenizer_name="french")
    for name in ("x", "y", "price", "start"):
        schema.add_integer_field(name, indexed=True, fast=True)
    index = tantivy.Index(schema.build(), path=tempfile.mkdtemp(prefix="tantivy-"))
    index.register_tokenizer("french", french())
    return index


def fill(index: tantivy.Index, file: str) -> int:
    writer, count = index.writer(HEAP, 1), 0
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            offer = json.loads(line)
            document = tantivy.Document()
            for name in ("title", "names", "text"):
                document.add_text(name, offer[name] or "")
            for name in ("x", "y", "price"):
                document.add_integer(name, round(offer[name]) if offer[name] is not None else -FAR)
            for day in offer["starts"]:
                document.add_integer("start", day)
            writer.add_document(document)
            count += 1
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return count


def question(index: tantivy.Index, asked: dict) -> Query:
    parts = [
        (
            Occur.Must,
            index.parse_query(word, ["title", "names", "text"], field_boosts={"title": 4.0, "names": 2.0}),
        )
        for word in asked["words"].split()
    ]

    def between(name: str, least: int, most: int) -> None:
        parts.append((Occur.Must, Query.range_query(index.schema, name, FieldType.Integer, least, most)))

    if asked["x"] is not None:
        between("x", round(asked["x"] - asked["metres"]), round(asked["x"] + asked["metres"]))
        between("y", round(asked["y"] - asked["metres"]), round(asked["y"] + asked["metres"]))
    if asked["price"] is not None:
        between("price", 0, asked["price"])
    if asked["day"] is not None:
        between("start", asked["from_day"], asked["day"])
    return Query.boolean_query(parts)


def main() -> None:
    index = make_index()
    searcher = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "index" in asked:
            begun = time.perf_counter()
            count = fill(index, asked["index"])
            searcher = index.searcher()
            answer = {"indexed": count, "seconds": time.perf_counter() - begun}
        else:
            spent, hits = [], []
            for each in asked["ask"]:
                begun = time.perf_counter()
                found = searcher.search(question(index, each), PAGE)
                spent.append((time.perf_counter() - begun) * 1000)
                hits.append(len(found.hits))
            answer = {"ms": spent, "hits": hits}
        print(json.dumps(answer), flush=True)


main()
