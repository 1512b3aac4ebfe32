"""Writing a data set as TensorFlow Datasets shards: a few large files in place of a million small ones.

Faces are decoded, cropped and resized by the package's geometry rule and stored without loss, with every label, so that
shards and files give the same pixels and labels. As JPEG the pixels differ a little, and the spec says so; a file that is a
JPEG of the asked size, and smaller than it would be anew, is kept as it is. Any program opens
shards with `tfds.builder_from_directory`; fer_keras reads them by the `data_spec.toml` beside them.
"""

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fer_keras.batches.image_format import ImageFormat
from fer_keras.batches.loader import FaceLoader
from fer_keras.beam import import_beam, pipeline_options
from fer_keras.data.index import LOSS_OPTION, FaceIndex
from fer_keras.decoding import HEAD, image_extent, image_kind
from fer_keras.files import naming, write_text
from fer_keras.image_headers import count_channels, find_turns
from fer_keras.labels import AXES
from fer_keras.preprocessing import GEOMETRY, crop_points
from fer_keras.readers.spec import SPEC_FILE, dump_spec

VERSION = "1.0.0"
UNSPLIT = "unsplit"  # name of the shards of faces that are not in a split yet

FILE_FORMATS = ("tfrecord", "array_record")


def prepare_set(
    index: FaceIndex,
    output_dir: str | Path,
    image_size: int,
    *,
    file_format: str = FILE_FORMATS[0],
    image_format: ImageFormat | None = None,
    beam_options: list[str] | None = None,
) -> dict[str, int]:
    """Write an index and its faces as a TFDS data set.

    A killed call leaves nothing at `output_dir`: shards are written to a hidden folder beside it, which is renamed when it is
    complete and which the next call clears.

    Args:
        index: the faces; a face that is in no split yet stays so.
        output_dir: the folder to create.
        image_size: side of the faces in pixels.
        file_format: tfrecord, or array_record.
        image_format: format of the images; default: PNG.
        beam_options: arguments of an Apache Beam pipeline ("--runner=DirectRunner"); None: this process writes the shards.

    Returns:
        Number of faces written, by split; the other faces of the index could not be read.

    Raises:
        ValueError: TensorFlow Datasets or Apache Beam is not installed, or the format is unknown.
        FileExistsError: `output_dir` exists and is not empty.
        OSError: the disk is full.
    """
    output = Path(output_dir).expanduser().absolute()
    place = output.with_name(f".{output.name}-preparing")
    # Before a refusal: a call that was killed at its very end has left the folder beside its result.
    shutil.rmtree(place, ignore_errors=True)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileExistsError(f"{output} already exists. Name another --output-dir, or remove it.")
    if file_format not in FILE_FORMATS:
        raise ValueError(f"--file-format expects one of {', '.join(FILE_FORMATS)}. Received: {file_format!r}.")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        contents = _Contents(index, image_size, image_format or ImageFormat())
        with naming(output):
            builder = _build(contents, place, file_format, beam_options)
        shards = Path(builder.data_dir)
        write_text(shards / SPEC_FILE, dump_spec(prepared_spec(index, image_size, contents.image_format)))
        with contextlib.suppress(FileNotFoundError):
            output.rmdir()
        os.replace(shards, output)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return {name: split.num_examples for name, split in builder.info.splits.items()}


@dataclass(frozen=True)
class _Contents:
    """What shards are made of: faces, the side they get in pixels, and how the pixels are kept."""

    index: FaceIndex
    image_size: int
    image_format: ImageFormat

    def examples(self, rows: np.ndarray):
        """Yield key and features of each row whose image can be read."""
        return examples(self.index, rows, self.image_size, self.image_format)


def prepared_spec(index: FaceIndex, image_size: int, image_format: ImageFormat | None = None):
    """Return the spec that reads a prepared copy of an index: the same set, from shards, with the loss of its pixels."""
    labels = {name: name for name in index.labels}
    losses = [index.spec.options.get(LOSS_OPTION), (image_format or ImageFormat()).loss]
    options = {LOSS_OPTION: ", ".join(filter(None, losses))} if any(losses) else {}
    return replace(
        index.spec,
        reader="tfds",
        image_size=image_size,
        labels=labels,
        drop_labels={},
        missing_va=None,
        va_range=None,
        options=options,
    )


def examples(index: FaceIndex, rows: np.ndarray, image_size: int, image_format: ImageFormat):
    """Yield key and features of each row whose image can be read."""
    source = index.open_images()
    loader, file_of = FaceLoader(source, (image_size, image_size)), getattr(source, "data", None)
    for row in rows.tolist():
        images, readable = loader.load(np.array([row]))
        if readable[0]:
            image = image_format.encoded(images[0])
            if isinstance(image, bytes) and file_of and _is_plain_jpeg(data := file_of(row), image_size):
                image = min(data, image, key=len)  # nothing is lost, and nothing decodes faster
            features = {**_labels(index, row, image_size), "image": image}
            yield f"{index.split[row]}/{index.id[row]}", features


def _is_plain_jpeg(data: bytes, image_size: int) -> bool:
    """Whether a file is a JPEG that every program decodes to just the prepared face: of its size, in colour and upright."""
    if image_kind(data[:HEAD]) != "jpeg" or find_turns(data) != 1 or count_channels(data) != 3:
        return False
    return image_extent(data) == (image_size, image_size)


def _labels(index: FaceIndex, row: int, image_size: int) -> dict:
    example = {
        "emotion": int(index.emotion[row]),
        "emotion_weight": np.float32(index.emotion[row] >= 0),
        "row": row,
        "extent": index.extent[row].astype(np.int64),
        **{name: str(getattr(index, name)[row]) for name in ("id", "path", "split", "subject", "content")},
    }
    for axis in AXES:
        value = getattr(index, axis)[row]
        example[axis] = np.float32(0 if np.isnan(value) else value)
        example[f"{axis}_weight"] = np.float32(not np.isnan(value))
    if index.votes is not None:
        example["votes"] = index.votes[row].astype(np.float32)
    if index.landmarks is not None:
        example["landmarks"] = _landmarks(index, row, (image_size, image_size))
    return example


def _landmarks(index: FaceIndex, row: int, image_size: tuple[int, int]) -> np.ndarray:
    """Return a row's landmarks in pixels of the prepared face; all NaN where it has none or its extent is unknown."""
    extent, box = index.extent[row].tolist(), None if index.face_box is None else index.face_box[row]
    if not all(extent):
        return np.full((68, 2), np.nan, np.float32)
    whole = box is None or np.isnan(box[0])
    return crop_points(index.landmarks[row], tuple(extent), image_size, None if whole else box.tolist())


def _build(contents: _Contents, place: Path, file_format: str, beam_options: list[str] | None):
    tfds, index = _tensorflow_datasets(), contents.index
    beam = None if beam_options is None else import_beam("--beam")

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = f"fer_keras_{index.spec.name}"
        VERSION = tfds.core.Version(VERSION)
        pkg_dir_path = place

        def _info(self):
            return _dataset_info(tfds, self, contents)

        def _split_generators(self, dl_manager):
            names = index.split
            return {
                name or UNSPLIT: self._generate_examples(np.flatnonzero(names == name)) for name in np.unique(names)
            }

        def _generate_examples(self, rows):
            if beam is None:
                return contents.examples(rows)
            chunks = np.array_split(rows, max(1, len(rows) // 500))
            return beam.Create(chunks) | beam.FlatMap(contents.examples)

    builder = Builder(data_dir=str(place), file_format=file_format)
    config = tfds.download.DownloadConfig(try_download_gcs=False, compute_stats="skip")
    if beam:
        config = config.replace(beam_options=pipeline_options(beam_options))
    builder.download_and_prepare(download_config=config, download_dir=str(place / "downloads"))
    return builder


def _dataset_info(tfds, builder, contents: _Contents):
    index, image_size, image_format = contents.index, contents.image_size, contents.image_format
    spec, scalar = index.spec, np.float32
    features = {
        "image": tfds.features.Image(shape=(image_size, image_size, 3), encoding_format=image_format.name),
        "emotion": tfds.features.ClassLabel(names=list(index.labels)),
        "emotion_weight": scalar,
        **{f"{axis}{part}": scalar for axis in AXES for part in ("", "_weight")},
        **{name: tfds.features.Text() for name in ("id", "path", "split", "subject", "content")},
        "row": np.int64,
        "extent": tfds.features.Tensor(shape=(2,), dtype=np.int64),
    }
    if index.votes is not None:
        features["votes"] = tfds.features.Tensor(shape=(len(index.labels),), dtype=np.float32)
    if index.landmarks is not None:
        features["landmarks"] = tfds.features.Tensor(shape=(68, 2), dtype=np.float32)
    facts = {"labels": list(index.labels), "geometry": GEOMETRY, "image_format": asdict(image_format)}
    facts["report"] = asdict(index.report)
    return tfds.core.DatasetInfo(
        builder=builder,
        description=f"{spec.title}. Faces of {image_size} px, RGB, prepared by fer_keras. {spec.note}".strip(),
        features=tfds.features.FeaturesDict(features),
        supervised_keys=("image", "emotion"),
        homepage=spec.homepage,
        citation=spec.citation,
        license=spec.licence,
        metadata=tfds.core.MetadataDict(fer_keras=json.dumps(facts)),
    )


def _tensorflow_datasets():
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ValueError("Preparing needs TensorFlow Datasets: pip install 'fer_keras[prepare]'.") from error
    return tensorflow_datasets
