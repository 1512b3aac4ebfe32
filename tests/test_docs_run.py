"""The marked blocks of the documentation run from start to end on drawn faces, each set of them in a folder of its own."""

import csv
import importlib
import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from pages import PAGES, ROOT, read_page

from fer_keras.labels import EMOTIONS

#: What is added to a command, so that it takes seconds: the last of two equal flags counts.
SMALL = {
    "train": "--backbone small --image-size 32 --epochs 1 --batch-size 16 --max-samples 32 --head-epochs 0 --warmup-epochs 0 "
    "--va-epochs 0 --calm-epochs 0 --weights none",
    "prepare": "--image-size 32",
    "export": "--samples 32 --calibration-samples 16 --max-drop 1",
    "compare": "--repeats 2",
}
#: The same for Python.
SHORTER = {"epochs=30": "epochs=1", 'output_dir="runs/python"': 'output_dir="runs/python", batch_size=16'}
#: Blocks that take seconds as they are, and print what the page says.
AS_THEY_ARE = {("README.md", "read"), ("README.md", "predict")}


def marked(kind: str) -> dict[tuple[str, str], list]:
    """Return (page, name) -> its blocks with that mark, in order."""
    found: dict[tuple[str, str], list] = {}
    for path in PAGES:
        for block in read_page(path)[0]:
            if kind in block.marks:
                found.setdefault((path.name, block.marks[kind]), []).append(block)
    return found


def run(block, add: dict[str, str]) -> None:
    """Run a block here and now."""
    if block.language == "python":
        text = block.text
        for words, others in (SHORTER if add else {}).items():
            text = text.replace(words, others)
        exec(compile(text, f"line {block.line}", "exec"), {"__name__": "__main__"})
        return
    for words in block.commands():
        assert words[:2] == ["python", "-m"], words
        command = words[2].removeprefix("fer_keras.")
        given = words[3:] + add.get(command, "").split()
        if command == "train" and "--resume" not in given:
            given.append("--overwrite")
        assert importlib.import_module(words[2]).main(given) == 0, f"line {block.line}: {' '.join(words)}"


@pytest.mark.parametrize("page, name", sorted(AS_THEY_ARE))
def test_the_front_page_prints_what_it_says(page, name, capsys, monkeypatch):
    """Where YuNet's file is not there, Haar finds a slightly other box; 0.02 allows for that."""
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(ROOT)
    for block in marked("run")[page, name]:
        run(block, {})
    words, numbers = parted(capsys.readouterr().out)
    said, figures = parted("".join(block.text for block in marked("prints")[page, name]))
    assert words == said and numbers == pytest.approx(figures, abs=0.02)


def parted(text: str) -> tuple[str, list[float]]:
    """Return a text without its numbers, and them."""
    number = r"[+-]?\d+(?:\.\d+)?"
    return re.sub(number, "#", text), [float(found) for found in re.findall(number, text)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, faces_dir) -> Path:
    """Everything that pages name, small: data sets in every layout, photos, a video, runs."""
    from skimage.data import astronaut

    from fer_keras import train

    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(faces_dir, folder / "AffectNet")
    photo = astronaut()[:, :, ::-1]
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "face.jpg", "photos/1.jpg", "photos/2.jpg"):
        cv2.imwrite(str(folder / name), photo)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (256, 256))
    for _ in range(8):
        writer.write(cv2.resize(photo, (256, 256)))
    writer.release()
    write_layouts(folder, *drawn(faces_dir))
    arguments = ["--data-spec", "affectnet", "--data-dir", str(folder / "AffectNet"), *SMALL["train"].split()]
    assert train.main([*arguments, "--output-dir", str(folder / "runs/latest")]) == 0
    for name in ("a", "b", "seed0", "seed1", "seed2", "affectnet", "ferplus"):
        shutil.copytree(folder / "runs/latest", folder / "runs" / name)
        set_seed(folder / "runs" / name / "bundle.json", int(name[-1]) if name[-1].isdecimal() else 0)
    return folder


def set_seed(bundle: Path, seed: int) -> None:
    """Say that a run had another seed, for `compare --seeds` refuses copies."""
    facts = json.loads(bundle.read_text())
    facts["config"]["seed"] = seed
    bundle.write_text(json.dumps(facts))


def drawn(faces_dir: Path) -> tuple[np.ndarray, list[str]]:
    """Return the drawn faces, (n, 48, 48, 3) BGR, and their emotions, in an order in which every split gets all."""
    paths = sorted((faces_dir / "train_set/images").glob("*.jpg"))
    codes = [int(str(np.load(faces_dir / f"train_set/annotations/{path.stem}_exp.npy"))) for path in paths]
    order = np.argsort(codes, kind="stable")
    return np.stack([cv2.imread(str(paths[place])) for place in order]), [EMOTIONS[codes[place]] for place in order]


def write_layouts(folder: Path, images: np.ndarray, emotions: list[str]) -> None:
    """Write the faces as class folders, as a table, as FER+'s archive and as FER2013's CSV."""
    splits = [("train", "train", "validation", "test")[number % 4] for number in range(len(images))]
    lines = [("image", "emotion", "valence", "arousal", "split")]
    for number, (image, emotion, split) in enumerate(zip(images, emotions, splits, strict=True)):
        path = folder / "faces" / split / emotion / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
        lines.append((path.relative_to(folder).as_posix(), emotion, "0.5", "-0.5", split))
    with open(folder / "faces.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images])
    names = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt"]
    votes = np.zeros((len(grey), 10), np.uint8)
    votes[np.arange(len(grey)), [names.index(emotion) for emotion in emotions]] = 9
    usage = np.array([("train", "validation", "test").index(split) for split in splits], np.uint8)
    ids = np.array([f"fer{number:07}.png" for number in range(len(grey))])
    np.savez(folder / "ferplus.npz", images=grey, votes=votes, usage=usage, image_name=ids)
    kaggle = ["anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    with open(folder / "fer2013.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("emotion", "pixels", "Usage"))
        for face, emotion, number in zip(grey, emotions, usage, strict=True):
            if emotion in kaggle:
                split = ("Training", "PublicTest", "PrivateTest")[number]
                table.writerow((kaggle.index(emotion), " ".join(map(str, face.ravel())), split))


@pytest.mark.slow
@pytest.mark.parametrize("page, name", sorted(set(marked("run")) - AS_THEY_ARE))
def test_a_page_runs_on_drawn_faces(page, name, workspace, tmp_path, monkeypatch):
    shutil.copytree(workspace, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for block in marked("run")[page, name]:
        run(block, SMALL)
