"""The results file: CSV, JSON or Parquet, written whole at the end, and the journal that lets a stopped run go on.

During a run, each picture's rows are appended to `<output>.journal`, one JSON line per picture after a first line with the
run's settings; a further line tells where the run is about to draw, before it does. At the end the output is written
atomically, in the order of the pictures, and the journal is removed. `--resume` takes the rows of the journal, and those of
a finished output, and reads only the rest; pictures that could not be read are tried again. A line that a kill cut short is
dropped, and its picture read again.

Where many workers read, each writes what it has read as a part of the journal: a file of its own in
`<output>.journal.parts/`, of the same form. `--resume` takes them as part of the journal, whichever process wrote them.
"""

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fer_keras.files import naming, remove, write_atomic, write_json, write_text
from fer_keras.hints import nearest
from fer_keras.prediction.csv_cells import csv_row, read_cell
from fer_keras.prediction.result_rows import columns_of, flatten, unflatten

SUFFIXES = (".csv", ".json", ".parquet")
_SETTINGS = "fer_keras.settings"


def check_output(path: Path, resume: bool, overwrite: bool) -> None:
    """Refuse an output that cannot be written, before any work is done.

    Raises:
        ValueError: an unknown suffix, a folder, or existing results without `resume` or `overwrite`.
        OSError: its folder cannot be made.
    """
    if path.suffix.lower() not in SUFFIXES:
        hint = nearest(path.suffix.lower(), SUFFIXES)
        raise ValueError(f"--output expects a file ending in {', '.join(SUFFIXES)}. Received: {path}.{hint}")
    if path.is_dir():
        raise ValueError(f"--output expects a file. Received: {path}, a folder.")
    journal = journal_of(path)
    if (os.path.lexists(path) or os.path.lexists(journal)) and not (resume or overwrite):
        what = path if os.path.lexists(path) else f"the journal of a stopped run, {journal},"
        raise ValueError(f"{what} is there already. Go on with it (--resume) or replace it (--overwrite).")
    path.parent.mkdir(parents=True, exist_ok=True)


class ResultsFile:
    """Rows of a run on their way to its output.

    Args:
        path: of the output, checked by `check_output`.
        labels: names of the model's classes.
        settings: what decides the rows: the model, its file, the options. A run goes on only with the same ones.
        top: see `records_of`.
        resume: keep the rows that are there.
        extra: columns beyond those of a reading, with their types.

    Attributes:
        done: path of each picture that is read -> its rows.
        begun: places of drawings that this run, or the one that it resumes, was about to make.

    Raises:
        ValueError: existing rows that were made with other settings, or a file that holds something else.
    """

    def __init__(
        self,
        path: Path,
        labels: Iterable[str],
        settings: dict,
        *,
        top: int = 0,
        resume: bool = False,
        extra: Mapping[str, type] | None = None,
    ):
        self.path, self.settings = path, {**settings, "top": top}
        self.columns = columns_of(labels, top, extra)
        self.done: dict[str, list[dict]] = {}
        self.begun: set[str] = set()
        if resume:
            self._take(self._read_output())
            for journal in (journal_of(path), *_parts(path)):
                self._take(self._read_journal(journal))
        begun = [{"drawings": sorted(self.begun)}] if self.begun else []
        write_text(journal_of(path), _journal_text(self.settings, [*begun, *self.done.values()]))
        remove(parts_folder(path))
        self._lines = open(journal_of(path), "a", encoding="utf-8")  # noqa: SIM115 - open as long as this object

    def add(self, pictures: Iterable[list[dict]]) -> None:
        """Put the rows of some pictures into the journal; they are safe when this returns."""
        pictures = [rows for rows in pictures if rows]
        for rows in pictures:
            self.done[rows[0]["path"]] = rows
        self._append(pictures)

    def begin(self, drawings: Iterable[str]) -> None:
        """Put into the journal where this run is about to draw, so that a run that resumes it knows these files as its own."""
        drawings = sorted(set(drawings) - self.begun)
        if drawings:
            self.begun.update(drawings)
            self._append([{"drawings": drawings}])

    def _append(self, entries: Iterable) -> None:
        with naming(journal_of(self.path)):
            self._lines.write("".join(json.dumps(entry) + "\n" for entry in entries))
            self._lines.flush()

    def add_parts(self) -> None:
        """Put the rows that workers wrote, see `write_part`, into the journal."""
        for part in _parts(self.path):
            self.add(_by_picture(self._read_journal(part)).values())

    def finish(self, order: Iterable[str]) -> list[dict]:
        """Write the output and remove the journal with its parts.

        Args:
            order: paths of this run's pictures; rows of others, kept from before, stand first.

        Returns:
            All rows of the output.
        """
        order = list(dict.fromkeys(order))
        others = set(self.done).difference(order)
        paths = [path for path in self.done if path in others] + [path for path in order if path in self.done]
        records = [row for path in paths for row in self.done[path]]
        _WRITERS[self.path.suffix.lower()](self.path, records, self.columns, self.settings)
        self.close()
        remove(parts_folder(self.path))
        journal_of(self.path).unlink(missing_ok=True)
        return records

    def close(self) -> None:
        """Close the journal; it stays for `--resume`."""
        with contextlib.suppress(OSError):  # a full disk, told where the line was added
            self._lines.close()

    def _take(self, records: list[dict]) -> None:
        """Keep rows of pictures that were read; those with an error are read again."""
        self.done.update(_by_picture(record for record in records if not record.get("error")))

    def _read_journal(self, journal: Path) -> list[dict]:
        if not journal.exists():
            return []
        lines = journal.read_text(encoding="utf-8").split("\n")
        try:
            self._check(json.loads(lines[0]), journal)
            entries = [json.loads(line) for line in lines[1:-1]]
            for entry in entries:
                self.begun.update(entry["drawings"] if isinstance(entry, dict) else ())
            return [record for entry in entries if isinstance(entry, list) for record in entry]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise ValueError(f"{journal} is not a journal of predictions. Start over with --overwrite.") from None

    def _read_output(self) -> list[dict]:
        if not self.path.exists():
            return []
        try:
            settings, records = _READERS[self.path.suffix.lower()](self.path, self.columns)
        except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
            raise ValueError(
                f"{self.path} does not hold rows as this run writes them ({' '.join(str(error).split())[:120]}). Replace it "
                "with --overwrite, or choose another --output."
            ) from error
        if settings is not None:
            self._check(settings, self.path)
        return records

    def _check(self, settings: dict, path: Path) -> None:
        changed = sorted(name for name in self.settings if settings.get(name) != self.settings[name])
        if changed:
            raise ValueError(
                f"{path} was made with other settings ({', '.join(changed)}). Resume it with the same ones, or start over "
                "with --overwrite."
            )


def earlier_settings(path: Path) -> dict:
    """Return the settings that earlier rows of an output were made with; none where there are no rows, or in a CSV file.

    What cannot be read has none either: `ResultsFile` says what is wrong with it.
    """
    try:
        if journal_of(path).exists():
            return dict(json.loads(journal_of(path).read_text(encoding="utf-8").split("\n", 1)[0]))
        if path.suffix.lower() == ".json":
            return dict(json.loads(path.read_text(encoding="utf-8"))["settings"])
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return dict(json.loads(pq.read_schema(path).metadata[_SETTINGS.encode()]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}


def parts_folder(path: Path) -> Path:
    """Return the folder of the parts of an output's journal."""
    return path.with_name(path.name + ".journal.parts")


def write_part(folder: Path, name: str, settings: dict, pictures: Iterable[list[dict]]) -> None:
    """Write the rows of some pictures as one part of a journal: whole or not at all, the same however often.

    Args:
        folder: see `parts_folder`; it must be there.
        name: of the part among the others.
        settings: of the `ResultsFile` whose journal it is.
        pictures: the rows of each.
    """
    write_text(folder / f"{name}.journal", _journal_text(settings, pictures))


def journal_of(path: Path) -> Path:
    """Return the journal of a results file, from which a stopped run goes on."""
    return path.with_name(path.name + ".journal")


def _parts(path: Path) -> list[Path]:
    """Return the parts of an output's journal that are whole, in order."""
    return sorted(parts_folder(path).glob("[!.]*.journal"))


def _journal_text(settings: dict, pictures: Iterable[list[dict]]) -> str:
    return "".join(json.dumps(value) + "\n" for value in (settings, *pictures))


def _by_picture(records: Iterable[dict]) -> dict[str, list[dict]]:
    pictures: dict[str, list[dict]] = {}
    for record in records:
        pictures.setdefault(record["path"], []).append(record)
    return pictures


def _write_csv(path: Path, records: list[dict], columns: dict, settings: dict) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            file.write(csv_row(columns))
            file.writelines(csv_row(flatten(record, columns).values()) for record in records)

    write_atomic(path, write)


def _read_csv(path: Path, columns: dict) -> tuple[None, list[dict]]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != list(columns):
            raise ValueError("other columns")
        return None, [unflatten({name: read_cell(text) for name, text in _whole(row)}, columns) for row in rows]


def _whole(row: dict) -> Iterable[tuple[str, str]]:
    """Return the cells of a row with the names of their columns; a row that was cut short or is too long is refused."""
    if None in row or None in row.values():
        raise ValueError(f"a row of other columns, {', '.join(str(cell) for cell in list(row.values())[:1])}")
    return row.items()


def _write_json(path: Path, records: list[dict], columns: dict, settings: dict) -> None:
    write_json(path, {"settings": settings, "readings": records})


def _read_json(path: Path, columns: dict) -> tuple[dict, list[dict]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["settings"], content["readings"]


def _write_parquet(path: Path, records: list[dict], columns: dict, settings: dict) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int32(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()], {_SETTINGS: json.dumps(settings)})
    table = pa.Table.from_pylist([flatten(record, columns) for record in records], schema)
    write_atomic(path, lambda temporary: pq.write_table(table, temporary))


def _read_parquet(path: Path, columns: dict) -> tuple[dict, list[dict]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    settings = json.loads(table.schema.metadata[_SETTINGS.encode()])
    return settings, [unflatten(row, columns) for row in table.to_pylist()]


_WRITERS = {".csv": _write_csv, ".json": _write_json, ".parquet": _write_parquet}
_READERS = {".csv": _read_csv, ".json": _read_json, ".parquet": _read_parquet}
