"""An organisation's texts: what imports keep with a few tags, people write and read again as plain text."""

import html
import re

# A tag ends before the next one begins: looking further would take as long as the square of the text.
MARKUP = re.compile(r"</?[a-zA-Z!][^<>]*>")
_ENDS = re.compile(r"</(?:p|ul|ol|div|h[1-6])\s*>|<(?:ul|ol|p|div|h[1-6])\b[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)


def has_markup(text: str) -> bool:
    """Tags that a browser would read. « < 3 ans » holds none."""
    return MARKUP.search(text) is not None


def plain(text: str) -> str:
    """The same text without its tags: paragraphs apart by an empty line, items of a list behind a dash."""
    if not has_markup(text):
        return text
    text = re.sub(r"\s+", " ", text)
    text = _ENDS.sub("\n\n", text)
    text = _ITEM.sub("\n- ", _BREAK.sub("\n", text))
    text = html.unescape(MARKUP.sub("", text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace("\n\n- ", "\n- ").strip()
