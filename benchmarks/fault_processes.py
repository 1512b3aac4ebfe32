"""Commands for `fault_kills.py`, each in a process of its own that need not import TensorFlow again.

A server process imports what the commands load and forks one child for each of them, so that a kill comes while the command
works rather than while it imports. The child is the command's only process, as it is when a shell starts it.
"""

import importlib
import multiprocessing
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

#: fer_keras first: it turns off the telemetry of ONNX Runtime, which others import.
_IMPORTED = [
    *("fer_keras", "keras", "tensorflow", "matplotlib.pyplot", "tensorflow_datasets", "tf2onnx"),
    *("fer_keras.runtimes.onnx_runtime", "fer_keras.runtimes.litert_runtime", "fer_keras.jobs.predict_run"),
    *("fer_keras.training.training_run", "fer_keras.training.trainer", "fer_keras.evaluation.evaluator"),
    *("fer_keras.exporters.export_run", "fer_keras.batches.shards", "fer_keras.report.page"),
]


@dataclass
class Running:
    """A command that runs, and the lines that it has printed.

    Attributes:
        process: of the command.
        lines: (seconds since the start, line) of what it wrote to standard output and error.
        ended: seconds from its start to its end, once it has ended by itself.
    """

    process: multiprocessing.Process
    lines: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self):
        self.started = time.monotonic()
        self.ended = 0.0

    def follow(self, descriptor: int) -> None:
        """Note the lines that come through a pipe until it is closed, beside what else is done."""
        self.reader = threading.Thread(target=self._read, args=(descriptor,), daemon=True)
        self.reader.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            for line in file:
                self.lines.append((time.monotonic() - self.started, line.rstrip("\n")))

    def wait(self, seconds: float) -> bool:
        """Return whether the command has ended within that time."""
        self.process.join(max(seconds, 0.0))
        if self.process.exitcode is None:
            return False
        self.ended = self.ended or time.monotonic() - self.started
        self.reader.join(10)
        return True

    def wait_for_lines(self, count: int, seconds: float) -> bool:
        """Return whether it has printed so many lines within that time, and goes on."""
        end = time.monotonic() + seconds
        while len(self.lines) < count and time.monotonic() < end and not self.wait(0.0):
            time.sleep(0.002)
        return len(self.lines) >= count and not self.wait(0.0)

    def kill(self) -> None:
        """End it as the system ends a process that takes too much memory: by SIGKILL."""
        self.process.kill()
        self.process.join()

    @property
    def text(self) -> str:
        """What it has printed."""
        return "\n".join(line for _, line in self.lines)


def start(module: str, arguments: list[str]) -> Running:
    """Start `python -m fer_keras.MODULE ARGUMENTS`."""
    return _start(_command, module, arguments)


def call(function, *arguments) -> None:
    """Call a function in a process of its own.

    Raises:
        RuntimeError: it failed; its traceback is told.
    """
    running = _start(_function, function, arguments)
    running.wait(600)
    if running.process.exitcode != 0:
        raise RuntimeError(f"{function.__name__} failed: {running.text[-2000:]}")


def _start(target, *arguments) -> Running:
    # At the end multiprocessing counts the semaphores of those that were killed.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_be, args=(send, target, *arguments))
    process.start()
    send.close()
    running = Running(process)
    running.follow(os.dup(receive.fileno()))
    receive.close()
    return running


def _be(send, target, *arguments) -> None:
    """Print into the pipe, and end with the status that a target returns and no word from the server process."""
    for descriptor in (1, 2):
        os.dup2(send.fileno(), descriptor)
    send.close()
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    status = 1
    try:
        status = target(*arguments)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)  # threads of libraries that were imported before the fork are not here to be joined


def _command(module: str, arguments: list[str]) -> int:
    """Run a command as the tests do: with a backbone of three layers, and without drawing the plots of reports."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import tiny_run

    tiny_run.add_tiny()
    with tiny_run.pictures(drawn=False):
        return importlib.import_module(f"fer_keras.{module}").main(arguments)


def _function(function, arguments: tuple) -> int:
    function(*arguments)
    return 0
