"""Reader `fer2013_csv`: Kaggle's fer2013.csv, one line a face: emotion, 2,304 grey values as text, Usage.

Ids are those of FER+ (`fer0000000.png` is the first line), so that the two label sets of the same faces can be set beside
each other.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from fer_keras.preprocessing import as_rgb
from fer_keras.readers.rows import Listing, RawRows, Row, content_hash, file_states
from fer_keras.readers.spec import DataSpec

_COLUMNS = ("emotion", "pixels", "Usage")


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the one file: `root` itself, or the file in it that the spec names.

    Raises:
        ValueError: no such file.
    """
    return {".": [_file(root, spec.options["files"]).name]}


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every line; a face whose pixels are not 48 by 48 numbers from 0 to 255 is counted and left out."""
    states = file_states(root, listing)
    table = read_table(_file(root, spec.options["files"]))
    split_of = {name: split for split, name in spec.splits.items()}
    rows = []
    for position, (label, pixels, usage) in enumerate(
        zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True)
    ):
        split = split_of.get(usage.strip())
        row = Row(split or "", f"fer{position:07}.png", label=label.strip(), position=position)
        if split is None:
            row.fatal = f"unknown Usage {usage.strip()!r}"
        try:
            image = parse_pixels(pixels)
            row.content, row.extent = content_hash(image.tobytes()), image.shape
        except ValueError as error:
            row.fatal = row.fatal or f"unreadable pixels ({error})"
        rows.append(row)
    return RawRows(rows, states, {}, spec.emotions)


def read_table(path: Path) -> pa.Table:
    """Return the columns emotion, pixels and Usage as text; names are matched whatever their case and spaces.

    Raises:
        ValueError: not a CSV file, or one without them.
    """
    try:
        # A line holds 8 kB of pixels; the default block of 1 MB would cost a hundred passes.
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(block_size=1 << 26), convert_options=_as_text(path))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not Kaggle's fer2013.csv: {str(error).splitlines()[0]}") from error
    names = [name.strip().lower() for name in table.column_names]
    missing = [name for name in _COLUMNS if name.lower() not in names]
    if missing:
        raise ValueError(
            f"{path} is not Kaggle's fer2013.csv. Expected columns {', '.join(_COLUMNS)}. "
            f"Received: {', '.join(table.column_names)[:200]}."
        )
    return pa.table({name: table.column(names.index(name.lower())) for name in _COLUMNS})


def _as_text(path: Path) -> pyarrow.csv.ConvertOptions:
    with open(path, encoding="utf-8", errors="replace") as file:
        header = file.readline(10_000).rstrip("\r\n").split(",")
    return pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in header}, strings_can_be_null=False)


def parse_pixels(text: str) -> np.ndarray:
    """Return a face from its pixels as text.

    Returns:
        (48, 48) uint8.

    Raises:
        ValueError: not 2,304 whole numbers from 0 to 255.
    """
    try:
        numbers = list(map(int, text.split()))
    except ValueError:
        raise ValueError("not whole numbers") from None
    if len(numbers) != 48 * 48:
        raise ValueError(f"{len(numbers)} values")
    try:
        values = bytes(numbers)  # several times as fast as NumPy's parsing
    except ValueError:
        raise ValueError("value outside 0..255") from None
    return np.frombuffer(values, np.uint8).reshape(48, 48)


class PixelImages:
    """Images as text in a column: parsed when they are asked for.

    Args:
        pixels: one text a line of the file.
        positions: line of each row of the index.
    """

    def __init__(self, pixels: pa.ChunkedArray, positions):
        self.pixels, self.positions = pixels, positions

    def __len__(self) -> int:
        return len(self.positions)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (48, 48, 3) uint8 RGB."""
        return as_rgb(parse_pixels(self.pixels[int(self.positions[row])].as_py()))


def open_images(root: Path, paths, positions) -> PixelImages:
    """Return the source of the images in the file."""
    return PixelImages(read_table(_file(root)).column("pixels"), positions)


def _file(root: Path, names=("fer2013.csv", "icml_face_data.csv")) -> Path:
    if root.is_file():
        return root
    found = [root / name for name in names if (root / name).is_file()]
    if not found:
        raise ValueError(f"No FER2013 faces in {root}. Expected the file {' or '.join(names)}.")
    return found[0]
