"""Which file and engine of a model reads fastest on this machine: measured once, and remembered in the cache folder.

An 8-bit file is 2 to 6 times as fast as a float one where the processor multiplies bytes, and may be slower elsewhere, so
that no table can tell. Its answers differ a little, so that it is taken only where the fastest is asked for.
"""

import contextlib
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import fer_keras
from fer_keras.cores import usable_cores
from fer_keras.files import cache_folder, write_json
from fer_keras.formats import ENGINES, FASTEST, FORMATS
from fer_keras.prediction.model_choice import ModelFile
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.file_hashes import hash_file
from fer_keras.runtimes.providers import AUTO_PROVIDERS
from fer_keras.runtimes.runtime import Runtime, load_runtime

#: Of two files the one that `FORMATS` prefers is taken unless the other needs less than this share of its time.
_WORTHWHILE = 0.9
#: Faces of a call that is timed; calls before the clock counts, and most and least that it counts; seconds for all of them.
_FACES, _WARM_UP, _MOST, _LEAST, _PATIENCE = 4, 2, 12, 3, 2.0
#: Lines of /proc/cpuinfo that say which processor it is.
_PROCESSOR = ("model name", "flags", "Features", "CPU implementer", "CPU part", "CPU variant")


def fastest_of(
    bundle: Bundle, files: list[ModelFile], threads: int | None = None, providers: str = AUTO_PROVIDERS
) -> ModelFile:
    """Return the file and engine that reads a few faces fastest here, and say so on standard error.

    The choice is kept in the cache folder, under a key of the processor, the threads and providers, the hashes of the files
    and the versions of the engines: the same on the same machine until one of them changes. A float file is taken over an
    8-bit one that is less than a tenth faster.

    Args:
        bundle: that the files belong to.
        files: those that can be run, best first, with their engines; at least one.
        threads, providers: as of `load_runtime`.

    Raises:
        ValueError: none of the files can be loaded, or one is not that of its bundle.
    """
    files, more = _comparable(bundle, files, providers), _more(bundle)
    if len(files) == 1:
        _say(f"takes {_named(files[0])}, with nothing here to compare it with{more}")
        return files[0]
    key = _key(bundle, files, threads or usable_cores(), providers)
    path = cache_folder() / FASTEST / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.json"
    times = _remembered(path, len(files))
    place = f"remembered in {path}"
    if times is None:
        times = _measure(bundle, files, threads, providers)
        place = "measured now" + (f", {place}" if _remember(path, times, key) else "")
    chosen = _choose(times)
    others = (
        f"{_named(file)} {1e3 * t:.2f}" for file, t in zip(files, times, strict=True) if file != files[chosen] and t
    )
    _say(f"takes {_named(files[chosen])}, {1e3 * times[chosen]:.2f} ms a face; {', '.join(others)} ({place}){more}")
    return files[chosen]


def _comparable(bundle: Bundle, files: list[ModelFile], providers: str) -> list[ModelFile]:
    """Leave out what nobody wants for its speed, unless nothing else is left: whole frameworks, second copies of a file, and
    exports that were kept although their check failed."""
    wishes: list[Callable[[ModelFile], bool]] = [
        # Only ONNX Runtime takes providers; loading says so for a file that needs another engine.
        lambda file: providers == AUTO_PROVIDERS or ENGINES[file.engine].providers,
        lambda file: not (file.format in bundle.exports and bundle.exports[file.format].forced),
        lambda file: not ENGINES[file.engine].framework,
        lambda file: not FORMATS[file.format].named_only,
    ]
    for wish in wishes:
        files = list(filter(wish, files)) or files
    return files


def _more(bundle: Bundle) -> str:
    """Return what to install so that further files of the bundle are compared."""
    engines = [ENGINES[FORMATS[name].engine] for name in bundle.exports if name in FORMATS]
    needed = dict.fromkeys(engine.install for engine in engines if not (engine.framework or engine.installed))
    return "".join(f'; pip install "{package}" adds another' for package in needed)


def _choose(times: list[float | None]) -> int:
    """Return the place of the first file that needs about the least time."""
    least = min(filter(None, times))
    return next(place for place, seconds in enumerate(times) if seconds and seconds * _WORTHWHILE <= least)


def _measure(bundle: Bundle, files: list[ModelFile], threads: int | None, providers: str) -> list[float | None]:
    """Return the least seconds a face of each file, None of one that its engine cannot load."""
    runtimes: list[Runtime | None] = []
    for file in files:
        bundle.check_file(file.path.name)
        try:
            runtimes.append(load_runtime(file.path, file.engine, threads, providers=providers))
        except ValueError:
            if file == files[-1] and not any(runtimes):
                raise
            runtimes.append(None)
    best = [float("inf")] * len(files)
    ends = time.perf_counter() + _PATIENCE
    for number in range(_WARM_UP + _MOST):
        if number >= _WARM_UP + _LEAST and time.perf_counter() > ends:
            break
        # In turn, so that other work on the machine meets all of them; the least is what it disturbed least.
        for place, runtime in enumerate(runtimes):
            seconds = _seconds_a_face(runtime) if runtime else 0.0
            best[place] = min(best[place], seconds) if number >= _WARM_UP else best[place]
    return [best[place] if runtime else None for place, runtime in enumerate(runtimes)]


def _seconds_a_face(runtime: Runtime) -> float:
    faces = np.random.default_rng(0).integers(0, 256, (_FACES, *runtime.image_size, 3), np.uint8)
    started = time.perf_counter()
    runtime.run(faces)
    return (time.perf_counter() - started) / _FACES


def _key(bundle: Bundle, files: list[ModelFile], threads: int, providers: str) -> dict:
    """Return what decides how fast the files are, as plain values."""
    candidates = [
        {
            "format": file.format,
            "engine": file.engine,
            "sha256": bundle.sha256(file.path.name) or hash_file(file.path),
            "versions": _versions(ENGINES[file.engine].package),
        }
        for file in files
    ]
    return {
        "fer_keras": fer_keras.__version__,
        "processor": _processor(),
        "threads": threads,
        "providers": providers,
        "files": candidates,
    }


def _processor() -> str:
    """Return what tells this machine's processor from others."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named: Iterable[str] = dict.fromkeys(line for line in lines if line.startswith(_PROCESSOR))
    return "\n".join(named) or f"{platform.machine()} {platform.processor()}"


def _versions(package: str) -> list[str]:
    """Return the names, with version, of the installed distributions of a package; builds of it have names of their own."""
    spec = find_spec(package)
    site = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    return sorted(path.name for path in site.glob(f"{package}*.dist-info"))


def _remembered(path: Path, count: int) -> list[float | None] | None:
    """Return the seconds of each file as they were measured before, or None."""
    try:
        times = json.loads(path.read_text(encoding="utf-8"))["seconds"]
        whole = len(times) == count and any(times) and all(seconds is None or seconds > 0 for seconds in times)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return times if whole else None


def _remember(path: Path, times: list[float | None], key: dict) -> bool:
    """Keep what was measured, with what it depends on; return whether the cache folder could be written."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"seconds": times, "of": key})
        return True
    return False


def _named(file: ModelFile) -> str:
    return f"{file.path.name} by {file.engine}"


def _say(text: str) -> None:
    print(f"note: engine {FASTEST} {text}", file=sys.stderr)
