"""Rows of CSV files: the one owner of how text of others, such as names of files, stands in them.

A spreadsheet takes a cell that begins with = + - or @ for a formula and runs it. Such text gets an apostrophe before it, which
spreadsheets take as "this is text", and `read_cell` takes it away. Numbers stay as they are.
"""

import re
from collections.abc import Iterable

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def csv_row(values: Iterable) -> str:
    r"""Return values as one line of CSV, which ends in a line feed; None is an empty cell.

    Example:
        >>> csv_row(["a,b", -0.5, None, True, "=1+1"])
        '"a,b",-0.5,,True,\'=1+1\n'
    """
    return ",".join(map(_cell, values)) + "\n"


def read_cell(text: str) -> str:
    """Return the text that `csv_row` made a cell of.

    Example:
        >>> read_cell("'=1+1"), read_cell("'quoted'")
        ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _cell(value) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = f"'{value}" if _FORMULA.match(value) else value
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\r\n') else text
