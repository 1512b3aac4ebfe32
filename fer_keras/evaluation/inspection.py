"""Looking at a data set before anyone trains on it: counts, bad rows, duplicates, labels and faces."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fer_keras.batches.loader import FaceLoader
from fer_keras.data.facts import member_facts
from fer_keras.data.index import FaceIndex
from fer_keras.data.splits import equal_across_splits
from fer_keras.drawing.palette import SPLIT_COLOURS
from fer_keras.evaluation.near_copies import find_near_copies
from fer_keras.files import check_own_files, write_atomic, write_json
from fer_keras.labels import AXES
from fer_keras.preprocessing import crop_points
from fer_keras.report.axis_plots import plot_circumplex
from fer_keras.report.plots import new_figure, style_axes
from fer_keras.report.sheets import plot_face_sheet

_SIDE = 128  # pixels of a face on the contact sheet


def check_inspection_place(directory: Path, *, overwrite: bool = False) -> None:
    """Refuse a directory for an inspection.

    Raises:
        ValueError: files of an inspection's names that no inspection made, unless they may be overwritten.
    """
    keys = ("spec", "fingerprint", "counts", "decoded")
    check_own_files(directory, ("dataset.json", "dataset.png"), sign="dataset.json", keys=keys, overwrite=overwrite)


def inspect_index(
    index: FaceIndex, directory: Path, *, per_class: int = 6, decode_all: bool = False, seed: int = 0
) -> dict:
    """Write `dataset.json` and `dataset.png` of a data set.

    Args:
        index: with splits assigned.
        directory: where to write; made if missing.
        per_class: faces of each emotion on the contact sheet.
        decode_all: decode every image, whatever it costs, to find those that no decoder can read, equal pixels in files of
            other bytes, and near copies; without it that is done for sets of moderate size.
        seed: which faces are shown.

    Returns:
        What `dataset.json` holds.
    """
    loader = FaceLoader(index.open_images(), (_SIDE, _SIDE))
    rows = _sheet_rows(index, per_class, seed)
    loader.load(rows)
    facts = describe_index(index)
    near = find_near_copies(index, decode_all)
    facts["near_copies"] = {
        "compared": near.compared,
        "left": near.left,
        "faces": near.faces,
        "pairs": list(near.pairs),
    }
    facts["duplicates"]["equal_pixels_across_splits"] = equal_across_splits(index) if decode_all else 0
    unreadable = {**near.unreadable, **loader.unreadable}
    facts["unreadable"] = {f"{index.split[row]}/{index.id[row]}": why for row, why in sorted(unreadable.items())}
    facts["decoded"] = near.compared + len(near.unreadable) or len(rows)
    directory.mkdir(parents=True, exist_ok=True)
    picture = _draw(index, loader, rows, per_class)
    write_json(directory / "dataset.json", facts)  # first: it is the sign of an inspection
    write_atomic(directory / "dataset.png", lambda path: cv2.imwrite(str(path), picture[:, :, ::-1]))
    return facts


def describe_index(index: FaceIndex) -> dict:
    """Return what a data set holds, as plain data.

    Returns:
        spec, root, sets (of several, see `member_facts`), fingerprint, counts by split and emotion, rows dropped and labels
        missing by reason with examples,
        duplicates inside splits, and of each axis and split: n, mean, standard deviation, and the quartiles.
    """
    report = index.report
    return {
        "spec": index.spec.name,
        "title": index.spec.title,
        "licence": index.spec.licence,
        "root": None if index.members else str(index.root),
        "fingerprint": index.fingerprint(),
        "sets": member_facts(index),
        "labels": list(index.labels),
        "found": report.found,
        "used": len(index),
        "counts": index.counts(),
        "dropped": report.dropped,
        "missing_labels": report.missing_labels,
        "warnings": report.warnings,
        "examples": report.examples,
        "duplicates": _duplicates(index),
        "axes": {axis: _axis_facts(index, axis) for axis in AXES if axis in index.spec.targets},
        "image_extents": [
            {"height": height, "width": width, "faces": count}
            for (height, width), count in Counter(map(tuple, index.extent.tolist())).most_common(5)
        ],
    }


def _duplicates(index: FaceIndex) -> dict:
    groups: dict[str, list[int]] = {}
    for row, content in enumerate(index.content.tolist()):
        groups.setdefault(content, []).append(row)
    repeated = [rows for content, rows in groups.items() if content and len(rows) > 1]
    mixed = [rows for rows in repeated if len(set(index.emotion[rows].tolist())) > 1]
    across = sum(count for reason, count in index.report.dropped.items() if " face that is also in " in reason)
    return {
        "groups": len(repeated),
        "faces": sum(map(len, repeated)),
        "groups_with_different_emotions": len(mixed),
        "dropped_across_splits": across,
    }


def _axis_facts(index: FaceIndex, axis: str) -> dict:
    facts = {}
    for split in sorted(set(index.split.tolist())):
        values = getattr(index, axis)[index.split == split].astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
            facts[split] = {
                "n": len(values),
                "mean": float(values.mean()),
                "std": float(values.std()),
                "quartiles": [low, middle, high],
            }
    return facts


def _sheet_rows(index: FaceIndex, per_class: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows: list[int] = []
    for code in (code for code in range(-1, len(index.labels)) if (index.emotion == code).any()):
        members = np.flatnonzero(index.emotion == code)
        rows += rng.choice(members, min(per_class, len(members)), replace=False).tolist()
    return np.array(rows, np.int64)


def _draw(index: FaceIndex, loader: FaceLoader, rows: np.ndarray, columns: int) -> np.ndarray:
    """Return counts, scatter and contact sheet as one RGB picture."""
    top = [_pixels(plot_class_counts(index.counts(), index.labels))]
    known = ~np.isnan(index.valence) & ~np.isnan(index.arousal)
    if known.any():
        names = [index.labels[code] if code >= 0 else None for code in index.emotion[known]]
        axes = index.valence[known], index.arousal[known]
        top.append(_pixels(plot_circumplex(*axes, "Labels", names, labels=index.labels)))
    faces = [_marked_face(index, loader, row) for row in rows.tolist()]
    sheet = _pixels(plot_face_sheet(faces, [_caption(index, row) for row in rows.tolist()], 2 * columns))
    return _stack([_stack(top, 1), sheet], 0)


def plot_class_counts(counts: dict[str, dict[str, int]], labels: tuple[str, ...]) -> Figure:
    """Draw the number of faces of each emotion and split, on a logarithmic scale with the numbers beside the bars."""
    figure = new_figure(6.4, 5.7)
    axes = style_axes(figure.add_subplot(), "Faces by emotion and split", "faces (logarithmic)")
    names = [*labels, *(["not labelled"] if any(split.get("not labelled") for split in counts.values()) else [])]
    height = 0.8 / len(counts)
    for place, split in enumerate(name for name in SPLIT_COLOURS if name in counts):
        y = np.arange(len(names)) + (place - (len(counts) - 1) / 2) * height
        values = [counts[split].get(name, 0) for name in names]
        axes.barh(y, np.maximum(values, 0.8), height, color=SPLIT_COLOURS[split], label=f"{split} ({sum(values):,})")
        for at, value in zip(y, values, strict=True):
            axes.annotate(
                f"{value:,}", (max(value, 0.8), at), (3, 0), textcoords="offset points", va="center", fontsize=7
            )
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=3, fontsize=8.5, frameon=False)
    return figure


def _marked_face(index: FaceIndex, loader: FaceLoader, row: int) -> np.ndarray | None:
    faces, readable = loader.load(np.array([row]))
    if not readable[0]:
        return None
    face = faces[0].copy()
    if index.landmarks is not None and index.extent[row].all() and not np.isnan(index.landmarks[row]).any():
        for x, y in crop_points(index.landmarks[row], index.extent[row], (_SIDE, _SIDE)):
            cv2.circle(face, (round(float(x)), round(float(y))), 1, (0, 255, 128), -1, cv2.LINE_AA)
    return face


def _caption(index: FaceIndex, row: int) -> str:
    code = int(index.emotion[row])
    lines = [index.labels[code] if code >= 0 else "not labelled"]
    if not np.isnan(index.valence[row]):
        lines.append(f"v {index.valence[row]:+.2f}  a {index.arousal[row]:+.2f}")
    return "\n".join(lines)


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


def _stack(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Join pictures along an axis on white, the smaller ones filled up."""
    across = 1 - axis
    size = max(picture.shape[across] for picture in pictures)
    padded = []
    for picture in pictures:
        margin = [(0, 0)] * 3
        margin[across] = (0, size - picture.shape[across])
        padded.append(np.pad(picture, margin, constant_values=255))
    return np.concatenate(padded, axis)
