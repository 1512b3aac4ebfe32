"""Rows of results, see `records_of`: nested for JSON, flat for CSV and Parquet, a line each for the screen, and their summary."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

#: Columns that found faces add to a table of readings, with their types.
FOUND_COLUMNS = {"detection": float, "marks": str}
#: Columns that faces of a video add beyond those.
VIDEO_COLUMNS = {"frame": int, "seconds": float, "id": int, **FOUND_COLUMNS}
_BOX = ("x0", "y0", "x1", "y1")
_MOST_REASONS = 20


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


def picture_lines(records: list[dict], top: int = 0) -> list[str]:
    """Return the rows of one picture as lines for a terminal, with the `top` likeliest emotions, at least one.

    Several faces are named by number and place, such as "face 2, left"; a person counts from 1, the column `face` from 0.
    """
    path, first = records[0]["path"], records[0]
    if first["error"]:
        return [f"{path}: unreadable ({first['error']})"]
    if first["face"] is None:
        return [f"{path}: no face"]
    if len(records) == 1:
        return [f"{path}: {face_text(first, top)}"]
    lines = [f"{path}: {len(records)} faces"]
    for record, place in zip(records, face_places(records), strict=True):
        lines.append(f"  face {record['face'] + 1}{place and ', '}{place}: {face_text(record, top)}")
    return lines


def face_places(records: list[dict]) -> list[str]:
    """Return where each of a picture's faces is among the others: left, right, middle, or its number from the left.

    Args:
        records: of one picture; without boxes the places are empty.

    Example:
        >>> face_places([{"face_box": [50, 0, 70, 20]}, {"face_box": [0, 0, 20, 20]}])
        ['right', 'left']
    """
    if any(record["face_box"] is None for record in records):
        return [""] * len(records)
    centres = [record["face_box"][0] + record["face_box"][2] for record in records]
    ranks = {place: rank for rank, place in enumerate(sorted(range(len(centres)), key=centres.__getitem__), 1)}
    names = {1: "left", len(records): "right"} | ({2: "middle"} if len(records) == 3 else {})
    return [names.get(ranks[place], f"number {ranks[place]} from the left") for place in range(len(records))]


def face_text(record: dict, top: int = 0) -> str:
    """Return what the face of a row was read as, in a few words."""
    parts = []
    if record["emotion"]:
        shares = list(record["probabilities"].items())[: max(top, 1)]
        parts.append(("uncertain: " if record["uncertain"] else "") + ", ".join(f"{n} {p:.2f}" for n, p in shares))
    parts += [f"{axis} {record[axis]:+.2f}" for axis in ("valence", "arousal") if record[axis] is not None]
    parts += [record["quadrant"]] if record["quadrant"] else []
    parts += [f"({mark})" for mark in _marks(record)]
    return ", ".join(parts)


def summarise(records: list[dict]) -> dict:
    """Return the counts and means of many rows.

    Args:
        records: as `records_of` makes them.

    Returns:
        pictures, faces, emotions (name -> faces, most frequent first), uncertain (faces), marks (reason to doubt a reading
        -> faces), valence and arousal (means, or None), unreadable (path and reason).
    """
    faces = [record for record in records if record["face"] is not None]
    unreadable = [{"path": record["path"], "reason": record["error"]} for record in records if record["error"]]
    summary = {
        "pictures": len({record["path"] for record in records}),
        "faces": len(faces),
        "emotions": dict(Counter(record["emotion"] for record in faces if record["emotion"]).most_common()),
        "uncertain": sum(bool(record["uncertain"]) for record in faces),
        "marks": dict(Counter(mark for record in faces for mark in _marks(record)).most_common()),
    }
    for axis in ("valence", "arousal"):
        known = [record[axis] for record in faces if record[axis] is not None]
        summary[axis] = round(float(np.mean(known)), 4) if known else None
    return {**summary, "unreadable": unreadable}


def summary_lines(summary: dict) -> list[str]:
    """Return a summary in lines for a terminal; of many unreadable files the first are listed."""
    lines = [f"{summary['faces']:,} faces read in {summary['pictures']:,} pictures"]
    if summary["emotions"]:
        shares = (f"{name} {count:,} ({count / summary['faces']:.0%})" for name, count in summary["emotions"].items())
        lines.append("  " + ", ".join(shares))
    if summary["uncertain"]:
        lines.append(f"  {summary['uncertain']:,} of them uncertain")
    if summary["marks"]:
        lines.append("  doubtful: " + ", ".join(f"{mark} {count:,}" for mark, count in summary["marks"].items()))
    means = [f"mean {axis} {summary[axis]:+.3f}" for axis in ("valence", "arousal") if summary[axis] is not None]
    lines += ["  " + ", ".join(means)] if means else []
    unreadable = summary["unreadable"]
    if unreadable:
        lines.append(f"{len(unreadable):,} unreadable:")
        lines += [f"  {bad['path']}: {bad['reason']}" for bad in unreadable[:_MOST_REASONS]]
    if len(unreadable) > _MOST_REASONS:
        lines.append(f"  and {len(unreadable) - _MOST_REASONS:,} more; the output lists each")
    return lines


def _marks(record: dict) -> list[str]:
    """Return the marks of a found face; faces that were given whole have none."""
    return (record.get("marks") or "").split()
