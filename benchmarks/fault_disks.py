"""Full disks for `faults.py`: a command finds no room at a random byte, says so in one line, and goes on once there is room."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fault_commands import Trial
from fault_kills import go_on, run
from fault_worker import HANG, LINE, RIGHT, TRACEBACK, WRONG

_ROOM = 256  # MB of a disk that is not full
_TEMPORARY = 1.5  # a file is written beside the one that it replaces


def run_trials(trial: Trial, count: int, seconds: float) -> tuple[list[tuple[str, str]], str]:
    """Run a command on `count` file systems that have less room than it needs, and go on with room.

    Args:
        trial: the command.
        count: of file systems.
        seconds: after which a command hangs.

    Returns:
        The outcome of each and what was said, and nothing more, as `fault_kills.run_trials`. "Right" is a command that
        had room enough; "one line" one that said in one line that it had not, and was right when it had.
    """
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        trial.prepare(whole)
        before = _bytes_in(whole)
        status, unbroken = run(trial, whole, [], seconds)
        if status != 0:
            return [(HANG if status is None else TRACEBACK, f"the unbroken run failed: {unbroken.text[-300:]}")], ""
        needed, expected = _TEMPORARY * (_bytes_in(whole) - before), trial.result(whole)
        outcomes = []
        for number in range(count):
            disk = Path(place) / str(number)
            disk.mkdir()
            if not _mount(disk):
                return [], "a tmpfs cannot be mounted here: no disk was filled"
            try:
                room = random.Random(number).uniform(0, needed)
                outcomes.append(_fill(trial, disk / "folder", expected, room=room, seconds=seconds))
            finally:
                subprocess.run(["umount", "-l", str(disk)], check=True)
            told = ": ".join(outcomes[-1])
            print(
                f"{trial.module} {number + 1}/{count}, room for {room / 1e3:.0f} kB: {told}",
                file=sys.stderr,
                flush=True,
            )
        return outcomes, ""


def _fill(trial: Trial, folder: Path, expected: dict, *, room: float, seconds: float) -> tuple[str, str]:
    trial.prepare(folder)
    _resize(folder.parent, f"{(_used(folder.parent) + int(room)) // 1024 + 4}k")
    status, done = run(trial, folder, [], seconds)
    where = f"with {room / 1e3:.0f} kB"
    if status is None or "Traceback" in done.text:
        return HANG if status is None else TRACEBACK, f"{where}: {done.text[-300:]}"
    if status and "no space left" not in done.text.lower():
        return WRONG, f"{where}: {done.text[-300:]}"
    _resize(folder.parent, f"{_ROOM}m")
    outcome, said = go_on(trial, folder, expected, seconds=seconds, where=where)
    return (LINE if status else outcome, said) if outcome in (RIGHT, LINE) else (outcome, said)


def _mount(disk: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}m", "tmpfs", str(disk)]
    return sys.platform == "linux" and subprocess.run(command, capture_output=True).returncode == 0


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True, capture_output=True)


def _used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def _bytes_in(folder: Path) -> int:
    return sum(os.stat(path).st_size for path in folder.rglob("*") if path.is_file())
