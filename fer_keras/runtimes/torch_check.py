"""Checks of a program of `torch.export` (.pt2) before PyTorch opens it: tensors and PyTorch's own operators only.

PyTorch unpickles objects of such a file, looks operators up among all that the module `torch` can reach, lets SymPy evaluate
sizes as Python, and makes source code from the names of values.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from fer_keras.cli import one_line

_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims)\.\w+\.\w+|torch\.sym_\w+|math\.(ceil|floor|sqrt|trunc)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|lt|le|gt|ge|eq|ne|and_|or_|not_|getitem)"
)
#: A size: a symbol, a number, or arithmetic of these.
_SYMBOL = r"(Symbol\('[su]\d+'(, (positive|integer|nonnegative)=(True|False))*\)|[su]\d+|\d+|Max|Min|Mod|FloorDiv|floor|ceiling)"
_SIZE = re.compile(rf"({_SYMBOL}|[-+*/(), ])*")
_NAME = re.compile(r"[\w.]*")
_NAMES = ("name", "parameter_name", "buffer_name", "tensor_constant_name")
_COMPILED = (".so", ".dll", ".dylib", ".o", ".cpp", ".py", ".pyc", ".cubin")


def check_torch_program(path: Path) -> None:
    """Refuse a program whose loading or running could do more than compute on tensors.

    Args:
        path: of the .pt2 file.

    Raises:
        ValueError: such a program, or a damaged one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            configs = [json.loads(archive.read(name)) for name in names if name.endswith("_config.json")]
            samples = [archive.read(name) for name in names if "/sample_inputs/" in name]
            programs = [
                json.loads(archive.read(name)) for name in names if re.search(r"(^|/)models/[^/]*\.json$", name)
            ]
    except Exception as error:  # zipfile, its decompressors and JSON raise many kinds
        raise ValueError(f"{path} is not a whole PyTorch program: {one_line(error)}.") from error
    if _has_pickles(configs, samples):
        raise ValueError(f"{path} holds pickled objects, which may run anything. Export the model again.")
    found = [name for name in names if name.endswith(_COMPILED)] + [*_foreign(programs)]
    if found:
        raise ValueError(
            f"{path} is refused: it brings code of its own ({found[0][:80]!r}). Expected PyTorch's operators on tensors only."
        )


def _has_pickles(configs: list, samples: list[bytes]) -> bool:
    tables = [config.get("config") for config in configs if isinstance(config, dict)]
    if any(item.get("use_pickle", True) for table in tables if isinstance(table, dict) for item in table.values()):
        return True
    for sample in samples:
        try:
            torch.load(io.BytesIO(sample), weights_only=True)
        except Exception:  # whatever is not plain tensors
            return True
    return False


def _foreign(programs: list) -> Iterator[str]:
    """Yield operators, sizes and names of programs that are not what they should be, and checks written as Python."""
    waiting = list(programs)
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            for key, value in node.items():
                if not isinstance(value, str):
                    continue
                expected = _OPERATORS if key == "target" else _SIZE if key == "expr_str" else None
                expected = _NAME if key in _NAMES else expected
                if expected and not expected.fullmatch(value):
                    yield value
            if node.get("guards_code"):
                yield "guards_code"
        elif isinstance(node, list):
            waiting += node
