"""A page that reads faces in the browser, without a server: a folder that any static host serves.

The folder holds the page (`web_page/`, plain ES modules, copied as they are), the model as ONNX, YuNet's file where it is
found, onnxruntime-web, and `page.json`: the facts of the bundle and of this package that the page reads. No frame leaves
the browser; the page's Content-Security-Policy lets it ask only the place it came from.
"""

import hashlib
import shutil
from importlib import resources
from pathlib import Path

import fer_keras
from fer_keras.drawing.palette import FACE_COLOURS, class_colour
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.onnx_graph import export_onnx, export_onnx_int8
from fer_keras.exporters.web_runtime import FILES, VERSION, web_runtime
from fer_keras.faces.finder import PHOTO_SIDE
from fer_keras.faces.reader_options import FinderOptions
from fer_keras.faces.yunet import CONFIDENCE, OVERLAP, YuNetDetector, find_yunet
from fer_keras.files import write_json
from fer_keras.preprocessing import GEOMETRY

MODEL, DETECTOR, FACTS, RUNTIME = "model.onnx", "yunet.onnx", "page.json", "runtime"
#: Fetched only by browsers that use WebGPU, 27 MB.
_ON_DEMAND = ("webgpu", "asyncify")


def export_web(source, path: Path) -> dict:
    """Write the page with the model in float32.

    Args:
        source: an `ExportSource`.
        path: the folder to write.

    Returns:
        Facts for the bundle: the versions of what is in it, and whether the page finds faces.

    Raises:
        ValueError: the model expects levelled faces, which the page does not make; or onnxruntime-web cannot be fetched.
    """
    return _write(source, path, export_onnx)


def export_web_int8(source, path: Path) -> dict:
    """Write the page with the model in int8, a quarter of the bytes. See `export_web`.

    Raises:
        ValueError: also if no training faces can be read.
    """
    return _write(source, path, export_onnx_int8)


def check_web(options: ExportOptions) -> None:
    """Find what the page is made of before the model is loaded; onnxruntime-web is fetched where it is not there.

    Raises:
        FileNotFoundError, ValueError: as `web_runtime`, or no file at `options.detector_model`.
    """
    web_runtime(options.web_runtime, forbidden=options.offline)
    _detector(options)


def _write(source, path: Path, export_model) -> dict:
    if source.bundle.aligned:
        raise ValueError(
            "the model was trained on faces turned until their eyes are level (--align), and the page does not turn them"
        )
    runtime = web_runtime(source.options.web_runtime, forbidden=source.options.offline)
    detector = _detector(source.options)
    with resources.as_file(resources.files("fer_keras.exporters") / "web_page") as page:
        shutil.copytree(page, path, ignore=shutil.ignore_patterns("__pycache__"))
    details = export_model(source, path / MODEL)
    if detector:
        shutil.copyfile(detector, path / DETECTOR)
    (path / RUNTIME).mkdir()
    for name in FILES:
        shutil.copyfile(runtime / name, path / RUNTIME / name)
    write_json(path / FACTS, {**page_facts(source, bool(detector)), **_listing(path)})
    return {**details, "onnxruntime_web": VERSION, "detector": "yunet" if detector else None}


def page_facts(source, finds_faces: bool) -> dict:
    """Return what the page has to know, from the bundle and from the package's own constants.

    Args:
        source: an `ExportSource`.
        finds_faces: whether YuNet's file is there.
    """
    bundle, finder = source.bundle, FinderOptions()
    height, width = bundle.image_size
    return {
        "version": fer_keras.__version__,
        "model": {"file": MODEL, "backbone": bundle.model.backbone, "licence": source.licence},
        "image_size": [height, width],
        "geometry": bundle.model.input.geometry or GEOMETRY,
        "labels": list(source.labels),
        "outputs": list(bundle.outputs),
        "temperature": bundle.calibration.temperature if bundle.calibration else None,
        "colours": {label: class_colour(label, source.labels) for label in source.labels},
        "face_colours": list(FACE_COLOURS),
        "runtime": {"folder": RUNTIME, "version": VERSION},
        "detector": {
            "file": DETECTOR,
            "confidence": CONFIDENCE,
            "overlap": OVERLAP,
            "least_side": YuNetDetector.least_side,
            "photo_side": PHOTO_SIDE,
            "video_side": YuNetDetector.video_side,
            "min_face": finder.min_face,
            "padding": finder.padding,
        }
        if finds_faces
        else None,
    }


def _detector(options: ExportOptions) -> Path | None:
    """Return YuNet's file: the named one, or the one that is known; nothing is fetched.

    Raises:
        FileNotFoundError: no file of that name.
    """
    if options.detector_model is None:
        return find_yunet()
    path = Path(options.detector_model).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No YuNet model there. Expected a file. Received: --detector-model {path}.")
    return path


def _listing(path: Path) -> dict:
    """Return the files that the service worker keeps for use offline, and a stamp that changes with any of them."""
    digest, kept = hashlib.sha256(), []
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        name = file.relative_to(path).as_posix()
        digest.update(name.encode())
        digest.update(file.read_bytes())
        if not any(word in name for word in _ON_DEMAND):
            kept.append(name)
    return {"files": kept, "stamp": digest.hexdigest()[:16]}
