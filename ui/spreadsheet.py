"""Files that people open in a spreadsheet: separated by semicolons, in UTF-8, without anything to compute."""

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

BYTE_ORDER_MARK = "\ufeff"
"""Without it, the usual spreadsheets read accents wrong."""
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def text(value: object) -> str:
    """Text stays text: a spreadsheet must not compute a cell that somebody else wrote."""
    cell = str(value)
    return f"'{cell}" if cell.lstrip(" ").startswith(STARTS_A_FORMULA) else cell


def amount(cents: int | None) -> str:
    """A number that a French spreadsheet can add up: 1234,50; empty stays empty."""
    if cents is None:
        return ""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100},{abs(cents) % 100:02}"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def streamed(file_name: str, rows: Iterable[list[str]]) -> StreamingHttpResponse:
    """The rows as a download, sent as they are made. Cells are made safe by `text` and `amount`."""
    writer = csv.writer(_Echo(), delimiter=";", lineterminator="\r\n")

    def lines() -> Iterator[str]:
        yield BYTE_ORDER_MARK
        for row in rows:
            yield writer.writerow(row)

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )
