"""Tables as spreadsheets write them: commas, semicolons or tabs, decimal points or commas."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from vanhove.errors import DataError
from vanhove.untrusted import TYPOGRAPHIC, read_file

_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+|[+-]?\d{1,3}(?:,\d{3})+\.\d+")


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or the code page of Western Europe.

    Raises:
        DataError: it cannot be read.
    """
    content = read_file(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace").lstrip("\ufeff")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def comments(text: str) -> dict[str, str]:
    """``# unit: cm-1`` -> ``{"unit": "cm-1"}``; a spreadsheet pads such a line, or quotes it."""
    found = {}
    for line in text.splitlines():
        line = line.strip().strip('"').rstrip(';,\t" ')
        if line.startswith("#") and ":" in line:
            key, _, value = line[1:].partition(":")
            found[key.strip().lower()] = value.strip().strip('"')
    return found


def rows(text: str, name: str) -> list[list[str]]:
    """The cells of each row that is no comment, stripped, decimal commas as points.

    The separator is the one of the first row: a semicolon, a tab, or else a comma.

    Raises:
        DataError: decimal commas between commas, or commas and points mixed in numbers.
    """
    text = text.translate(TYPOGRAPHIC)
    lines = [x for x in text.splitlines() if x.strip(';,\t "') and x.lstrip(' "')[:1] != "#"]
    if not lines:
        return []
    separator = next((s for s in (";", "\t") if s in lines[0]), ",")
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    cells = [cell for row in table for cell in row]
    if any(_THOUSANDS.fullmatch(cell) for cell in cells):
        raise DataError(f"{name}: numbers with separators of thousands; write them without")
    if any(_COMMA.fullmatch(cell) for cell in cells):
        if any(_POINT.fullmatch(cell) for cell in cells):
            raise DataError(
                f"{name}: decimal commas and decimal points in one table; use one of them"
            )
        table = [
            [cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for cell in row]
            for row in table
        ]
    width = len(table[0])
    while width > 1 and not any(row[width - 1 : width] not in ([], [""]) for row in table):
        width -= 1  # empty columns at the end
    return [row[:width] if not any(row[width:]) else row for row in table]
