"""Near copies across splits, which inspect reports and nothing drops; and what inspect says last."""

import cv2
import numpy as np
import pytest
from faces_on_disk import NAMES, write_face

from fer_keras.data.loading import load_faces
from fer_keras.evaluation.near_copies import find_near_copies


def portrait(number: int) -> np.ndarray:
    noise = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
    return cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)


CHANGES = {
    "JPEG": lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0),
    "half the size": lambda image: cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "darker": lambda image: (image * 0.7).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_others_are_not(tmp_path, change):
    for number in range(24):
        for split, image in (("train", portrait(number)), ("test", CHANGES[change](portrait(number))))[
            : 1 + (number < 3)
        ]:
            path = tmp_path / split / NAMES[number % 4] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    (tmp_path / "train" / "happy" / "even.png").write_bytes(
        cv2.imencode(".png", np.full((64, 64), 9, np.uint8))[1].tobytes()
    )
    index = load_faces("image_folder", str(tmp_path), validation_fraction=0)
    found = find_near_copies(index)
    assert found.faces == 3 and found.left == 0 and found.compared == 28
    assert {(one.split("/")[-1], other.split("/")[-1]) for one, other, _ in found.pairs} == {
        (f"{number}.png", f"{number}.png") for number in range(3)
    }


def test_inspect_ends_with_what_was_passed_over(tmp_path, capsys):
    from fer_keras.inspect import main

    root = tmp_path / "set"
    for number in range(32):
        path = write_face(root / NAMES[number % 4] / f"{number}.png", number, side=48)
        if number < 5:  # whole by its chunks, and no decoder can read it
            data = bytearray(path.read_bytes())
            at = data.find(b"IDAT") + 6
            data[at : at + 60] = bytes(60)
            path.write_bytes(data)
    write_face(root / "bored" / "a.png", 99)
    write_face(root / "loose.png", 98)
    assert main(["--data-spec", "image_folder", "--data-dir", str(root), "--output-dir", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out.splitlines()
    end = said[said.index("passed over: 7") :]
    assert len(end) == 4 and end[1].startswith("  5 x unreadable face (bad data): ") and "neutral/0.png" in end[1]
    assert "  1 x file in a folder that is no emotion: bored: bored/a.png" in end
    assert "  1 x picture outside the class folders: loose.png" in end
