"""JSON lines for the simulators: one object a line in, one a line out, in the same order."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, TextIO

from django.utils.translation import gettext as _

LONGEST_LINE = 10_000


class BadLine(ValueError):
    """A line that makes no sense; the message is French."""


def read(line: bytes, *, example: str) -> dict[str, Any]:
    """The object of one line, its numbers exact. BadLine; `example` shows what one looks like."""
    if len(line) > LONGEST_LINE:
        raise BadLine(_("Ligne de plus de %s octets.") % LONGEST_LINE)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadLine(_("Cette ligne n’est pas en UTF-8.")) from None
    if not text.strip():
        raise BadLine(_("Cette ligne est vide."))
    try:
        said = json.loads(text, parse_float=Decimal, parse_constant=_not_finite, object_pairs_hook=_once_each)
    except BadLine:
        raise
    # A number of thousands of digits is a ValueError, an exponent of as many an ArithmeticError, a nest of
    # thousands of brackets a RecursionError.
    except (ValueError, ArithmeticError, RecursionError):
        raise BadLine(_("Cette ligne n’est pas du JSON.")) from None
    if not isinstance(said, dict):
        raise BadLine(_("Une ligne est un objet JSON : %s.") % example)
    return said


def shown(value: Any) -> str:
    """What somebody wrote, short enough for a message."""
    if isinstance(value, Decimal):
        text = str(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"« {text[:40]} »"


def about(said: dict[str, Any], name: str) -> dict[str, str]:
    """A key and its value, for a message."""
    return {"key": str(name), "value": shown(said[name])}


def check_keys(said: dict[str, Any], known: tuple[str, ...]) -> None:
    """BadLine: one that nobody knows."""
    if unknown := [key for key in said if key not in known]:
        raise BadLine(
            _("Clé inconnue : %(key)s. Clés possibles : %(keys)s.")
            % {"key": shown(unknown[0]), "keys": ", ".join(known)}
        )


def check_needed(said: dict[str, Any], names: tuple[str, ...]) -> None:
    """BadLine: the first of these keys that is missing."""
    for name in names:
        if name not in said:
            raise BadLine(_("Il manque la clé « %s ».") % name)


def choice(said: dict[str, Any], name: str, allowed: Iterable[str]) -> str:
    """One of these words. BadLine."""
    words = list(allowed)
    if not isinstance(said[name], str) or said[name] not in words:
        raise BadLine(
            _("%(key)s : %(value)s n’est pas prévu (%(allowed)s).")
            % (about(said, name) | {"allowed": ", ".join(words)})
        )
    return said[name]


def whole(said: dict[str, Any], name: str, *, most: int) -> int:
    """A whole number from 0 to `most`. BadLine."""
    value = said[name]
    if type(value) is not int:
        raise BadLine(_("%(key)s : %(value)s n’est pas un nombre entier.") % about(said, name))
    if value < 0:
        raise BadLine(_("%(key)s : %(value)s est négatif.") % about(said, name))
    if value > most:
        raise BadLine(_("%(key)s : %(value)s n’est pas possible.") % about(said, name))
    return value


def flag(said: dict[str, Any], name: str) -> bool:
    """true or false; false when absent. BadLine."""
    value = said.get(name, False)
    if type(value) is not bool:
        raise BadLine(_("%(key)s : %(value)s n’est ni true ni false.") % about(said, name))
    return value


def answer_all(answer: Callable[[bytes], dict[str, Any]], *, source: BinaryIO, output: TextIO) -> None:
    """One answer a line, in order, as they come, until there is nobody left to read them."""
    if hasattr(sys.stdout, "reconfigure"):
        # A lone surrogate that somebody wrote comes back escaped, as JSON allows.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        for line in read_lines(source):
            output.write(json.dumps(answer(line), ensure_ascii=False) + "\n")
            output.flush()
    except BrokenPipeError:
        # Whoever reads has read enough; Python must not complain while it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    """Line by line; of one that is too long, its beginning, so that memory stays bounded."""
    most = LONGEST_LINE + 2
    while piece := source.readline(most):
        line = piece
        while len(piece) == most and not piece.endswith(b"\n"):
            piece = source.readline(most)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def _not_finite(constant: str) -> None:
    raise BadLine(_("« %s » n’est pas un nombre.") % constant)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadLine(_("Clé écrite deux fois : %s.") % shown(twice))
    return said
