"""Kills for `faults.py`: a command is killed at a random moment and continued; its result must be that of an unbroken run."""

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import fault_processes
from fault_commands import Trial, differences
from fault_worker import HANG, LINE, RIGHT, TRACEBACK, WRONG

_DRAWS = 6  # of a moment at which the command still runs


def run_trials(trial: Trial, count: int, seconds: float) -> tuple[list[tuple[str, str]], str]:
    """Kill a command `count` times.

    A moment is drawn evenly over the time of an unbroken run and kept as a line that had been printed by then and the
    seconds since. So it means the same on a machine that has other work.

    Args:
        trial: the command.
        count: of kills.
        seconds: after which a command hangs.

    Returns:
        The outcome of each kill and what was said, and after how many steps the kills came.
    """
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        status, unbroken = run(trial, whole, [], seconds)
        if status != 0:
            return [(HANG if status is None else TRACEBACK, f"the unbroken run failed: {unbroken.text[-300:]}")], ""
        clock, expected = Clock(trial, unbroken.lines, unbroken.ended), trial.result(whole)
        outcomes, after = [], Counter()
        for number in range(count):
            folder = Path(place) / str(number)
            steps, where = _kill(trial, folder, clock, number)
            after[steps] += 1
            outcomes.append(go_on(trial, folder, expected, seconds=seconds, where=where))
            print(
                f"{trial.module} {number + 1}/{count}, {where}: {': '.join(outcomes[-1])}", file=sys.stderr, flush=True
            )
            shutil.rmtree(folder, ignore_errors=True)
    told = ", ".join(f"{steps}: {kills}" for steps, kills in sorted(after.items()))
    return outcomes, f"steps done before the kill: {told}" if trial.step else ""


class Clock:
    """Draws moments of an unbroken run: (lines printed by then, seconds since the last of them)."""

    def __init__(self, trial: Trial, lines: list[tuple[float, str]], end: float):
        self.times = [0.0, *(time for time, _ in lines)]
        self.end = end
        self.steps = [self.times[place + 1] for place in trial.steps(lines)]

    def draw(self, rng: random.Random, after_a_step: bool) -> tuple[int, float]:
        """Draw a moment of the whole time, or of that between a step's end and the next one's."""
        low = rng.choice(self.steps) if after_a_step and self.steps else 0.0
        following = [time for time in self.steps if time > low]
        moment = rng.uniform(low, following[0] if low and following else self.end)
        count = sum(time <= moment for time in self.times) - 1
        return count, moment - self.times[count]


def _kill(trial: Trial, folder: Path, clock: Clock, number: int) -> tuple[int, str]:
    """Kill the command while it runs; return how many steps it had done, and what was done when."""
    for attempt in range(_DRAWS):
        shutil.rmtree(folder, ignore_errors=True)
        trial.prepare(folder)
        count, seconds = clock.draw(random.Random(f"{number}-{attempt}"), after_a_step=number % 2 == 1)
        running = fault_processes.start(trial.module, trial.arguments(folder))
        if running.wait_for_lines(count, 10 * clock.end) and not running.wait(seconds):
            break
    running.kill()
    steps = len(trial.steps(running.lines))
    return steps, f"killed {seconds:.1f} s after line {count}, {steps} steps done"


def go_on(trial: Trial, folder: Path, expected: dict, *, seconds: float, where: str) -> tuple[str, str]:
    """Go on with what was killed. One line is enough where the result is whole already: `prepare` writes over no data set."""
    status, done = run(trial, folder, trial.again, seconds)
    if status is None or "Traceback" in done.text:
        return HANG if status is None else TRACEBACK, f"{where}: {done.text[-300:]}"
    try:
        differing = differences(trial.result(folder), expected)
    except (ValueError, OSError) as error:
        differing = f"{error}"
    if differing:
        return WRONG, f"{where}: status {status}, {differing}: {done.text[-300:]}"
    return LINE if status else RIGHT, ""


def run(trial: Trial, folder: Path, more: list[str], seconds: float) -> tuple[int | None, fault_processes.Running]:
    """Run a command to its end; the status is None if it was not done in time."""
    if not folder.exists():
        trial.prepare(folder)
    running = fault_processes.start(trial.module, [*trial.arguments(folder), *more])
    if not running.wait(seconds):
        running.kill()
        return None, running
    return running.process.exitcode, running
