"""The child of `faults.py`: mutates files of one kind by seed, opens each as the package does, and tells what came of it.

  python benchmarks/fault_worker.py FOLDER KIND FIRST LAST MEGABYTES

FOLDER holds whole files by kind. One line of JSON per file: its number, the outcome, and what was said. A line with the number
alone comes before each file, so that the parent knows which one ended the process or never came back.
"""

import io
import json
import random
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

RIGHT, LINE, TRACEBACK, HANG, CRASH, WRONG = "right", "one line", "traceback", "hang", "crash", "wrong answer"
_TEXT = {"csv", "toml", "bundle"}
_ARCHIVES = {"keras", "npz"}
_TOKENS = (
    *(
        "NaN",
        "1e999",
        "-1",
        "0",
        "",
        "null",
        "true",
        "[]",
        "{}",
        "[" * 500,
        "9" * 400,
        '"',
        "'",
        "\0",
        "\r",
        "\n",
        ",",
        "=",
    ),
    *("\ufeff", "\ud7ff", "../x", "/dev/zero", "é", "-9223372036854775809", "[[1]]", "0x", "1979-05-27"),
)


def mutated(data: bytes, kind: str, seed: int) -> bytes:
    """Return a file's content with one to eight random changes, the same for the same seed."""
    rng, content = random.Random(f"{kind}-{seed}"), bytearray(data)
    if kind in _ARCHIVES and seed % 2:
        return _with_member(data, seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if kind in _TEXT and rng.random() < 0.7:
            _change_text(content, rng)
        else:
            _change_bytes(content, rng)
    return bytes(content)


def _with_member(data: bytes, seed: int) -> bytes:
    """Return an archive with one mutated member whose checksum is right again, as an attacker would leave it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.Random(seed).choice(sorted(members))
    members[name] = mutated(members[name], "bundle" if name.endswith(".json") else "member", seed)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


def _place(content: bytearray, rng: random.Random) -> int:
    """Return a random place, more often near the start or the end, where formats keep what they say of the rest."""
    count = max(len(content), 1)
    near = rng.randrange(min(count, 4096))
    return rng.choice((near, count - 1 - near, rng.randrange(count)))


def _change_bytes(content: bytearray, rng: random.Random) -> None:
    place, length = _place(content, rng), rng.choice((1, 2, 4, 8, 64))
    how = rng.randrange(7)
    if how == 0 and content:
        content[place] ^= 1 << rng.randrange(8)
    elif how == 1:
        content[place : place + length] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
    elif how == 2:
        content[place : place + length] = rng.randbytes(length)
    elif how == 3:
        del content[place : place + length]
    elif how == 4:
        content[place:place] = rng.randbytes(length)
    elif how == 5:
        del content[_place(content, rng) :]
    else:
        other = _place(content, rng)
        content[place : place + length] = content[other : other + length]


def _change_text(content: bytearray, rng: random.Random) -> None:
    """Put a token of trouble in the place of a word or number."""
    words = list(re.finditer(rb"[^\s,:={}\[\]]+", bytes(content)))
    if words:
        word = rng.choice(words)
        content[word.start() : word.end()] = rng.choice(_TOKENS).encode("utf-8", "surrogatepass")


def open_image(path: Path):
    """A picture, as every command decodes it."""
    from fer_keras.preprocessing import decode_image

    image = decode_image(path.read_bytes())
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def open_npy(path: Path):
    """A label of AffectNet's release."""
    from fer_keras.readers.npy import parse_npy, parse_scalars

    data = path.read_bytes()
    values, problems = parse_scalars([data])
    assert len(values) == 1 and (0 in problems or np.issubdtype(values.dtype, np.number))
    parse_npy(data)


def _load(spec: str) -> Callable[[Path], None]:
    def load(path: Path) -> None:
        from fer_keras.data.loading import load_index
        from fer_keras.readers.spec import load_spec

        folder = Path(tempfile.mkdtemp())
        try:
            index = load_index(load_spec(spec), path, folder, jobs=1)
            for axis in (index.valence, index.arousal):
                assert not (np.abs(axis[~np.isnan(axis)]) > 1).any()
            assert not len(index) or index.emotion.max() < len(index.labels)
        finally:
            shutil.rmtree(folder)

    return load


def open_toml(path: Path):
    """A data spec and a configuration of a run; one of them is the right one."""
    from fer_keras.config.config_file import load_config
    from fer_keras.readers.spec import load_spec

    if b"learning_rate" in path.read_bytes():
        load_config(path)
    else:
        load_spec(path)


def open_bundle(path: Path):
    """A bundle's description."""
    from fer_keras.runs.bundle import load_bundle

    bundle = load_bundle(path.parent)
    assert set(bundle.outputs) <= {"emotion", "valence", "arousal"}


def open_model(path: Path):
    """A model file whose SHA-256 is taken as right, as that of a hostile bundle would be; it answers for two faces."""
    from fer_keras.runtimes.runtime import load_runtime

    runtime = load_runtime(path, threads=1)
    found = runtime.run(np.zeros((2, *runtime.image_size, 3), np.uint8))
    assert all(len(values) == 2 and values.dtype == np.float32 for values in found.values())


#: Kind -> how it is opened.
OPENERS: dict[str, Callable[[Path], None]] = {
    "image": open_image,
    "npy": open_npy,
    "npz": _load("arrays"),
    "csv": _load("face_table"),
    "parquet": _load("face_table"),
    "toml": open_toml,
    "bundle": open_bundle,
    "h5": open_model,
    "keras": open_model,
    "onnx": open_model,
    "tflite": open_model,
}


def try_file(kind: str, path: Path) -> tuple[str, str]:
    """Return what came of opening a file, and what was said."""
    try:
        OPENERS[kind](path)
        return RIGHT, ""
    except AssertionError as error:
        return WRONG, f"line {error.__traceback__.tb_lineno if error.__traceback__ else 0}"
    except (ValueError, OSError, MemoryError) as error:  # what the commands turn into one line
        return LINE, f"{type(error).__name__}: {error}"[:300]
    except BaseException as error:
        return TRACEBACK, f"{type(error).__name__}: {error}"[:300]


def main() -> None:
    """Try the files of one kind with numbers from FIRST to before LAST."""
    folder, kind, first, last, megabytes = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    whole = sorted(path for path in (folder / kind).iterdir() if path.is_file())
    for path in whole[:1]:  # imports, before the limits count
        try_file(kind, path)
    _limit(megabytes)
    with tempfile.TemporaryDirectory() as scratch:
        for pictures in (folder / kind).glob("pictures"):  # that a table names
            shutil.copytree(pictures, Path(scratch) / "pictures")
        for number in range(first, last):
            source = whole[number % len(whole)]
            path = Path(scratch) / source.name
            path.write_bytes(mutated(source.read_bytes(), kind, number))
            print(json.dumps({"number": number}), flush=True)
            outcome, said = try_file(kind, path)
            print(json.dumps({"number": number, "outcome": outcome, "said": said}), flush=True)


def _limit(megabytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
