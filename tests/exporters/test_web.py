"""The page as a folder: what is in it, what it says of the model, where its runtime comes from, what is never replaced."""

import dataclasses
import hashlib
import io
import json
import re
import shutil
import tarfile

import pytest

from fer_keras.bundled import bundled_model
from fer_keras.exporters import web, web_runtime
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.export_run import FAILED, KEPT, export_run
from fer_keras.exporters.source import ExportSource
from fer_keras.exporters.web_runtime import FILES
from fer_keras.formats import FORMATS
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.bundle_parts import Calibration


@pytest.fixture
def runtime(tmp_path):
    """A folder with files of the runtime's names."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def options(runtime):
    return ExportOptions(samples=16, calibration_samples=8, web_runtime=str(runtime))


@pytest.fixture
def bundled(options, tmp_path):
    """The bundled model as a source, whose ONNX file is copied, which takes no TensorFlow."""
    return ExportSource(None, load_bundle(bundled_model("fast")), tmp_path, None, options)


def write_page(source, path):
    web._write(
        source, path, lambda source, file: {"bytes": shutil.copyfile(source.bundle.directory / "model.onnx", file)}
    )
    return json.loads((path / "page.json").read_text())


def test_the_page_is_exported_and_its_model_answers_as_keras_does(run, options, tmp_path):
    target = tmp_path / "out"
    (result,) = export_run(load_bundle(run), ("web",), target, options)
    assert result.verdict == KEPT, result.reasons
    assert {path.name for path in target.iterdir()} == {"web", "bundle.json", "labels.txt"}
    assert load_bundle(target).exports["web"].file == "web"
    predictor = Predictor.load(target)
    assert (predictor.file.format, predictor.file.path) == ("web", target / "web" / "model.onnx")
    (again,) = export_run(load_bundle(run), ("web",), target, options)  # its own folder is replaced
    assert again.verdict == KEPT


def test_another_folder_of_that_name_stays(run, options, tmp_path):
    (tmp_path / "out" / "web").mkdir(parents=True)
    (tmp_path / "out" / "web" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="web is there already"):
        export_run(load_bundle(run), ("web",), tmp_path / "out", options)
    assert (tmp_path / "out" / "web" / "mine.txt").read_text() == "mine"


def test_a_model_of_levelled_faces_fails_with_the_reason(run, options, tmp_path):
    bundle = load_bundle(run)
    model = dataclasses.replace(bundle.model, input=dataclasses.replace(bundle.model.input, align=True))
    (result,) = export_run(dataclasses.replace(bundle, model=model), ("web",), tmp_path / "out", options)
    assert result.verdict == FAILED and "--align" in result.reasons[0] and not (tmp_path / "out" / "web").exists()


def test_what_the_page_knows_is_the_bundles(bundled, tmp_path):
    bundled.bundle.calibration = Calibration(1.25, "ferplus/validation")
    facts = write_page(bundled, tmp_path / "page")
    assert facts["labels"] == list(bundled.bundle.labels) and facts["image_size"] == [64, 64]
    assert facts["temperature"] == 1.25 and facts["detector"] is None and "FER+" in facts["model"]["licence"]
    assert facts["geometry"] == dict(bundled.bundle.model.input.geometry)


def test_yunets_file_goes_along_where_it_is(bundled, yunet_file, tmp_path):
    options = dataclasses.replace(bundled.options, detector_model=str(yunet_file))
    facts = write_page(dataclasses.replace(bundled, options=options), tmp_path / "page")
    assert (tmp_path / "page" / facts["detector"]["file"]).read_bytes() == yunet_file.read_bytes()
    with pytest.raises(FileNotFoundError, match="--detector-model"):
        web.check_web(dataclasses.replace(options, detector_model=str(tmp_path / "none.onnx")))


def test_the_stamp_changes_with_any_file_and_webgpu_is_not_kept(bundled, runtime, tmp_path):
    first = write_page(bundled, tmp_path / "one")
    (runtime / FILES[0]).write_text("newer")
    assert write_page(bundled, tmp_path / "two")["stamp"] != first["stamp"]
    assert all((tmp_path / "one" / name).is_file() for name in first["files"])
    assert not any("webgpu" in name or "asyncify" in name for name in first["files"])
    assert {"index.html", "modules/main.js", "model.onnx"} <= set(first["files"])


def test_the_page_asks_no_other_place():
    """Its policy names only itself, and nothing in it names another address."""
    folder = web.resources.files("fer_keras.exporters") / "web_page"
    page = (folder / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'content="(default-src[^"]+)"', page)[1]
    assert policy.startswith("default-src 'none'") and "connect-src 'self';" in policy and "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy and "http" not in policy
    worker = "".join(
        re.findall(r'"([^"]*)"', (folder / "service_worker.js").read_text().split("POLICY =")[1].split(";\n")[0])
    )
    assert worker == f"{policy}; frame-ancestors 'self'"  # a meta element cannot say the last one
    texts = [page, *(path.read_text(encoding="utf-8") for path in (folder / "modules").iterdir())]
    assert not any(re.search(r"https?://", text) for text in texts)
    assert "<script>" not in page and " style=" not in page and not re.search(r"\son\w+=", page)


def test_all_leaves_the_page_out():
    from fer_keras.formats import parse_formats

    named = {name for name, kind in FORMATS.items() if kind.named_only}
    assert named == {"web", "web-int8"} and not named.intersection(parse_formats("all"))
    assert parse_formats("web,h5") == ("web", "h5")


def test_the_runtime_is_found_where_it_is_named(runtime, tmp_path, monkeypatch):
    assert web_runtime.web_runtime(runtime) == runtime
    package = tmp_path / "unpacked" / "package"
    shutil.copytree(runtime, package / "dist")
    monkeypatch.setenv("FER_KERAS_WEB_RUNTIME", str(package.parent))
    assert web_runtime.web_runtime() == package / "dist"
    (package / "dist" / FILES[2]).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{FILES[2]}.*FER_KERAS_WEB_RUNTIME"):
        web_runtime.web_runtime()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """npm's package with files of the right names, its address, and the checksum to expect."""
    path = tmp_path / "onnxruntime-web.tgz"
    with tarfile.open(path, "w:gz") as file:
        for name in FILES:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            file.addfile(entry, io.BytesIO(name.encode()))
    digest = hashlib.sha512(path.read_bytes()).hexdigest()
    monkeypatch.setattr(web_runtime, "_PACKAGE", dataclasses.replace(web_runtime._PACKAGE, digest=digest))
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FER_KERAS_OFFLINE", "0")
    return path


def test_the_runtime_is_fetched_once(archive, capsys):
    folder = web_runtime.web_runtime(address=archive.as_uri())
    assert [(folder / name).read_text() for name in FILES] == list(FILES)
    assert "onnxruntime-web" in capsys.readouterr().err
    archive.unlink()
    assert web_runtime.web_runtime(forbidden=True) == folder and not capsys.readouterr().err


def test_another_file_is_refused_and_not_kept(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(web_runtime, "_PACKAGE", dataclasses.replace(web_runtime._PACKAGE, digest="other"))
    with pytest.raises(ValueError, match="Expected SHA-512 other"):
        web_runtime.web_runtime(address=archive.as_uri())
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


@pytest.mark.parametrize("how", ["--offline", "$FER_KERAS_OFFLINE"])
def test_without_the_network_it_says_what_to_do(how, archive, monkeypatch):
    monkeypatch.setenv("FER_KERAS_OFFLINE", "1" if how.startswith("$") else "0")
    with pytest.raises(ValueError, match=re.escape(f"{how} forbids")) as error:
        web_runtime.web_runtime(forbidden=how == "--offline", address=archive.as_uri())
    assert "npm pack onnxruntime-web" in str(error.value) and "\n" not in str(error.value)


def test_a_download_that_fails_says_what_to_do(archive):
    with pytest.raises(ValueError, match="could not be downloaded.*--web-runtime"):
        web_runtime.web_runtime(address=archive.with_name("no.tgz").as_uri())
