"""python -m fer_keras.export: bad input is one clear line and exit status 2, a refusal is status 1."""

import os
import subprocess
import sys

import pytest

from fer_keras import export


def fails(capsys, *args: str) -> str:
    status = export.main(list(args))
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line and "Traceback" not in line
    return line


@pytest.mark.parametrize(
    "args, expected",
    [
        (["--formats", "tflit"], "Did you mean 'tflite'?"),
        (["--formats", "onx-int8"], "Did you mean 'onnx-int8'?"),
        (["--formats", ","], "--formats expects some of"),
        (["--formats", "h5", "--samples", "0"], "--samples expects at least 1"),
        (["--formats", "h5", "--max-drop", "nan"], "--max-drop expects at least 0"),
        (["--formats", "h5"], "No model bundle in"),
    ],
)
def test_bad_input_is_one_line(args, expected, capsys, tmp_path):
    assert expected in fails(capsys, "--model", str(tmp_path / "nothing"), *args)


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, fer_keras.export; print([n for n in ('tensorflow', 'keras', 'onnx', 'cv2') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def bundle(tmp_path):
    """A folder that is a bundle as far as the checks before the model go."""
    import json

    (tmp_path / "run").mkdir()
    content = {"format": 1, "model": "model.keras", "image_size": [32, 32], "labels": [], "outputs": {"valence": {}}}
    (tmp_path / "run" / "bundle.json").write_text(json.dumps(content))
    return tmp_path / "run"


def test_a_target_that_is_a_file_is_one_line(bundle, tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    line = fails(capsys, "--model", str(bundle), "--formats", "h5", "--output-dir", str(tmp_path / "taken"))
    assert "--output-dir expects a directory" in line


def test_an_unwritable_target_is_one_line(bundle, capsys):
    line = fails(capsys, "--model", str(bundle), "--formats", "h5", "--output-dir", "/proc/exports")
    assert "/proc/exports cannot be written" in line and "Choose another --output-dir" in line


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_foreign_bundle_in_the_target_is_one_line(bundle, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bundle.json").write_text("no JSON")
    line = fails(capsys, "--model", str(bundle), "--formats", "h5", "--output-dir", str(tmp_path / "out"))
    assert "bundle.json is not a bundle" in line


def result(name: str, verdict: str, drop: float = 0.0, size: int = 1000, speed: float = 1.0):
    from fer_keras.exporters.export_run import ExportResult
    from fer_keras.runs.bundle_parts import Export

    parity = {"faces": 9, "emotion": {"largest": 0.01, "mean": 0.001}, "top_class_agreement": 0.9, "ms_per_face": speed}
    parity["scores"] = {"accuracy": {"before": 0.8, "after": 0.8 - drop, "drop": drop, "faces": 9}}
    reasons = () if verdict == "kept" else ("accuracy falls",)
    return ExportResult(name, verdict, reasons, Export("model", bytes=size, seconds=1.0, parity=parity))


@pytest.mark.parametrize("verdicts, status", [(("kept", "kept"), 0), (("kept", "refused"), 1), (("forced", "kept"), 0)])
def test_status_and_table(verdicts, status, bundle, monkeypatch, capsys):
    from fer_keras.exporters import export_run as room

    results = [result("tflite-int8", verdicts[0], size=900), result("tflite-dynamic", verdicts[1], 0.02)]

    def run(bundle, formats, directory, options, report, say):
        say("compared on 9 faces")
        for each in results:
            report(each)
        return results

    monkeypatch.setattr(room, "export_run", run)
    assert export.main(["--model", str(bundle), "--formats", "tflite-int8,tflite-dynamic"]) == status
    shown = capsys.readouterr().out
    assert "top class kept" in shown and "+2.00 points" in shown and "90.0 %" in shown
    best = "tflite-int8" if verdicts[0] == "kept" else "tflite-dynamic"
    assert f"kept their scores: {best}, the smallest (0.00 MB) and fastest (1 ms per face on this machine)" in shown
    if status:
        assert "tflite-dynamic refused: accuracy falls" in shown


def test_the_smallest_and_the_fastest_are_named():
    from fer_keras.exporters.export_lines import closing_lines

    results = [result("tflite-dynamic", "kept", size=900), result("tflite-int8", "kept", speed=0.5)]
    assert "tflite-dynamic, the smallest (0.00 MB), or tflite-int8, the fastest (0.5 ms" in closing_lines(results)[-1]


def test_nothing_quantised_that_passed_is_said():
    from fer_keras.exporters.export_lines import closing_lines

    assert any("use no quantised format" in line for line in closing_lines([result("onnx-int8", "refused")]))


def test_a_bundled_model_is_exported_elsewhere_only(capsys):
    assert "--output-dir is needed for a bundled model" in fails(capsys, "--formats", "h5")
    assert "--output-dir is needed for a bundled model" in fails(
        capsys, "--model", "ferplus_compact", "--formats", "h5"
    )


def test_the_bundled_model_is_the_default(monkeypatch, capsys, tmp_path):
    from fer_keras.bundled import bundled_model
    from fer_keras.exporters import export_run as room

    seen = []

    def run(bundle, formats, directory, options, report, say):
        seen.append((bundle.directory, formats, directory))
        return [result("web", "kept")]

    monkeypatch.setattr(room, "export_run", run)
    assert export.main(["--formats", "web", "--output-dir", str(tmp_path)]) == 0
    assert seen == [(bundled_model(), ("web",), tmp_path)]
    assert f"python -m http.server --directory {tmp_path / 'model'} 8000" in capsys.readouterr().out
