"""Prepared shards: the same labels, splits and pixels as the files they were made of; whole or not there."""

import json
import os
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_keras import prepare
from fer_keras.batches.image_format import IMAGE_FORMATS, ImageFormat
from fer_keras.batches.inputs import open_split
from fer_keras.batches.shards import examples, prepare_set, prepared_spec
from fer_keras.data.loading import load_faces, load_index
from fer_keras.preprocessing import crop_face, crop_points, image_extent
from fer_keras.readers.spec import find_spec, load_spec
from fer_keras.readers.tfrecords import TFRecords, parse_example

pytest.importorskip("tensorflow_datasets", reason="needs the extra `prepare`")


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def prepared(request, faces_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "faces"
    index = load_index(load_spec("affectnet"), faces_dir, tmp_path_factory.mktemp("cache"))
    prepare_set(index, out, 32, file_format=request.param)
    return out


def test_shards_give_the_labels_splits_and_pixels_of_the_files(prepared, faces_dir):
    direct, shards = load_faces("affectnet", str(faces_dir)), load_faces("synthetic", str(prepared))
    assert shards.spec.name == "affectnet" and shards.spec.licence == direct.spec.licence
    assert shards.fingerprint() == direct.fingerprint()
    for name in ("split", "id", "path", "emotion", "valence", "arousal", "content", "extent", "subject"):
        np.testing.assert_array_equal(getattr(shards, name), getattr(direct, name), err_msg=name)
    rows = np.arange(len(direct))
    faces = [open_split(index, (32, 32), index.spec.targets).loader.load(rows)[0] for index in (direct, shards)]
    np.testing.assert_array_equal(*faces)
    expected = [
        crop_points(points, tuple(extent), (32, 32))
        for points, extent in zip(direct.landmarks, direct.extent, strict=True)
    ]
    np.testing.assert_allclose(shards.landmarks, expected, atol=1e-4)


def test_tensorflow_datasets_opens_the_shards_by_itself(prepared, faces_dir):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(prepared)
    direct = load_index(load_spec("affectnet"), faces_dir)
    assert builder.info.splits["train"].num_examples == (direct.split == "train").sum()
    assert builder.info.features["emotion"].names == list(direct.labels)
    assert "Mollahosseini" in builder.info.citation and "AffectNet" in builder.info.redistribution_info.license
    example = (
        builder.as_data_source("train")[0]
        if "array" in str(next(prepared.glob("*record*")))
        else next(iter(builder.as_dataset("train").as_numpy_iterator()))
    )
    row = int(example["row"])
    np.testing.assert_array_equal(example["image"], crop_face(direct.open_images().load(row), (32, 32)))
    assert float(example["valence"]) == direct.valence[row] and int(example["emotion"]) == direct.emotion[row]


def test_missing_labels_and_votes_survive(tmp_path):
    votes = np.zeros((4, 10), np.uint8)
    votes[:, [0, 1]] = [9, 4]
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    names = np.array([f"{number}.png" for number in range(4)], "S15")
    np.savez(tmp_path / "f.npz", images=faces, votes=votes, usage=np.array([0, 0, 0, 1], np.uint8), image_name=names)
    assert (
        prepare.main(
            ["--data-spec", "ferplus", "--data-dir", str(tmp_path / "f.npz"), "--output-dir", str(tmp_path / "out")]
        )
        == 0
    )
    index = load_faces("ferplus", str(tmp_path / "out"))
    assert index.votes.tolist() == load_faces("ferplus", str(tmp_path / "f.npz")).votes.tolist()
    assert np.isnan(index.valence).all() and index.spec.targets == ("emotion",)
    np.testing.assert_array_equal(index.open_images().load(1)[:, :, 0], faces[1])


def test_a_killed_preparation_leaves_nothing_and_starts_again(tmp_path, faces_dir, monkeypatch):
    index = load_index(load_spec("affectnet"), faces_dir)
    out = tmp_path / "out"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("fer_keras.batches.shards._labels", killed)
        prepare_set(index, out, 32)
    assert list(tmp_path.iterdir()) == []
    left = tmp_path / ".out-preparing" / "half"  # what SIGKILL would leave
    left.mkdir(parents=True)
    prepare_set(index.take(np.arange(8)), out, 32)
    assert os.listdir(tmp_path) == ["out"] and len(load_index(find_spec("synthetic", out), out)) == 8
    left.mkdir(parents=True)
    with pytest.raises(FileExistsError, match="already exists"):
        prepare_set(index, out, 32)
    assert os.listdir(tmp_path) == ["out"]


def test_a_full_disk_is_named_in_one_line_though_tensorflow_has_an_error_of_its_own_for_it(
    tmp_path, faces_dir, monkeypatch
):
    def full(*_):
        raise RuntimeError("ResourceExhaustedError: train.tfrecord; No space left on device")

    monkeypatch.setattr("fer_keras.batches.shards._labels", full)
    with pytest.raises(OSError, match=f"No space left to write {tmp_path / 'out'}"):
        prepare_set(load_index(load_spec("affectnet"), faces_dir), tmp_path / "out", 32)
    assert list(tmp_path.iterdir()) == []


def largest_changes(shards, direct, rows) -> tuple[float, int]:
    """Return how far faces are from those of the files, of 255: on average, and at most."""
    changes = [np.abs(shards.load(row).astype(int) - direct.load(row)) for row in rows]
    return float(np.mean(changes)), int(np.max(changes))


def test_jpeg_shards_are_smaller_nearly_the_same_and_say_so(faces_copy, tmp_path):
    import tensorflow_datasets as tfds

    for path in faces_copy.glob("*/images/*.jpg"):  # JPEG files of the asked size are kept as they are
        cv2.imwrite(str(path.with_suffix(".png")), cv2.imread(str(path)))
        path.unlink()
    arguments = ["--data-spec", "affectnet", "--data-dir", str(faces_copy), "--image-size", "48"]
    for name, extra in (("png", []), ("jpeg", ["--image-format", "jpeg"])):
        assert prepare.main([*arguments, "--output-dir", str(tmp_path / name), *extra]) == 0
    png, jpeg = (load_faces("synthetic", str(tmp_path / name)) for name in ("png", "jpeg"))
    for name in ("split", "id", "path", "emotion", "valence", "arousal", "content", "extent", "landmarks"):
        np.testing.assert_array_equal(getattr(jpeg, name), getattr(png, name), err_msg=name)
    mean, most = largest_changes(jpeg.open_images(), png.open_images(), range(len(png)))
    assert 0 < mean < 2.5 and most <= 24, "measured on 400 drawn faces: 1.3 and 20 (see `ImageFormat`)"
    sizes = [sum(path.stat().st_size for path in (tmp_path / name).glob("*.tfrecord-*")) for name in ("png", "jpeg")]
    assert sizes[1] < 0.75 * sizes[0]
    assert jpeg.spec.options == {"lossy": "jpeg 95"} and png.spec.options == {}
    assert jpeg.fingerprint() != png.fingerprint() == load_faces("affectnet", str(faces_copy)).fingerprint()
    builder = tfds.builder_from_directory(tmp_path / "jpeg")
    facts = json.loads(builder.info.metadata["fer_keras"])
    assert facts["image_format"] == {"name": "jpeg", "quality": 95}
    example = next(iter(builder.as_dataset("train").as_numpy_iterator()))
    assert np.abs(example["image"].astype(int) - png.open_images().load(int(example["row"]))).max() <= 24
    again = prepared_spec(jpeg, 48, ImageFormat("jpeg", 80))
    assert again.options == {"lossy": "jpeg 95, jpeg 80"} and prepared_spec(jpeg, 48).options == jpeg.spec.options


def stored(index, size: int, row: int = 0) -> bytes:
    """Return what a shard of JPEG faces holds of a row."""
    return next(iter(examples(index, np.array([row]), size, ImageFormat("jpeg"))))[1]["image"]


def test_a_jpeg_of_the_asked_size_goes_into_shards_as_it_is(faces_copy):
    index = load_index(load_spec("affectnet"), faces_copy)
    path = faces_copy / str(index.path[0])
    assert stored(index, 48) == path.read_bytes()
    assert image_extent(stored(index, 40)) == (40, 40)
    face = cv2.imread(str(path))
    grey = cv2.imencode(".jpg", face[..., 0])[1].tobytes()
    large = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    for data in (grey, large):  # another program would decode it otherwise; larger than anew
        path.write_bytes(data)
        assert stored(index, 48) != data


@pytest.mark.parametrize(
    "extra, message",
    [
        (["--image-format", "webp"], "--image-format expects one of png, jpeg. Received: 'webp'"),
        (["--image-format", "jpeg", "--jpeg-quality", "0"], "--jpeg-quality expects a number from 1 to 100"),
        (["--jpeg-quality", "90"], "--jpeg-quality expects --image-format jpeg"),
        (["--data-spec", "ferplus,face_table"], "one data set at a time.*train --data-spec ferplus,face_table"),
        (["--beam-options=--runner=x"], "--beam-options expects --beam. Received"),
    ],
)
def test_what_cannot_be_prepared_is_one_line(extra, message, tmp_path, capsys):
    assert prepare.main(["--output-dir", str(tmp_path / "out"), *extra]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and re.search(message, line)


def test_sets_prepared_one_by_one_are_joined_as_their_files_are(tmp_path, faces_dir):
    votes = np.zeros((4, 10), np.uint8)
    votes[:, 1] = 9
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    names = np.array([f"{number}.png" for number in range(4)], "S15")
    np.savez(tmp_path / "f.npz", images=faces, votes=votes, usage=np.array([0, 0, 0, 1], np.uint8), image_name=names)
    specs, places = "affectnet,ferplus", f"{faces_dir},{tmp_path / 'f.npz'}"
    for name, place in zip(specs.split(","), places.split(","), strict=True):
        prepare_set(load_index(load_spec(name), place), tmp_path / f"{name}-48", 48)
    joined = load_faces(specs, ",".join(str(tmp_path / f"{name}-48") for name in specs.split(",")))
    direct = load_faces(specs, places)
    assert joined.fingerprint() == direct.fingerprint() and joined.set_names == direct.set_names
    assert joined.spec.licence == direct.spec.licence and joined.spec.citation == direct.spec.citation


def test_damaged_shards_are_told(prepared, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    shard = next(copy.glob("*-train.*record-*"))
    if "tfrecord" in shard.name:
        os.truncate(shard, shard.stat().st_size - 5)
        with pytest.raises(ValueError, match="ends inside a record"):
            load_faces("synthetic", str(copy))
    shard.unlink()
    with pytest.raises(ValueError, match=r"expects 1 shards of train. Received: 0"):
        load_faces("synthetic", str(copy))
    with pytest.raises(ValueError, match="holds affectnet"):
        load_faces("ferplus", str(copy))


def test_any_set_of_tensorflow_datasets_is_read_by_its_name(tmp_path):
    import tensorflow_datasets as tfds

    faces = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 1), dtype=np.uint8)
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(20, 20, 1)),
            "label": tfds.features.ClassLabel(names=["Angry", "Happy", "none"]),
        }
    )
    rows = [(number, {"image": face, "label": number % 3}) for number, face in enumerate(faces)]
    builder = tfds.dataset_builders.AdhocBuilder(
        name="my_faces",
        version="1.0.0",
        features=features,
        split_datasets={"train": rows[:4], "test": rows[4:]},
        data_dir=tmp_path / "tfds",
    )
    builder.download_and_prepare(download_dir=tmp_path / "downloads")
    spec = tmp_path / "mine.toml"
    spec.write_text(
        'name = "mine"\ntitle = "Mine"\nhomepage = ""\nlicence = ""\nreader = "tfds:my_faces"\ntargets = ["emotion"]\n'
        '[labels]\nAngry = "anger"\nHappy = "happy"\n[drop_labels]\nnone = "no emotion"\n'
    )
    index = load_faces(str(spec), str(tmp_path / "tfds"), validation_fraction=0.0)
    assert index.report.dropped == {"label none (no emotion)": 2}
    found = {(index.labels[code], index.open_images().load(row)[0, 0, 0]) for row, code in enumerate(index.emotion)}
    names = ["anger", "happy"]
    assert found == {(names[number % 3], faces[number, 0, 0, 0]) for number in range(6) if number % 3 < 2}
    assert sorted(index.split.tolist()) == ["test", "train", "train", "train"]


def test_faces_without_splits_stay_without(tmp_path, faces_dir):
    index = load_index(load_spec("affectnet"), faces_dir).take(np.arange(12))
    prepare_set(replace(index, split=np.full(12, "")), tmp_path / "out", 32)
    assert next((tmp_path / "out").glob("*-unsplit.tfrecord-*")).stat().st_size
    assert set(load_index(find_spec("affectnet", tmp_path / "out"), tmp_path / "out").split) == {""}


def test_examples_are_parsed_as_tensorflow_writes_them(tmp_path):
    import tensorflow as tf

    path = tmp_path / "a.tfrecord"
    feature = {
        "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a", b""])),
        "number": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -1])),
        "code": tf.train.Feature(int64_list=tf.train.Int64List(value=[-1, 2**40])),
        "nothing": tf.train.Feature(),
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    records = TFRecords([path, path])
    assert records.counts == [1, 1]
    assert parse_example(records.read(1)) == {
        "text": [b"a", b""],
        "number": [0.5, -1.0],
        "code": [-1, 2**40],
        "nothing": [],
    }
    with pytest.raises(ValueError, match="not a tf.train.Example"):
        parse_example(b"\xff\xff")


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_beam_writes_the_same_set(tmp_path, faces_dir, image_format):
    pytest.importorskip("apache_beam", reason="needs the extra `beam`")
    index = load_index(load_spec("affectnet"), faces_dir).take(np.arange(12))
    form = ImageFormat(image_format)
    prepare_set(index, tmp_path / "plain", 32, image_format=form)
    prepare_set(index, tmp_path / "beam", 32, beam_options=["--runner=DirectRunner"], image_format=form)
    plain, beam = (load_faces("affectnet", str(tmp_path / name)) for name in ("plain", "beam"))
    assert beam.fingerprint() == plain.fingerprint()
    faces = [np.stack([opened.open_images().load(row) for row in range(12)]) for opened in (plain, beam)]
    np.testing.assert_array_equal(*faces)
