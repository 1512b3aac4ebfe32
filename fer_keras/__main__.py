"""Facial expression recognition: every command of fer_keras under one name.

fer-keras predict photo.jpg
fer-keras train --data-spec ferplus --data-dir ferplus.npz --output-dir runs/ferplus
"""

import ast
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import fer_keras
from fer_keras.cli import call_as, drop_output
from fer_keras.hints import nearest

#: Each is a module of the package with `main(argv)`.
COMMANDS = (
    "predict",
    "webcam",
    "app",
    "serve",
    "download",
    "inspect",
    "prepare",
    "select",
    "label",
    "agreement",
    "train",
    "evaluate",
    "compare",
    "export",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command that the first argument names with the others.

    Returns:
        The command's exit status; 2 if there is no such command.
    """
    arguments = sys.argv[1:] if argv is None else argv
    program = "fer-keras" if Path(sys.argv[0]).stem == "fer-keras" else "python -m fer_keras"
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name in ("--help", "-h"):
        try:
            print(_help(program), flush=True)
        except BrokenPipeError:
            return drop_output()
        return 0
    if name == "--version":
        print(f"fer_keras {fer_keras.__version__}")
        return 0
    if name not in COMMANDS:
        print(
            f"error: unknown command {name!r}.{nearest(name, COMMANDS)} Expected one of {', '.join(COMMANDS)} "
            f"(see {program} --help)",
            file=sys.stderr,
        )
        return 2
    call_as(program)
    module = import_module(f"fer_keras.{name}")
    sys.argv = [module.__file__, *rest]  # as if the module had been run: reports record the command from it
    return module.main(rest)


def _help(program: str) -> str:
    lines = [f"usage: {program} COMMAND ...", "", __doc__.replace("fer-keras ", f"{program} ").strip(), "", "commands:"]
    lines += [f"  {name:9} {_summary(name)}" for name in COMMANDS]
    return "\n".join(
        [*lines, "", f"{program} COMMAND --help explains a command; {program} --version prints the version."]
    )


def _summary(command: str) -> str:
    """Return the first line of a command's docstring, read from its source: importing them all would be slow."""
    name = f"fer_keras.{command}"
    source = find_spec(name).loader.get_source(name)
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0] if source else ""


if __name__ == "__main__":
    sys.exit(main())
