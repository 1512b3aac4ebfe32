"""ONNX Runtime for browsers (`onnxruntime-web` of npm): found in a folder, or fetched once into the cache by its checksum.

It is no part of this package: a page that is exported gets a copy of its files, which are under Microsoft's MIT licence.
"""

import base64
import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

from fer_keras.fetching import OFFLINE, Fetched, offline
from fer_keras.files import cache_folder, path_aside, remove

VERSION = "1.30.0"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
#: As the registry publishes it: SHA-512 in base64.
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
#: The environment variable that names a folder with the files.
VARIABLE = "FER_KERAS_WEB_RUNTIME"
#: What a page needs: WebAssembly first, then WebGPU, which browsers fetch only where they have it.
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_PATIENCE = 60.0  # seconds
_ADVICE = (
    f"On another machine, run: npm pack onnxruntime-web@{VERSION}. Unpack the file here and name the folder by --web-runtime "
    f"or ${VARIABLE}."
)
_PACKAGE = Fetched(f"onnxruntime-web {VERSION}", base64.b64decode(INTEGRITY).hex(), "sha512", 100_000_000, _ADVICE)


def web_runtime(named: str | Path | None = None, *, forbidden: bool = False, address: str = ADDRESS) -> Path:
    """Return a folder that holds `FILES`, fetched into the cache if it is nowhere.

    Args:
        named: a folder with the files, or with npm's package unpacked; it wins over the variable and the cache.
        forbidden: whether the network is, as it is where $FER_KERAS_OFFLINE is set.
        address: where to fetch npm's package.

    Raises:
        FileNotFoundError: the named folder does not hold the files.
        ValueError: they cannot be fetched, the network is forbidden, or what came is another file.
    """
    given = named or os.environ.get(VARIABLE)
    if given:
        return _named(Path(given).expanduser(), "--web-runtime" if named else f"${VARIABLE}")
    folder = cache_folder() / f"onnxruntime-web-{VERSION}"
    if _lacking(folder):
        if forbidden or offline():
            how = "--offline forbids" if forbidden else f"${OFFLINE} forbids"
            raise ValueError(
                f"The page needs onnxruntime-web {VERSION}, which is not there, and {how} to fetch it. {_ADVICE}"
            )
        print(f"fetching onnxruntime-web {VERSION} (33 MB), once: {address}", file=sys.stderr)
        _unpack(_PACKAGE.fetch(address, _PATIENCE), folder)
    return folder


def _named(folder: Path, flag: str) -> Path:
    """Return where the files are: the folder itself, or a part of npm's package in it."""
    for place in (folder, folder / "dist", folder / "package" / "dist"):
        if not _lacking(place):
            return place
    raise FileNotFoundError(
        f"No onnxruntime-web there. Expected a folder with {', '.join(_lacking(folder))}. Received: {flag} {folder}."
    )


def _lacking(folder: Path) -> list[str]:
    return [name for name in FILES if not (folder / name).is_file()]


def _unpack(content: bytes, folder: Path) -> None:
    """Write the files that a page needs, as a whole folder or none."""
    aside = path_aside(folder)
    try:
        aside.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for name in FILES:
                with archive.extractfile(f"package/dist/{name}") as source, open(aside / name, "wb") as target:
                    shutil.copyfileobj(source, target)
        remove(folder)  # an incomplete one
        os.replace(aside, folder)
    finally:
        remove(aside)
