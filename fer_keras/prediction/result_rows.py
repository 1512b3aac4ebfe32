"""Rows of a results file: a reading with its picture's path, nested for JSON, flat for CSV and Parquet."""

from collections.abc import Iterable, Mapping

from fer_keras.prediction.reading import Reading, Unreadable

_BOX = ("x0", "y0", "x1", "y1")
_NUMBERS = {"confidence", "valence", "arousal", *_BOX}
_DIGITS = 6  # of what is written: a float32 has no more to tell


def records_of(path, readings: Iterable[Reading | Unreadable], top: int = 0) -> list[dict]:
    """Return the rows of one picture: one a face, numbered from 0; or one without a face, with the reason if unreadable.

    Args:
        path: of the picture.
        readings: of its faces.
        top: adds the names of this many likeliest classes with their probabilities; 0: none.

    Returns:
        Plain values; the path as `path_text` gives it.
    """
    text = path_text(path)
    nothing = {**Reading().to_dict(), "uncertain": None}
    rows = []
    for number, reading in enumerate(readings):
        if isinstance(reading, Unreadable):
            rows.append({"path": text, "face": None, "error": reading.reason, **nothing})
        else:
            rows.append({"path": text, "face": number, "error": None, **_rounded(reading.to_dict())})
    rows = rows or [{"path": text, "face": None, "error": None, **nothing}]
    if top:
        for row in rows:
            row["top"] = "; ".join(f"{name} {share:.3f}" for name, share in list(_shares(row).items())[:top])
    return rows


def path_text(path) -> str:
    """Return a path as rows hold it; bytes that are no text are written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def columns_of(labels: Iterable[str], top: int = 0, extra: Mapping[str, type] | None = None) -> dict[str, type]:
    """Return the columns of a flat row with their types, in order; `extra` ones stand before the probabilities."""
    columns: dict[str, type] = {"path": str, "face": int, **dict.fromkeys(_BOX, float), "emotion": str}
    columns |= {"confidence": float, "uncertain": bool, "valence": float, "arousal": float, "quadrant": str}
    columns |= {"top": str} if top else {}
    columns |= extra or {}
    return columns | {f"probability_{name}": float for name in labels} | {"error": str}


def flatten(record: dict, columns: dict[str, type]) -> dict:
    """Return a record as one flat row with the given columns."""
    box = record["face_box"] or [None] * 4
    shares = {f"probability_{name}": share for name, share in _shares(record).items()}
    values = {**record, **dict(zip(_BOX, box, strict=True)), **shares}
    return {name: values.get(name) for name in columns}


def unflatten(row: dict, columns: dict[str, type]) -> dict:
    """Return the record that `flatten` made a row of; text, as CSV has it, is turned into numbers."""
    values = {name: _parse(row[name], kind) for name, kind in columns.items()}
    prefix = "probability_"
    shares = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    known = {name: share for name, share in shares.items() if share is not None}
    record = {name: values[name] for name in values if not name.startswith(prefix) and name not in _BOX}
    record["face_box"] = None if values["x0"] is None else [values[name] for name in _BOX]
    record["probabilities"] = dict(sorted(known.items(), key=lambda item: -item[1])) if known else None
    return record


def _parse(value, kind: type):
    if value is None or (value == "" and kind is not str):
        return None
    if not isinstance(value, str):
        return value
    if kind is str:
        return value or None
    return value == "True" if kind is bool else kind(value)


def _shares(record: dict) -> dict[str, float]:
    return record["probabilities"] or {}


def _rounded(values: dict) -> dict:
    values = {name: _round(value) if name in _NUMBERS else value for name, value in values.items()}
    if values["probabilities"]:
        values["probabilities"] = {name: _round(share) for name, share in values["probabilities"].items()}
    if values["face_box"]:
        values["face_box"] = [_round(value) for value in values["face_box"]]
    return values


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
