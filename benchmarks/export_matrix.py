"""Every export run by its own real runtime, in a fresh environment that has no fer_keras.

  python benchmarks/export_matrix.py
  python benchmarks/export_matrix.py --runs small=runs/demo --output matrix.md

Takes runs, or trains short ones on drawn faces, exports each to every format, makes one environment per runtime (Keras 3.15,
3.10 and 2.15, tf_keras, TensorFlow, LiteRT, ONNX Runtime in Python and in Node.js; about 9 GB, kept in --work-dir), runs
each file there on the same saved faces, and prints one Markdown table: the largest difference from Keras here, and the
median time of a call with 1 and with 16 faces. Exit status 1 if a float file differs by more than its format allows.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fer_keras.files import cache_folder

FOREIGN = Path(__file__).parent / "foreign"
FACES = 32
#: Short trainings on drawn faces, so that weights are not random. The large backbones see 96 px: 224 px would take hours.
TRAINING = {
    "small": {"image_size": 64, "epochs": 7, "batch_size": 32, "learning_rate": 2e-3},
    "resnet50": {"image_size": 96, "epochs": 12, "batch_size": 16, "learning_rate": 5e-4},
    "efficientnetb1": {"image_size": 96, "epochs": 20, "batch_size": 16, "learning_rate": 1e-3},
}


@dataclass(frozen=True)
class Environment:
    """A runtime in an environment without fer_keras.

    Attributes:
        engine: of `foreign/run_model.py`, or node.
        packages: what pip or npm installs.
        formats: that it runs.
        newest_python: minor version of Python 3 above which the packages have no wheels.
    """

    engine: str
    packages: tuple[str, ...]
    formats: tuple[str, ...]
    newest_python: int = 99


_TFLITE = ("tflite", "tflite-fp16", "tflite-dynamic", "tflite-int8")
ENVIRONMENTS = {
    "Keras 3.15": Environment("keras", ("tensorflow==2.21.0", "keras==3.15.1"), ("h5", "keras")),
    "Keras 3.10": Environment("keras", ("tensorflow==2.19.1", "keras==3.10.0"), ("h5", "keras"), 12),
    "Keras 2.15": Environment("keras", ("tensorflow==2.15.1",), ("h5",), 11),
    "tf_keras": Environment("tf_keras", ("tensorflow==2.21.0", "tf_keras==2.21.0"), ("h5",)),
    "TensorFlow": Environment("saved_model", ("tensorflow==2.21.0",), ("saved_model",)),
    "LiteRT": Environment("litert", ("ai-edge-litert",), _TFLITE),
    "ONNX Runtime": Environment("onnx", ("onnxruntime",), ("onnx", "onnx-int8")),
    "onnxruntime-node": Environment("node", ("onnxruntime-node",), ("onnx", "onnx-int8")),
}


def train(backbone: str, folder: Path) -> Path:
    """Return a finished run of a backbone on drawn faces, trained if it is not there yet."""
    from fer_keras.config.run_config import RunConfig
    from fer_keras.training.training_run import train_run

    run = folder / "runs" / backbone
    config = RunConfig.of(
        backbone=backbone,
        weights="none",
        balance="sample",
        schedule="cosine",
        warmup_epochs=1,
        output_dir=str(run),
        **TRAINING[backbone],
    )
    return train_run(config, resume=True)


def export(run: Path, output: Path) -> dict:
    """Export a run to every format and return the bundle's table of exports; done before, it is not done again.

    Formats that would be refused are kept, so that the table shows what they lose.
    """
    from fer_keras.exporters.export_run import ExportOptions, export_run
    from fer_keras.formats import FORMATS
    from fer_keras.runs.bundle import load_bundle

    bundle = load_bundle(run)
    if output.exists() and load_bundle(output).created != bundle.created:
        shutil.rmtree(output)
    if not output.exists() or set(load_bundle(output).exports) != set(FORMATS):
        results = export_run(bundle, tuple(FORMATS), output, ExportOptions(force=True))
        for result in results:
            print(f"{output.name} {result.format}: {result.verdict} {'; '.join(result.reasons)}", flush=True)
    return load_bundle(output).exports


def write_reference(run: Path, folder: Path) -> None:
    """Save faces and Keras's answers for the other environments."""
    from fer_keras.exporters.parity import keras_outputs
    from fer_keras.exporters.source import drawn_faces
    from fer_keras.runs.bundle import load_bundle

    bundle = load_bundle(run)
    faces = drawn_faces(bundle.image_size, FACES, seed=1).faces
    answers = keras_outputs(bundle.load_model(), faces)
    folder.mkdir(parents=True, exist_ok=True)
    faces.tofile(folder / "faces.bin")
    content = {"shape": faces.shape, "outputs": {name: values.tolist() for name, values in answers.items()}}
    (folder / "reference.json").write_text(json.dumps(content))


def make_environment(name: str, folder: Path) -> list[str] | None:
    """Return the command that starts an environment's interpreter, made if it is not there; None if it cannot be had."""
    entry = ENVIRONMENTS[name]
    home = folder / "environments" / name.replace(" ", "-")
    done = home / "done"
    if entry.engine == "node":
        if shutil.which("npm") is None:
            return None
        if not done.exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text('{"private": true}')
            # Its install script fetches CUDA; the CPU library is in the package.
            subprocess.run(["npm", "install", "--silent", "--ignore-scripts", *entry.packages], cwd=home, check=True)
            done.touch()
        return ["node", str(FOREIGN / "run_model.js")]
    if sys.version_info[1] > entry.newest_python:
        return None
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not done.exists():
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        venv.create(home, with_pip=uv is None, clear=True)
        install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        subprocess.run([*install, "--quiet", *entry.packages], check=True)
        done.touch()
    return [str(python), str(FOREIGN / "run_model.py"), entry.engine]


def run_there(command: list[str], cwd: Path, model: Path, reference: Path) -> dict:
    """Run a model file in its environment; return what it printed, or {"error"}."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([*command, str(model), str(reference)], cwd=cwd, env=clean, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        return {"error": " ".join(done.stderr.split())[-300:]}
    return json.loads(lines[-1].removeprefix("RESULT "))


def rows(backbone: str, output: Path, exports: dict, reference: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Return the table's rows for one backbone, and what went wrong."""
    from fer_keras.formats import FORMATS

    lines, wrong = [], []
    for name, entry in ENVIRONMENTS.items():
        command = make_environment(name, folder)
        if command is None:
            wrong.append(f"{name}: no environment (Node.js or Python is missing or too new)")
            continue
        for format_name in (found for found in entry.formats if found in exports):
            export = exports[format_name]
            cwd = folder / "environments" / name.replace(" ", "-")
            found = run_there(command, cwd, (output / export.file).resolve(), reference.resolve())
            tolerance = FORMATS[format_name].tolerance
            if "error" in found or (tolerance and found["difference"] > tolerance):
                wrong.append(f"{backbone} {format_name} in {name}: {found.get('error', found['difference'])}")
            lines.append(
                _row(backbone, format_name, f"{name.rstrip('.0123456789 ')} {found.get('version', '')}", export, found)
            )
            print(lines[-1], flush=True)
    return lines, wrong


def _row(backbone: str, format_name: str, runtime: str, export, found: dict) -> str:
    drop = export.parity.get("scores", {}).get("accuracy", {}).get("drop")
    cells = [
        backbone,
        format_name,
        runtime,
        f"{export.bytes:,}",
        f"{export.seconds:.1f}",
        *(
            ["failed", "", ""]
            if "error" in found
            else [_scientific(found["difference"]), f"{found['ms_1']:.1f}", f"{found['ms_16']:.1f}"]
        ),
        "" if drop is None else f"{100 * drop:+.1f}",
        "refused" if export.forced else "kept",
    ]
    return f"| {' | '.join(cells)} |"


def _scientific(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-")


def report(lines: list[str], sizes: dict[str, int]) -> str:
    """Return the whole table with what it was measured on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    columns = (
        "backbone",
        "format",
        "runtime",
        "bytes",
        "export s",
        "largest difference",
        "ms, 1 face",
        "ms, 16 faces",
        "accuracy drop, points",
        "verdict",
    )
    heading = ", ".join(f"{name} at {size} px" for name, size in sizes.items())
    return "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load average {load:.1f}; {heading}; "
            f"{FACES} drawn faces; Python {sys.version.split()[0]}.",
            "",
            f"| {' | '.join(columns)} |",
            "|---|---|---|---:|---:|---:|---:|---:|---:|---|",
            *lines,
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Make runs, exports and environments, run everything and print the table."""
    from fer_keras.runs.bundle import load_bundle

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default=",".join(TRAINING), help="to train where no run is given")
    parser.add_argument("--runs", nargs="*", default=[], metavar="BACKBONE=RUN", help="runs that are there already")
    parser.add_argument("--work-dir", type=Path, default=cache_folder() / "export_matrix")
    parser.add_argument("--output", type=Path, help="also write the table here")
    args = parser.parse_args(argv)
    given = {name: Path(path) for name, path in (entry.split("=", 1) for entry in args.runs)}
    lines, wrong, sizes = [], [], {}
    for backbone in given or args.backbones.split(","):
        run = given.get(backbone) or train(backbone, args.work_dir)
        output, reference = args.work_dir / "exports" / backbone, args.work_dir / "reference" / backbone
        exports = export(run, output)
        write_reference(run, reference)
        sizes[backbone] = load_bundle(run).image_size[0]
        found, failed = rows(backbone, output, exports, reference, args.work_dir)
        lines, wrong = lines + found, wrong + failed
    text = report(lines, sizes)
    if args.output:
        args.output.write_text(text + "\n")
    print("\n".join(["", text, "", *(f"wrong: {line}" for line in wrong)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
