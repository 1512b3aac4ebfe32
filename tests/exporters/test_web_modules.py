"""The page's modules answer as the package does: the same pixels, boxes and faces. They run in Node, where it is installed."""

import base64
import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.prediction.csv_cells import read_cell
from fer_keras.preprocessing import crop_face, square_box
from fer_keras.runs.calibration import apply_temperature

PAGE = Path(__file__).parents[2] / "fer_keras" / "exporters" / "web_page"
MODULES = sorted([*(PAGE / "modules").glob("*.js"), *PAGE.glob("*.js")])
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node")


@pytest.fixture
def answers(tmp_path):
    """A function that runs jobs through the page's modules, see run_modules.mjs."""

    def ask(jobs: list[dict]) -> list:
        paths = tmp_path / "jobs.json", tmp_path / "answers.json"
        paths[0].write_text(json.dumps(jobs))
        (tmp_path / "package.json").write_text('{"type": "module"}')
        folder = shutil.copytree(PAGE / "modules", tmp_path / "modules", dirs_exist_ok=True)
        program = Path(__file__).with_name("run_modules.mjs")
        done = subprocess.run([NODE, program, folder, *paths], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(paths[1].read_text())

    return ask


def packed(image: np.ndarray) -> dict:
    """An RGB picture as a canvas gives it, RGBA, in base64."""
    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "rgba": base64.b64encode(rgba.tobytes()).decode(),
    }


def unpacked(answer: str, size: tuple[int, int]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(answer), np.uint8).reshape(*size, 4)[:, :, :3]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_is_whole_and_small(module, tmp_path):
    copy = tmp_path / f"{module.stem}.mjs"  # Node takes .js for the older kind of module
    shutil.copyfile(module, copy)
    done = subprocess.run([NODE, "--check", copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300


def boxes_and_sizes(astronaut_box):
    """Faces at many places and scales: shrunk by whole and by broken factors, enlarged, beyond each edge."""
    rng = np.random.default_rng(3)
    for side in (48, 64, 96, 224):
        yield None, (side, side)
        yield astronaut_box, (side, side)
        for factor in (1, 2, 3, 0.5):  # exact factors have code of their own in OpenCV
            yield (100, 60, 100 + round(side * factor), 60 + round(side * factor)), (side, side)
    for _ in range(40):
        x0, y0 = rng.uniform(-60, 440, 2)
        wide, high = rng.uniform(9, 300, 2)
        yield (float(x0), float(y0), float(max(x0, 0) + wide), float(max(y0, 0) + high)), (64, 64)
    yield astronaut_box, (40, 64)


def test_crops_are_pythons_pixel_for_pixel(answers, astronaut, astronaut_box):
    cases = list(boxes_and_sizes(astronaut_box))
    jobs = [{"kind": "crop", "picture": packed(astronaut), "box": box, "size": size} for box, size in cases]
    for (box, size), answer in zip(cases, answers(jobs), strict=True):
        expected = crop_face(astronaut, size, box)
        assert np.array_equal(unpacked(answer, size), expected), (box, size)


def test_boxes_are_pythons(answers):
    rng = np.random.default_rng(5)
    boxes = [
        (x, y, x + w, y + h) for x, y, w, h in np.round(rng.uniform(1, 90, (200, 4)) * 2) / 2
    ]  # halves are rounded
    jobs = [{"kind": "square", "box": list(box), "size": [48, 64]} for box in boxes]
    assert [tuple(answer) for answer in answers(jobs)] == [square_box(box, (48, 64)) for box in boxes]


def test_readings_are_calibrated_as_pythons(answers):
    shares = np.random.default_rng(1).dirichlet(np.full(4, 0.3), 6).astype(np.float32)
    facts = {"labels": ["a", "b", "c", "d"], "temperature": 1.3}
    outputs = {"emotion": shares.ravel().tolist(), "valence": [0.5, -2, 0, 2, 0.1, 1]}
    jobs = [{"kind": "reading", "row": row, "outputs": outputs, "facts": facts} for row in range(6)]
    found = answers(jobs)
    expected = apply_temperature(shares, 1.3)
    assert np.abs(np.array([each["probabilities"] for each in found]) - expected).max() < 1e-6
    assert [each["emotion"] for each in found] == [facts["labels"][code] for code in expected.argmax(1)]
    assert [each["valence"] for each in found][1::2] == [-1, 1, 1] and "arousal" not in found[0]


def yunet_outputs(path: Path, image: np.ndarray) -> dict[str, list]:
    """The detector's raw answers for an RGB picture whose sides are multiples of 32."""
    network = cv2.dnn.readNet(str(path))
    network.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(image[:, :, ::-1])))
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    return dict(zip(names, (values.ravel().tolist() for values in network.forward(names)), strict=True))


@pytest.mark.parametrize("picture", ["astronaut", "group"])
def test_faces_are_those_of_opencv(picture, answers, yunet_file, request):
    image = request.getfixturevalue(picture)
    network = cv2.FaceDetectorYN.create(str(yunet_file), "", image.shape[1::-1], 0.7, 0.3, 5000)
    expected = network.detect(np.ascontiguousarray(image[:, :, ::-1]))[1]
    expected = expected[np.argsort(-expected[:, 14], kind="stable")]
    limits = {"confidence": 0.7, "overlap": 0.3}
    job = {"kind": "faces", "outputs": yunet_outputs(yunet_file, image), "shape": [1, 3, *image.shape[:2]]}
    (found,) = answers([{**job, "limits": limits}])
    assert len(found) == len(expected) == (12 if picture == "group" else 1)
    boxes = np.array([face["box"] for face in found])
    boxes[:, 2:] -= boxes[:, :2]
    # Mirrored faces have nearly the same score, so the order may differ: each has a counterpart.
    for row in expected:
        near = np.abs(boxes - row[:4]).max(1).argmin()
        assert np.abs(boxes[near] - row[:4]).max() < 0.01
        assert np.abs(np.ravel(found[near]["landmarks"]) - row[4:14]).max() < 0.01
        assert abs(found[near]["score"] - row[14]) < 1e-3


def test_the_detector_sees_pictures_at_pythons_size(answers, yunet_file, monkeypatch):
    finder = FaceFinder(FinderOptions(detector="yunet", detector_model=str(yunet_file)))
    seen = []
    monkeypatch.setattr(finder.detector, "detect", lambda view: seen.append(view.shape[:2]) or [])
    cases = [(512, 512, 1280), (4000, 3001, 1280), (90, 47, 1280), (640, 480, 320), (1920, 1080, 320), (2000, 90, 1280)]
    for width, height, side in cases:
        finder.detect(np.zeros((height, width, 3), np.uint8), side)
    least = finder.detector.least_side
    found = answers([{"kind": "view", "width": w, "height": h, "side": s, "least": least} for w, h, s in cases])
    assert [(view["height"], view["width"]) for view in found] == seen


def test_the_detectors_input_is_opencvs(answers, astronaut):
    image = astronaut[:50, :70]
    padded = cv2.copyMakeBorder(image, 0, 14, 0, 26, cv2.BORDER_CONSTANT)
    expected = cv2.dnn.blobFromImage(np.ascontiguousarray(padded[:, :, ::-1]))
    (found,) = answers([{"kind": "input", "picture": packed(image)}])
    assert np.array_equal(found, expected.ravel())


def test_results_are_cells_as_the_packages_own(answers):
    names = ["plain.png", 'with "quotes", and commas.png', "=1+1.png", "-two.png", "'=three.png"]
    face = {"id": 1, "box": [0.5, -1, 2, 3], "score": 0.9, "emotion": "b", "confidence": 0.75}
    face |= {"probabilities": [0.25, 0.75], "valence": -0.5, "arousal": 0.25}
    facts = {"labels": ["a", "b"], "outputs": ["emotion", "valence", "arousal"]}
    job = {"kind": "csv", "facts": facts, "rows": [{"source": name, "seconds": "", "faces": [face]} for name in names]}
    (text,) = answers([job])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [read_cell(row["path"]) for row in rows] == names and rows[2]["path"] == "'=1+1.png"
    shares = {"probability_a": "0.25000", "probability_b": "0.75000"}
    expected = {"face": "1", "x0": "0.50000", "y0": "-1", "emotion": "b", "valence": "-0.50000", **shares}
    assert expected.items() <= rows[0].items()
