"""What a run over many pictures found, in a few lines, and one line a face for the screen."""

from collections import Counter

import numpy as np

_MOST_REASONS = 20


def summarise(records: list[dict]) -> dict:
    """Return what many rows say together.

    Args:
        records: as `records_of` makes them.

    Returns:
        pictures, faces, emotions (name -> faces, most frequent first), uncertain (faces), marks (name -> faces that speak
        against being believed, see `faces.detection.MARKS`), valence and arousal (means, or None), unreadable (path and reason).
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


def face_line(record: dict, top: int = 0) -> str:
    """Return one row as a line for a terminal."""
    if record["error"]:
        return f"{record['path']}: unreadable ({record['error']})"
    if record["face"] is None:
        return f"{record['path']}: no face"
    parts = []
    if record["emotion"]:
        shares = list(record["probabilities"].items())[: max(top, 1)]
        parts.append(("uncertain: " if record["uncertain"] else "") + ", ".join(f"{n} {p:.2f}" for n, p in shares))
    parts += [f"{axis} {record[axis]:+.2f}" for axis in ("valence", "arousal") if record[axis] is not None]
    parts += [record["quadrant"]] if record["quadrant"] else []
    parts += [f"({mark})" for mark in _marks(record)]
    return f"{record['path']}: {', '.join(parts)}"


def _marks(record: dict) -> list[str]:
    """Return the marks of a found face; faces that were given whole have none."""
    return (record.get("marks") or "").split()
