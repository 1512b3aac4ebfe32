"""What every command line of the package shares: its parser, its name, and how it ends on an error."""

import argparse
import difflib
import os
import sys
import textwrap
from collections.abc import Callable, Sequence

from fer_keras.ctrl_c import interruptible
from fer_keras.files import is_full

#: What users of other programs type -> the flags that may be meant; the first one that the command has is suggested.
ALIASES = {
    "arch": ("backbone",),
    "batch": ("batch-size",),
    "bs": ("batch-size",),
    "checkpoint": ("model", "weights"),
    "classes": ("emotions",),
    "conf": ("min-confidence", "detector-confidence"),
    "continue": ("resume",),
    "cpus": ("threads", "workers"),
    "data": ("data-dir",),
    "dataset": ("data-spec",),
    "detector": ("faces",),
    "force": ("overwrite",),
    "fp16": ("mixed-precision",),
    "imgsz": ("image-size",),
    "input-size": ("image-size",),
    "lr": ("learning-rate",),
    "net": ("backbone",),
    "network": ("backbone",),
    "o": ("output", "output-dir"),
    "opt": ("optimizer",),
    "out": ("output", "output-dir"),
    "outdir": ("output-dir",),
    "patience": ("early-stopping",),
    "pretrained": ("weights",),
    "threshold": ("min-confidence",),
    "val-split": ("validation-fraction",),
    "wd": ("weight-decay",),
}
_AS_MODULE = "python -m fer_keras."
_called_as = _AS_MODULE


def call_as(program: str) -> None:
    """Let help and errors name commands as the user called them.

    Args:
        program: such as "fer-keras"; the name of the command follows it.
    """
    global _called_as
    _called_as = f"{program} "


class _WholeNames(argparse.RawDescriptionHelpFormatter):
    """A help formatter that breaks no line inside a name such as onnx-int8."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations that suggests the nearest flag when one is unknown."""

    def __init__(self, prog: str, description: str | None = None):
        super().__init__(
            prog=prog.replace(_AS_MODULE, _called_as),
            description=description and description.replace(_AS_MODULE, _called_as),
            allow_abbrev=False,
            formatter_class=_WholeNames,
        )
        self.add_argument("--debug", action="store_true", help="show the whole traceback of an error")

    def parse_args(self, args: Sequence[str] | None = None, namespace=None) -> argparse.Namespace:
        parsed, unknown = self.parse_known_intermixed_args(args, namespace)  # files may stand between flags
        if unknown:
            near = nearest_flag(unknown[0], [flag for action in self._actions for flag in action.option_strings])
            self.error(f"unknown argument {unknown[0]!r}." + (f" Did you mean {near}?" if near else ""))
        return parsed

    def error(self, message: str):
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def nearest_flag(unknown: str, known: Sequence[str]) -> str | None:
    """Return the flag that was probably meant by an unknown one, or None.

    Args:
        unknown: as typed, with its dashes and perhaps its value.
        known: flags of the command.

    Example:
        >>> nearest_flag("--lr=0.1", ["--learning-rate", "--layer-decay"])
        '--learning-rate'
    """
    typed = unknown.split("=")[0].lstrip("-").lower().replace("_", "-")
    for name in (typed, *ALIASES.get(typed, ())):
        if f"--{name}" in known:
            return f"--{name}"
    cutoff = 0.5 if unknown.startswith("-") else 0.8  # a word without dashes may be anything
    near = difflib.get_close_matches(typed, [flag.lstrip("-") for flag in known], n=1, cutoff=cutoff)
    return f"--{near[0]}" if near else None


def one_line(error: BaseException) -> str:
    """Return an error's text on one line, at most 200 characters of it, to be quoted in a line of our own."""
    return " ".join(str(error).split())[:200]


def drop_output() -> int:
    """Print nothing more, because the program that reads it has ended, such as head; return the exit status for that."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _told(error: Exception, resumes: bool) -> str:
    text = " ".join(str(error).split())
    if not is_full(error):
        return text
    named = text.removeprefix(f"[Errno {getattr(error, 'errno', None)}] ")
    return f"{named}. Make room on the disk" + (", then go on with --resume." if resumes else ", then start again.")


def run_cli(work: Callable[[argparse.Namespace], int], args: argparse.Namespace, *, resumes: bool = False) -> int:
    """Run a command line's work and turn what a user can cause into one line on stderr.

    Args:
        work: takes the parsed arguments, returns the exit status.
        args: parsed arguments of a `Parser`.
        resumes: whether `--resume` goes on with what the command did, for the advice where a disk is full.

    Returns:
        The exit status: that of `work`, 2 for an error that the user can mend, 130 after Ctrl-C, 141 where the program that
        reads the output has ended.
    """
    try:
        with interruptible():
            status = work(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return drop_output()
    except (ValueError, OSError) as error:
        if args.debug:
            raise
        print(f"error: {_told(error, resumes)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # an installation for reading alone, without some package of the whole one
        if args.debug or not error.name or error.name.startswith("fer_keras"):
            raise
        print(f"error: this needs {error.name}, which is not installed: pip install fer_keras", file=sys.stderr)
        return 2
    except MemoryError as error:
        if args.debug:
            raise
        print(f"error: not enough memory: {one_line(error) or 'the system gives no more'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped by the user", file=sys.stderr)
        return 130
