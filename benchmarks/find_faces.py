"""Faces found where they are known to be: each installed detector on scikit-image's astronaut, and on two videos made of it.

  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/find_faces.py
  python benchmarks/find_faces.py --detector-model mediapipe=face_detection_full_range_sparse.tflite

The picture (public domain) is looked at alone and tiled into a group of twelve, every second one mirrored: a face counts as
found where a box overlaps the place marked by hand by 0.5 (intersection over union). In the videos, 640 x 360, one face is
moved, tilted and zoomed (150 frames), and two or three drift (100 frames, 260 faces); there 0.4 counts, for tilted faces have
no upright place. Detectors look at videos as `predict` does; `whole` looks everywhere in each frame. Settings of Haar in
videos (640 px, everywhere every 0.4 s) were chosen on these two videos.

  python benchmarks/find_faces.py --ferplus ferplus.npz

also looks for 400 faces of FER+'s training split, each filling a picture of 48 px, and for the same in 40 mosaics of ten on
grey, 48 to 144 px a side. What finds faces that fill a picture was chosen on 400 others.

  python benchmarks/find_faces.py --faceless

counts the boxes where no face is: in scikit-image's pictures without one at three sizes, in the astronaut's suit and arms below
the chin, mirrored too, and in the 100 patches of its `lfw_subset` that are no faces, ten to a mosaic.
"""

import argparse
import time

import cv2
import numpy as np
from skimage import data
from skimage.data import astronaut

from fer_keras.faces.detection import overlap
from fer_keras.faces.detectors import DETECTORS
from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.metrics.intervals import wilson_interval
from fer_keras.video.clip import find_in_clip
from fer_keras.video.frames import Frame

FACE = (176, 66, 270, 172)  # hairline to chin, temple to temple
PART = (118, 20, 210)  # left, top and side of the square that is tiled


def tile(side: int, mirrored: bool) -> tuple[np.ndarray, tuple]:
    """A square of the picture and the face's box in it."""
    left, top, whole = PART
    image = cv2.resize(astronaut()[top : top + whole, left : left + whole], (side, side), interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = ((value - shift) * side / whole for value, shift in zip(FACE, (left, top) * 2, strict=True))
    return (image[:, ::-1], (side - x1, y0, side - x0, y1)) if mirrored else (image, (x0, y0, x1, y1))


def paste(frame: np.ndarray, x: int, y: int, side: int, mirrored: bool) -> tuple:
    """Put a tile into a frame; return where its face is."""
    image, box = tile(side, mirrored)
    frame[y : y + side, x : x + side] = image
    return tuple(np.add(box, (x, y, x, y)))


def group() -> tuple[np.ndarray, list]:
    """Twelve faces in three rows."""
    frame = np.zeros((480, 640, 3), np.uint8)
    places = [(row, column) for row in range(3) for column in range(4)]
    return frame, [paste(frame, 160 * column, 160 * row, 160, (row + column) % 2 == 0) for row, column in places]


def moved():
    """One face moved, tilted and zoomed."""
    corners = np.array([FACE[:2], (FACE[2], FACE[1]), FACE[2:], (FACE[0], FACE[3])], float)
    half = np.array([FACE[2] - FACE[0], FACE[3] - FACE[1]]) / 2
    for number in range(150):
        zoom = 0.75 + 0.3 * np.sin(number / 31)
        turn = cv2.getRotationMatrix2D((223, 119), 8 * np.sin(number / 13), zoom)
        turn[:, 2] += 97 + 120 * np.sin(number / 19), 61 + 60 * np.cos(number / 11)
        middle = (corners @ turn[:, :2].T + turn[:, 2]).mean(0)
        box = (*(middle - zoom * half), *(middle + zoom * half))
        yield cv2.warpAffine(astronaut(), turn, (640, 360), borderValue=(90, 100, 110)), [box]


def drifting():
    """Two faces drift, a third comes and goes."""
    for number in range(100):
        frame, boxes = np.full((360, 640, 3), 100, np.uint8), []
        for face in range(2 if number % 50 < 20 else 3):
            x = int(30 + 195 * face + 25 * np.sin(number / 9 + face))
            y = int(45 + 40 * face + 40 * np.cos(number / 7 + 2 * face))
            boxes.append(paste(frame, x, y, 150, face % 2 == 0))
        yield frame, boxes


def count(found: list, places: list, least: float) -> tuple[int, int]:
    """How many places have a box, and how many boxes are beyond that."""
    hits = sum(any(overlap(face.face_box, place) >= least for face in found) for place in places)
    return hits, len(found) - hits


def watch(find, video) -> str:
    """Faces found in a video, boxes elsewhere, CPU time a frame."""
    frames = list(video())
    started = time.process_time()
    found = list(find(Frame(number, number / 25, frame) for number, (frame, _) in enumerate(frames)))
    milliseconds = (time.process_time() - started) / len(frames) * 1000
    counts = np.sum([count(faces, boxes, 0.4) for faces, (_, boxes) in zip(found, frames, strict=True)], axis=0)
    total = sum(len(boxes) for _, boxes in frames)
    return f"{counts[0]} of {total}, {counts[1]} elsewhere, {milliseconds:.1f} ms"


def cut_faces(archive: str) -> np.ndarray:
    """(400, 48, 48) grey faces of FER+'s training split that few annotators doubted; none that a setting was chosen on."""
    with np.load(archive) as arrays:
        rows = np.flatnonzero((arrays["votes"][:, 8:].sum(1) <= 2) & (arrays["usage"] == 0))
        chosen = np.random.default_rng(1).permutation(rows)[400:800]
        return arrays["images"][chosen].reshape(-1, 48, 48)


def mosaics(faces: np.ndarray):
    """Pictures of ten faces on grey, with their places."""
    rng = np.random.default_rng(2)
    for start in range(0, len(faces), 10):
        frame, places = np.full((360, 800, 3), 110, np.uint8), []
        for number, face in enumerate(faces[start : start + 10]):
            side = int(rng.integers(48, 145))
            x = 160 * (number % 5) + int(rng.integers(0, 161 - side))
            y = 180 * (number // 5) + int(rng.integers(0, 181 - side))
            frame[y : y + side, x : x + side] = cv2.resize(face, (side, side))[:, :, None]
            places.append((x, y, x + side, y + side))
        yield frame, places


def found_share(hits: int, faces: int) -> str:
    """A count with its share and 95 % interval."""
    low, high = wilson_interval(hits, faces)
    return f"{hits} of {faces}, {hits / faces:.3f} ({low:.3f} to {high:.3f})"


def look_at_cut_faces(name: str, finder: FaceFinder, faces: np.ndarray) -> None:
    """Print a detector's row of the second table."""
    alone = sum(bool(finder.find(np.repeat(face[:, :, None], 3, 2))) for face in faces)
    # A detector's box of a face is smaller than a cut face, so that half of the overlap is much.
    counts = np.sum([count(finder.find(frame), places, 0.3) for frame, places in mosaics(faces)], axis=0)
    told = f"{found_share(int(counts[0]), len(faces))}, {counts[1]} elsewhere"
    print(f"| {name} | {found_share(alone, len(faces))} | {told} |", flush=True)


def faceless():
    """Yield pictures without a face, by kind."""
    for name in ("chelsea", "coffee", "moon", "page", "text", "rocket", "grass", "gravel", "brick", "horse"):
        picture = getattr(data, name)()
        picture = (picture * 255).astype(np.uint8) if picture.dtype == bool else picture
        picture = np.repeat(picture[:, :, None], 3, 2) if picture.ndim == 2 else picture
        yield from (("photos", cv2.resize(picture, None, fx=scale, fy=scale)) for scale in (0.5, 1, 2))
    body = astronaut()[185:]
    for scale in (0.5, 1, 2):
        yield from (("suit and arms", cv2.resize(side, None, fx=scale, fy=scale)) for side in (body, body[:, ::-1]))
    patches = (data.lfw_subset()[100:] * 255).astype(np.uint8)
    for start in range(0, len(patches), 10):
        large = [cv2.resize(patch, (144, 144), interpolation=cv2.INTER_CUBIC) for patch in patches[start : start + 10]]
        frame = np.full((360, 800, 3), 110, np.uint8)
        for number, patch in enumerate(large):
            x, y = 160 * (number % 5) + 8, 180 * (number // 5) + 18
            frame[y : y + 144, x : x + 144] = patch[:, :, None]
        yield "mosaics", frame


def look_where_no_face_is(name: str, finder: FaceFinder) -> None:
    """Print a detector's row of the third table."""
    boxes: dict[str, list[int]] = {}
    for kind, picture in faceless():
        boxes.setdefault(kind, []).append(len(finder.find(np.ascontiguousarray(picture))))
    told = [f"{sum(found)} in {sum(map(bool, found))} of {len(found)}" for found in boxes.values()]
    print(f"| {name} | {' | '.join(told)} |", flush=True)


def main() -> None:
    """Print a row a detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector-model", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--ferplus", metavar="FILE", help="ferplus.npz, for the table of cut faces")
    parser.add_argument("--faceless", action="store_true", help="only the table of pictures without faces")
    args = parser.parse_args()
    if args.faceless:
        print("| detector | photos | suit and arms | mosaics |\n|---|---|---|---|")
        for name in ("yunet", "haar"):
            look_where_no_face_is(name, FaceFinder(FinderOptions(name)))
        return
    files = dict(text.split("=", 1) for text in args.detector_model)
    finders: dict[str, FaceFinder] = {}
    print("| detector | alone | group | one face moved | faces drift |\n|---|---|---|---|---|")
    for name, entry in DETECTORS.items():
        try:
            finder = FaceFinder(FinderOptions(name, files.get(name))) if entry.installed else None
        except ValueError as error:
            print(f"{name}: {error}")
            continue
        if finder is None:
            print(f"{name}: not installed")
            continue
        finders[name] = finder
        ways = {name: lambda clip, finder=finder: (faces for _, faces in find_in_clip(clip, finder))}
        if finder.detector.sweep:
            side = finder.detector.video_side
            ways[f"{name}, whole"] = lambda clip, finder=finder, side=side: (finder.detect(f.image, side) for f in clip)
        alone = count(finder.find(astronaut()), [FACE], 0.5)
        crowd, places = group()
        many = count(finder.find(crowd), places, 0.5)
        for way, find in ways.items():
            videos = " | ".join(watch(find, video) for video in (moved, drifting))
            print(f"| {way} | {alone[0]} of 1 | {many[0]} of 12 | {videos} |", flush=True)
    if args.ferplus:
        faces = cut_faces(args.ferplus)
        print("\n| detector | faces that fill a picture of 48 px | faces in mosaics |\n|---|---|---|")
        for name, finder in finders.items():
            look_at_cut_faces(name, finder, faces)


if __name__ == "__main__":
    main()
