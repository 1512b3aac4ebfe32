"""What bad files, flipped bytes and kills do: one table of outcomes.

  python benchmarks/faults.py --quick
  python benchmarks/faults.py --files 1000 --flips 50 --kills 20 --disks 10
  python benchmarks/faults.py --only onnx,tflite --files 5000 --first 1000
  python benchmarks/faults.py --only kills:train --kills 100

Four campaigns, all by seed. Files: every kind that the package reads is mutated and opened as the commands open it, in a child
process with limits of time and memory. Flips: bytes of a bundle's files are flipped, and the model reads a face. Kills: train,
predict, export and prepare are killed at random moments, half of those of train and export after whole epochs and formats, then
continued or started again, and the result is compared with that of an unbroken run. Disks: the same commands run on a disk that
becomes full, and once more when it has room (Linux, by a user who may mount). Kills and disks need a POSIX system.

Outcomes: right (opened, or the same answer as without the fault), one line (an error of one line, as a command prints it),
traceback, hang (no answer in time), crash (the process was ended by a signal that nobody sent, or by the limit of memory), wrong
answer. Only the first two are good; what was said of the others is printed after the table.
"""

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import fault_disks
import fault_kills
import fault_seeds
from fault_commands import COMMANDS
from fault_worker import CRASH, HANG, LINE, OPENERS, RIGHT, TRACEBACK, WRONG

_OUTCOMES = (RIGHT, LINE, TRACEBACK, HANG, CRASH, WRONG)
_DONE = {"kills": "killed", "disks": "full disk,"}
_WORKER = Path(__file__).with_name("fault_worker.py")


def try_kind(folder: Path, kind: str, first: int, last: int, limits: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the outcome of every mutated file of a kind and what was said; a child that ends or hangs is replaced."""
    results = []
    while first < last:
        command = [sys.executable, str(_WORKER), str(folder), kind, str(first), str(last), str(limits.megabytes)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        done, reason = _follow(child, limits.seconds)
        results += done
        first += len(done)
        if first < last:
            results.append((reason[0], f"file {first}: {reason[1]}"))
            first += 1
    return results


def _follow(child: subprocess.Popen, seconds: float) -> tuple[list[tuple[str, str]], tuple[str, str]]:
    """Return the outcomes that a child told, and what became of the file after them."""
    done, waiting = [], 120.0  # its imports
    try:
        while True:
            ready, _, _ = select.select([child.stdout], [], [], waiting)
            if not ready:
                return done, (HANG, "")
            text = child.stdout.readline()
            if not text:
                child.wait(10)
                return done, (CRASH, f"status {child.returncode}")
            told = json.loads(text)
            waiting = seconds
            if "outcome" in told:
                done.append((told["outcome"], f"file {told['number']}: {told['said']}"))
    finally:
        child.kill()
        child.communicate()


def flip_bytes(folder: Path, count: int, limits: argparse.Namespace) -> dict[str, list[tuple[str, str]]]:
    """Return outcomes by file of a bundle whose bytes were flipped, one, a few or 200 at a time."""
    command = [sys.executable, str(Path(__file__).with_name("fault_seeds.py")), "flip", str(folder), str(count)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60 + limits.seconds * count)
    found: dict[str, list[tuple[str, str]]] = {}
    for line in told.stdout.splitlines():
        file, outcome, said = json.loads(line)
        found.setdefault(file, []).append((outcome, said))
    if told.returncode:
        found.setdefault("(child)", []).append((CRASH, f"status {told.returncode}: {told.stderr[-300:]}"))
    return found


class Table:
    """Prints a row of counts for each fault; keeps what is to be said after the table.

    Attributes:
        bad: what was said of outcomes that are not good.
        notes: further lines.
    """

    def __init__(self):
        self.bad: list[str] = []
        self.notes: list[str] = []
        self.started = time.monotonic()
        print(f"| {'fault':28} | {'n':>6} | " + " | ".join(f"{name:>7}" for name in _OUTCOMES) + " | seconds |")
        print("|---" * (len(_OUTCOMES) + 3) + "|", flush=True)

    def add(self, name: str, results: list[tuple[str, str]], note: str = "") -> None:
        """Print a row: the fault, and the outcomes of all that were tried since the last row."""
        counts, now = Counter(outcome for outcome, _ in results), time.monotonic()
        cells = [f"{name:28}", f"{len(results):6,}", *(f"{counts[name]:7,}" for name in _OUTCOMES)]
        print(f"| {' | '.join(cells)} | {now - self.started:6.0f} |", flush=True)
        self.started = now
        bad = [f"{name}: {outcome}: {said}" for outcome, said in results if outcome not in (RIGHT, LINE)]
        print("\n".join(bad[:20]), end="\n" if bad else "", file=sys.stderr, flush=True)
        self.bad += bad
        self.notes += [f"{name}: {note}"] if note else []


def try_files(table: Table, wanted: set[str], args: argparse.Namespace) -> None:
    """Run the campaigns of files and of flipped bytes."""
    with tempfile.TemporaryDirectory() as folder:
        fault_seeds.in_child(Path(folder), "write")
        for kind in (name for name in OPENERS if name in wanted):
            table.add(f"mutated {kind}", try_kind(Path(folder), kind, args.first, args.first + args.files, args))
        if "flips" in wanted:
            for file, results in flip_bytes(Path(folder), args.flips, args).items():
                table.add(f"flipped bytes, {file}", results)


def try_commands(table: Table, wanted: set[str], args: argparse.Namespace) -> None:
    """Run the campaigns of kills and of full disks."""
    for fault, done, run_trials, count in (
        ("kills", "killed", fault_kills.run_trials, args.kills),
        ("disks", "full disk,", fault_disks.run_trials, args.disks),
    ):
        for command in (name for name in COMMANDS if count and {fault, f"{fault}:{name}"} & wanted):
            table.add(f"{done} {command}", *run_trials(COMMANDS[command], count, args.command_seconds))


def main() -> int:
    """Run the campaigns; the exit status is 1 if an outcome is bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="mutated files of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first file")
    parser.add_argument("--flips", type=int, default=50, help="damaged copies of each file of a bundle")
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--disks", type=int, default=10, help="disks of each command that become full")
    parser.add_argument(
        "--only", default="", help="some of: kinds of files, flips, kills, disks, kills:train, disks:export, ..."
    )
    parser.add_argument("--command-seconds", type=float, default=300.0, help="time limit of a command")
    parser.add_argument("--seconds", type=float, default=20.0, help="time limit of a file")
    parser.add_argument("--megabytes", type=int, default=4096, help="memory limit of a child")
    parser.add_argument("--quick", action="store_true", help="20 files, 5 flips, 1 kill, 1 full disk")
    args = parser.parse_args()
    if args.quick:
        args.files, args.flips, args.kills, args.disks = 20, 5, 1, 1
    wanted = set(args.only.split(",")) if args.only else {*OPENERS, "flips", "kills", "disks"}
    table = Table()
    if wanted & {*OPENERS, "flips"}:
        try_files(table, wanted, args)
    try_commands(table, wanted, args)
    print("\n".join(["", *table.notes, *table.bad[:60]]))
    return 1 if table.bad else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
