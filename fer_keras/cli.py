"""What every command line of the package shares: its parser, and how it ends on an error."""

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations that names the nearest flag when one is unknown."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.add_argument("--debug", action="store_true", help="show the whole traceback of an error")

    def parse_args(self, args: Sequence[str] | None = None, namespace=None) -> argparse.Namespace:
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0].split("=")[0], known, n=1, cutoff=0.5)
            self.error(f"unknown argument {unknown[0]!r}." + (f" Did you mean {near[0]}?" if near else ""))
        return parsed

    def error(self, message: str):
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def one_line(error: BaseException) -> str:
    """Return an error's text on one line, at most 200 characters of it, to be quoted in a line of our own."""
    return " ".join(str(error).split())[:200]


def run_cli(work: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command line's work and turn what a user can cause into one line on stderr.

    Args:
        work: takes the parsed arguments, returns the exit status.
        args: parsed arguments of a `Parser`.

    Returns:
        The exit status: that of `work`, 2 for an error that the user can mend, 130 after Ctrl-C.
    """
    try:
        return work(args)
    except (ValueError, OSError) as error:
        if args.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # an installation for reading alone, without some package of the whole one
        if args.debug or not error.name or error.name.startswith("fer_keras"):
            raise
        print(f"error: this needs {error.name}, which is not installed: pip install fer_keras", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped by the user", file=sys.stderr)
        return 130
