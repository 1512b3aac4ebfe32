"""Reader `tfds:NAME`: a data set as TensorFlow Datasets keeps it, in TFRecord or ArrayRecord shards; read without it.

What the columns are called stands in the spec's options (`[options.columns] emotion = "label"`). Sets that `prepare` wrote
name theirs as this package does and tell more: original splits, ids, hashes, weights, votes, landmarks.
"""

import json
from pathlib import Path

import numpy as np

from fer_keras.decoding import decode_image
from fer_keras.labels import AXES
from fer_keras.readers.file_states import Listing, file_states
from fer_keras.readers.names import find_splits, unknown_split
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import RawRows, Row, fill_content
from fer_keras.readers.spec import DataSpec
from fer_keras.readers.tfrecords import RECORDS, example_bytes, parse_example

INFO_FILE, FEATURES_FILE = "dataset_info.json", "features.json"
_COLUMNS = {"emotion": "label", "valence": "valence", "arousal": "arousal", "id": "id"}
_OWN_COLUMNS = {**_COLUMNS, "emotion": "emotion"}


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the shards of the set at `root`, or of its newest version below `root`.

    Raises:
        ValueError: no such set there, or a file format that cannot be read.
    """
    folder = _set_folder(root, spec.reader.partition(":")[2])
    shards = [path.name for _, path in _shards(folder)]
    name = folder.relative_to(root).as_posix()
    return LayoutListing({name: [INFO_FILE, FEATURES_FILE, *shards]}, whole=[name])


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read the labels of every record; those that are no image or no example are counted and left out.

    Raises:
        ValueError: the spec names a column that the set does not have.
    """
    states = file_states(root, listing)
    folder = root / next(iter(listing))
    reader = _RowReader(spec, folder)
    records = open_records(folder)
    splits = [name for (name, _), count in zip(_shards(folder), records.counts, strict=True) for _ in range(count)]
    rows = [reader.read(number, split, records.read(number)) for number, split in enumerate(splits)]
    if reader.own:  # shards are shuffled; the set's own order makes equal batches
        rows.sort(key=lambda item: item[0])
    return RawRows([row for _, row in rows], states, labels=reader.labels or spec.emotions)


class _RowReader:
    """Turns the records of one set into rows."""

    def __init__(self, spec: DataSpec, folder: Path):
        features = _features(folder)
        self.spec, self.own = spec, "emotion_weight" in features
        self.columns = {**(_OWN_COLUMNS if self.own else _COLUMNS), **spec.options.get("columns", {})}
        named = spec.options.get("columns", {})
        missing = [name for name in named.values() if name not in features]
        if missing:
            raise ValueError(
                f"{folder} has no column {missing[0]!r}. Expected one of {', '.join(features)} in the spec's "
                f"options.columns. Received: {named}."
            )
        self.image = image_feature(folder)
        names = folder / f"{self.columns['emotion']}.labels.txt"
        self.names = names.read_text(encoding="utf-8").split("\n")[:-1] if names.is_file() else []
        self.labels = tuple(self.names) if self.own else ()
        self.splits = find_splits([name for name, _ in _shards(folder)], spec)
        if not any(self.splits.values()):  # names of the set's own, for faces that are in no split
            self.splits = dict.fromkeys(self.splits, "")

    def read(self, number: int, split: str, record: bytes) -> tuple[int, Row]:
        found = self.splits[split]
        row = Row(found or "", f"{number:08}", position=number)
        if found is None:
            row.fatal = unknown_split(split)
            return number, row
        try:
            example = parse_example(record)
            data = example[self.image][0]
        except (ValueError, KeyError, IndexError) as error:
            row.fatal = f"unreadable record ({error})"
            return number, row
        fill_content(row, data)
        self._fill_labels(row, example)
        if self.own:
            self._fill_own(row, example)
            return example["row"][0], row
        if example.get(self.columns["id"]):
            row.id = _text(example[self.columns["id"]][0])
        return number, row

    def _fill_labels(self, row: Row, example: dict) -> None:
        code = example.get(self.columns["emotion"], [])
        if code and _weight(example, "emotion"):
            row.label = self._label(code[0])
        for axis in AXES:
            value = example.get(self.columns[axis], [])
            if value and _weight(example, axis):
                setattr(row, axis, float(value[0]))
            elif axis in self.spec.targets:
                row.problems.append(f"{axis}: not labelled")

    def _label(self, code) -> str | None:
        if isinstance(code, bytes):
            return _text(code)
        if code < 0:  # TensorFlow Datasets' mark of no label
            return None
        name = self.names[code] if code < len(self.names) else str(code)
        return str(code) if str(code) in {**self.spec.labels, **self.spec.drop_labels} else name

    def _fill_own(self, row: Row, example: dict) -> None:
        for name in ("id", "path", "split", "content"):
            setattr(row, name, _text(example[name][0]) if example[name] else "")
        row.extent = tuple(example["extent"])
        if example.get("votes"):
            row.votes = np.array(example["votes"], np.float32)
        if example.get("landmarks"):
            row.landmarks = np.array(example["landmarks"], np.float32).reshape(68, 2)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _weight(example: dict, name: str) -> bool:
    return bool(example.get(f"{name}_weight", [1.0])[0])


class RecordImages:
    """Images in records: the source behind sets in shards.

    Args:
        records: has `read(number)`.
        feature: name of the image in an example.
        positions: record of each row of the index.
    """

    def __init__(self, records, feature: str, positions):
        self.records, self.feature, self.positions = records, feature, np.asarray(positions)

    def __len__(self) -> int:
        return len(self.positions)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: an unreadable image.
        """
        return decode_image(example_bytes(self.records.read(int(self.positions[row])), self.feature))


def open_images(root: Path, paths, positions, name: str = "") -> RecordImages:
    """Return the source of the images in the shards of the set called `name`."""
    folder = _set_folder(root, name)
    return RecordImages(open_records(folder), image_feature(folder), positions)


class NamedSet:
    """The reader of one set among those in a folder of TensorFlow Datasets.

    Args:
        name: of the set, as `tfds.load` takes it.
    """

    list_files, read_rows = staticmethod(list_files), staticmethod(read_rows)

    def __init__(self, name: str):
        self.name = name

    def open_images(self, root: Path, paths, positions) -> RecordImages:
        """Return the source of the images in the set's shards."""
        return open_images(root, paths, positions, self.name)


def open_records(folder: Path):
    """Return the records of all shards of a set, in the order of `list_files`."""
    return RECORDS[_info(folder).get("fileFormat", "tfrecord")]([path for _, path in _shards(folder)])


def image_feature(folder: Path) -> str:
    """Return the name of the set's image: `image`, or its only one.

    Raises:
        ValueError: no image, or several and none called so.
    """
    images = [name for name, kind in _features(folder).items() if kind.endswith("Image")]
    if "image" in images or len(images) == 1:
        return "image" if "image" in images else images[0]
    raise ValueError(f"{folder} expects one image an example. Received: {', '.join(images) or 'none'}.")


def _features(folder: Path) -> dict[str, str]:
    """Return name -> class of each feature of a set."""
    content = json.loads((folder / FEATURES_FILE).read_text(encoding="utf-8"))
    return {name: item["pythonClassName"] for name, item in content["featuresDict"]["features"].items()}


def _info(folder: Path) -> dict:
    return json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))


def _shards(folder: Path) -> list[tuple[str, Path]]:
    """Return split and file of each shard, in order.

    Raises:
        ValueError: a file format that cannot be read, or shards that are not all there.
    """
    info = _info(folder)
    form = info.get("fileFormat", "tfrecord")
    if form not in RECORDS:
        raise ValueError(f"{folder} expects shards in one of {', '.join(RECORDS)}. Received: {form}.")
    shards = []
    for split in info["splits"]:
        found = sorted(folder.glob(f"*-{split['name']}.{form}-?????-of-?????"))
        if len(found) != len(split["shardLengths"]):
            raise ValueError(
                f"{folder} expects {len(split['shardLengths'])} shards of {split['name']}. Received: {len(found)}. "
                "Prepare or copy the data set again."
            )
        shards += [(split["name"], path) for path in found]
    return shards


def _set_folder(root: Path, name: str = "") -> Path:
    """Return the folder with the set's information: `root`, or the newest version under `root/name`."""
    if (root / INFO_FILE).is_file():
        return root
    found = sorted((root / name).rglob(INFO_FILE), key=lambda path: _version(path.parent.name))
    if not found:
        raise ValueError(
            f"No data set of TensorFlow Datasets in {root}. Expected {INFO_FILE} in it"
            + (f" or under {name}/, as tfds.load({name!r}, data_dir=...) writes it." if name else ".")
        )
    return found[-1].parent


def _version(name: str) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in name.split(".")]
