"""Tables in files: CSV with any usual separator and encoding, or Parquet, told apart by content. Bad lines keep their number.

What Excel writes is read as it is: a byte order mark, semicolons and decimal commas, tabs, UTF-16, Windows-1252, `sep=;`.
"""

import csv
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from fer_keras.readers.embedded_images import holds_images
from fer_keras.readers.listing import Notes
from fer_keras.readers.opening import read_head

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_BLOCK = 1 << 26  # a line of fer2013.csv holds 8 kB of pixels; the default block of 1 MB would cost a hundred passes
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)


@dataclass
class FileTable:
    """A table as its file holds it.

    Attributes:
        path: of the file.
        table: the rows; cells of a CSV file are text. Two columns can have one name, see `column`.
        bad_lines: (line number, reason) of the lines that are no row.
        notes: what was decided, such as an encoding, where it could be wrong.
        decimal_comma: whether numbers may be written "0,5".
        metadata: of a Parquet file's schema.
    """

    path: Path
    table: pa.Table
    bad_lines: list[tuple[int, str]] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    decimal_comma: bool = False
    metadata: dict = field(default_factory=dict)
    _lines: list[int] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return self.table.column_names

    def find(self, names: Sequence[str]) -> str | None:
        """Return the column that goes by one of these names, the first ones first; case and outer space do not count."""
        plain = {name.strip().casefold(): name for name in reversed(self.names)}
        exact = next((name for name in names if name in self.names), None)
        return exact or next((plain[name.casefold()] for name in names if name.casefold() in plain), None)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column.

        Raises:
            ValueError: two columns of that name with different values.
        """
        places = [place for place, other in enumerate(self.names) if other == name]
        columns = [self.table.column(place) for place in places]
        if any(not column.equals(columns[0]) for column in columns[1:]):
            numbers = " and ".join(str(place + 1) for place in places)
            raise ValueError(
                f"{self.path} has the column {name!r} {len(places)} times with different values. Expected it once. "
                f"Received: columns {numbers}. Remove or rename the wrong one."
            )
        if len(columns) > 1 and f"column {name!r} that stands twice with the same values" not in self.notes.counts:
            self.notes.add(f"column {name!r} that stands twice with the same values", self.path.name)
        return columns[0]

    def take(self, columns: dict[str, str]) -> "FileTable":
        """Return the table with these columns alone, by their new names: new name -> name."""
        return replace(self, table=pa.table({name: self.column(other) for name, other in columns.items()}))

    def lines(self) -> list[int]:
        """Return the number of the line that each row stands in; 0 where it is not known, as in a Parquet file."""
        return self._lines if len(self._lines) == self.table.num_rows else [0] * self.table.num_rows


def open_table(
    path: Path,
    wanted: Sequence[str] = (),
    *,
    header: Sequence[str] | None = None,
    separator: str | None = None,
    lazy: Sequence[str] = (),
) -> FileTable:
    """Read a table.

    Args:
        path: of a CSV or Parquet file, whatever its suffix.
        wanted: names that its columns may have; they tell which separator is meant.
        header: the columns in order, for a file without a header line.
        separator: default: the one of `SEPARATORS` that gives the columns that are wanted, or most columns.
        lazy: names of the columns of a Parquet file whose cells are not read where they hold images.

    Raises:
        ValueError: no table.
    """
    try:
        if read_head(str(path), 4) == b"PAR1":
            return _read_parquet(path, {name.casefold() for name in lazy})
        return _CsvReader(path, wanted, header, separator).read()
    except (pa.ArrowException, OSError, UnicodeError, LookupError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a readable table: {reason}") from error


def read_records(path: Path, separators: Sequence[str] = tuple(SEPARATORS)) -> list[tuple[int, list[str]]]:
    """Return the number and the fields of each line of a file without a header that is not empty.

    Raises:
        ValueError: no text.
    """
    encoding = _encoding(path)
    with open(path, encoding=encoding, errors="replace", newline="") as file:
        lines = file.read().splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = max(separators, key=lambda mark: len(_split_line(first, mark)))
    return [(number, _split_line(line, separator)) for number, line in enumerate(lines, 1) if line.strip()]


def _read_parquet(path: Path, lazy: set[str]) -> FileTable:
    schema = pq.read_schema(path)
    left = [field.name for field in schema if field.name.casefold() in lazy and holds_images(field.type)]
    table = pq.read_table(path, columns=[name for name in schema.names if name not in left] if left else None)
    count = pq.read_metadata(path).num_rows
    for name in left:  # a column of its type without the cells
        kind = schema.field(name).type
        storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        table = table.append_column(name, pa.nulls(count, storage))
    return FileTable(path, table, metadata=schema.metadata or {})


class _CsvReader:
    """Decides how a CSV file is written, and reads it."""

    def __init__(self, path: Path, wanted: Sequence[str], header: Sequence[str] | None, separator: str | None):
        self.path, self.notes = path, Notes()
        self.encoding = _encoding(path)
        self.skipped, first, told = self._first_line()
        self.separator = separator or told or _choose_separator(first, wanted, header)
        fields = [name.strip() for name in _split_line(first, self.separator)]
        self.named = header is None or bool({name.casefold() for name in wanted} & {name.casefold() for name in fields})
        self.names = fields if self.named else list(header)
        self.bad: list[tuple[int, str]] = []

    def _first_line(self) -> tuple[int, str, str | None]:
        """Return how many lines stand before the first that counts, that line, and the separator that Excel's line tells."""
        told = None
        with open(self.path, encoding=self.encoding, errors="replace", newline="") as file:
            for number, line in enumerate(file):
                text = line.lstrip("\ufeff").rstrip("\r\n")
                match = _SEPARATOR_LINE.match(text)
                if match:
                    told = match[1]
                elif text.strip():
                    return number, text, told
        return 0, "", told

    def read(self) -> FileTable:
        """Read the rows; lines with another number of fields are told apart.

        Raises:
            pa.ArrowException, UnicodeError: no table.
        """
        if not any(self.names):
            raise ValueError(f"{self.path} is not a readable table: it is empty. Expected a header line.")
        try:
            table = self._rows(threads=True)
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error):
                return self._as_western()
            if "Could not skip" in str(error) or "Empty CSV" in str(error):
                table = pa.table([pa.array([], pa.string())] * len(self.names), names=self.names)
            else:
                table = self._rows(threads=False)  # one thread numbers the rows
        except UnicodeError:
            return self._as_western()
        rows = self._line_numbers()
        bad = dict(self.bad)
        lines = [line for ordinal, line in enumerate(rows) if ordinal not in bad]
        told = [(rows[number] if number < len(rows) else 0, reason) for number, reason in self.bad]
        return FileTable(
            self.path, table, bad_lines=told, notes=self.notes, decimal_comma=self.separator != ",", _lines=lines
        )

    def _as_western(self) -> FileTable:
        """Read once more as Windows-1252, which Western Excel writes, or as Latin-1, which every byte is."""
        try:
            Path(self.path).read_bytes().decode("cp1252")
            self.encoding = "cp1252"
        except UnicodeError:
            self.encoding = "latin-1"
        self.notes.add(f"table that is not UTF-8, read as {self.encoding}", self.path.name)
        self.skipped, first, _ = self._first_line()
        if self.named:
            self.names = [name.strip() for name in _split_line(first, self.separator)]
        return self.read()

    def _rows(self, threads: bool) -> pa.Table:
        self.bad.clear()
        encoding = "utf8" if self.encoding == "utf-8-sig" else self.encoding
        reading = pyarrow.csv.ReadOptions(
            column_names=self.names,
            skip_rows=self.skipped + int(self.named),
            encoding=encoding,
            block_size=_BLOCK,
            use_threads=threads,
        )
        parsing = pyarrow.csv.ParseOptions(
            delimiter=self.separator, invalid_row_handler=None if threads else self._keep_bad
        )
        texts = pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in self.names}, strings_can_be_null=False
        )
        return pyarrow.csv.read_csv(self.path, reading, parsing, texts)

    def _keep_bad(self, row) -> str:
        ordinal = (row.number or 1) - 1 - self.skipped - int(self.named)
        self.bad.append((ordinal, f"bad line ({row.actual_columns} fields in place of {row.expected_columns})"))
        return "skip"

    def _line_numbers(self) -> list[int]:
        """Return the number of each line that is not empty, header lines left out."""
        wide = self.encoding.startswith(("utf-16", "utf-32"))
        # Every kind of line end counts, a lone carriage return too, as for Arrow.
        with open(self.path, encoding=self.encoding if wide else "latin-1") as file:
            numbers = [number for number, line in enumerate(file, 1) if line.strip(" \t\r\n\v\f")]
        before = self.skipped + int(self.named)
        return list(itertools.dropwhile(lambda number: number <= before, numbers))


def _encoding(path: Path) -> str:
    """Return the encoding of a text by its byte order mark or its zeros.

    Raises:
        ValueError: no text.
    """
    head = read_head(str(path), 4096)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    controls = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if controls * 100 <= len(head):  # none, or an odd one in a damaged line
        return "utf-8-sig"
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.6 * len(zeros) and head.count(0) < 0.6 * len(head):
            return encoding
    raise ValueError(f"{path} is not a readable table: it holds binary data. Expected a CSV or Parquet file.")


def _choose_separator(line: str, wanted: Sequence[str], header: Sequence[str] | None) -> str:
    known = {name.casefold() for name in wanted}

    def worth(separator: str) -> tuple[int, int, int]:
        fields = [name.strip().casefold() for name in _split_line(line, separator)]
        return len(known & set(fields)), int(header is not None and len(fields) == len(header)), len(fields)

    return max(SEPARATORS, key=worth)  # of equals the first: a comma


def _split_line(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])
