"""Names that a package offers without importing what stands behind them: each is loaded when it is first used (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str]) -> tuple[Callable, Callable]:
    """Return `__getattr__` and `__dir__` of a package.

    Args:
        package: its name.
        modules: name -> the module that holds it.
    """

    def load(name: str):
        if name in modules:
            return getattr(import_module(modules[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted({*vars(sys.modules[package]), *modules})
