"""The folder of faces to label: `selection.json`, `selection.csv`, the faces themselves, a contact sheet, labels beside them."""

import csv
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_keras.files import check_folder, check_own_files, write_atomic, write_json, write_text
from fer_keras.labelling.pool import PoolFace
from fer_keras.prediction.csv_cells import csv_row, read_cell
from fer_keras.prediction.reading import path_text
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import cut_face

FACTS, TABLE, SHEET, FACES = "selection.json", "selection.csv", "contact_sheet.png", "faces"
#: What `FACTS` holds, by which a selection is told from other files of its names.
FACTS_KEYS = ("by", "faces", "chosen", "pictures")
_LABELS = "labels*.csv"
_MOST_SHOWN, _COLUMNS = 60, 10


def check_selection_place(folder: Path, data_dir: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder for a selection before anything is read.

    Raises:
        ValueError: files of a selection's names that no selection made; labels, which belong to the faces that are there; or a
            folder in the one that is read, whose faces would be chosen the next time.
    """
    check_folder(folder, "--output-dir")
    place, source = folder.resolve(), data_dir.resolve()
    if place == source or source in place.parents:
        raise ValueError(
            f"--output-dir expects a folder outside --data-dir, whose pictures are read. Received: {folder} in {data_dir}."
        )
    labels = sorted(folder.glob(_LABELS))
    if labels:
        raise ValueError(
            f"{labels[0]} holds labels of the faces that are in {folder}. Choose another --output-dir, or move them away."
        )
    names = (FACTS, TABLE, SHEET, f"{FACES}/")
    check_own_files(folder, names, sign=FACTS, keys=FACTS_KEYS, overwrite=overwrite)


def begin_selection(folder: Path, facts: dict) -> None:
    """Make the folder of a selection, or empty that of an earlier one; a run that is killed after this can be run again.

    Args:
        folder: checked by `check_selection_place`.
        facts: with the keys `FACTS_KEYS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FACTS, facts)  # first: it is the sign of a selection
    (folder / TABLE).unlink(missing_ok=True)
    shutil.rmtree(folder / FACES, ignore_errors=True)


def write_faces(folder: Path, chosen: Sequence[PoolFace]) -> list[tuple[str, np.ndarray]]:
    """Cut the chosen faces out of their pictures into PNG files of their own pixels.

    Args:
        folder: of the selection.
        chosen: in the order of labelling.

    Returns:
        The name of each file relative to the folder, and its face (height, width, 3) uint8 RGB.
    """
    (folder / FACES).mkdir(exist_ok=True)
    written = []
    for rank, face in enumerate(chosen, 1):
        image = load_image(face.path)
        pixels = cut_face(image, face.face_box or (0, 0, image.shape[1], image.shape[0]))
        name = f"{FACES}/{rank:05}.png"
        write_atomic(folder / name, lambda path, pixels=pixels: _write_png(path, pixels))
        written.append((name, pixels))
    return written


def _write_png(path: Path, pixels: np.ndarray) -> None:
    if not cv2.imwrite(str(path), pixels[:, :, ::-1]):
        raise OSError(f"{path} cannot be written.")


def write_sheet(folder: Path, faces: Sequence[np.ndarray], captions: Sequence[str]) -> Path:
    """Draw the first faces of a selection with their captions."""
    from fer_keras.report.sheets import plot_face_sheet

    count = min(len(faces), _MOST_SHOWN)
    small = [cv2.resize(face, (96, 96), interpolation=cv2.INTER_AREA) for face in faces[:count]]
    figure = plot_face_sheet(small, captions[:count], columns=min(_COLUMNS, max(1, count)))
    return write_atomic(folder / SHEET, lambda path: figure.savefig(path, format="png"))


def write_table(folder: Path, rows: Sequence[dict]) -> None:
    """Write `selection.csv`, a line per face in the order of labelling; with it a selection is whole.

    Args:
        folder: of the selection.
        rows: of equal keys; `image` is the face's file.
    """
    write_text(folder / TABLE, "".join([csv_row(rows[0]), *(csv_row(row.values()) for row in rows)]))


def read_selection(folder: str | Path) -> list[dict[str, str]]:
    """Return the lines of a selection's table as text by column.

    Raises:
        FileNotFoundError: no selection there.
        ValueError: a table without faces or of other columns.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise FileNotFoundError(f"No {TABLE} there. Expected a folder that select wrote. Received: {folder}.")
    with open(path, newline="", encoding="utf-8") as file:
        rows = [{name: read_cell(text or "") for name, text in row.items() if name} for row in csv.DictReader(file)]
    if not rows or not all(_is_face(row.get("image", "")) and row.get("content") for row in rows):
        raise ValueError(f"{path} is not a table that select wrote: it lacks faces, or the columns image and content.")
    return rows


def _is_face(name: str) -> bool:
    """Whether a name is one of a file in the folder of faces, and leads nowhere else."""
    folder, _, file = name.partition("/")
    return folder == FACES and file.endswith(".png") and file == os.path.basename(file) and "\\" not in file


def selection_id(rows: Sequence[dict[str, str]]) -> str:
    """Return a short text that is equal for equal faces in the same order."""
    digest = hashlib.blake2b("\n".join(row["content"] for row in rows).encode(), digest_size=8)
    return digest.hexdigest()


def row_of(name: str, face: PoolFace, doubt: float, distance: float) -> dict:
    """Return the first columns of a face's line: its file, where it is from, why it was chosen."""
    box = face.face_box or (None,) * 4
    return {
        "image": name,
        "path": path_text(face.path),
        "face": face.number,
        **{side: value and round(value, 2) for side, value in zip(("x0", "y0", "x1", "y1"), box, strict=True)},
        "doubt": round(float(doubt), 6),
        "distance": None if np.isnan(distance) else round(float(distance), 6),
        "marks": " ".join(face.marks),
        "content": face.content,
    }
