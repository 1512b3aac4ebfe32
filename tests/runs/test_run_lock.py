"""One training per directory: a living owner is named, a dead one keeps nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fer_keras.runs.run_lock import LOCK_FILE, hold_run, refuse_held

ROOT = Path(__file__).parents[2]
HOLD = """
import os, sys, time
from pathlib import Path
from fer_keras.runs.run_lock import hold_run
with hold_run(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:
        print(os.getpid(), flush=True)  # what runs in a new process at once has run
        time.sleep(60)
        os._exit(0)
    if len(sys.argv) == 2:
        print(1, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """A process that holds the run directory until it is told to end."""
    started = []

    def start(*more: str):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "run"), *more]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        started.append(process)
        process.child = int(process.stdout.readline())
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_living_owner_is_named_and_its_end_frees_the_directory(owner, tmp_path):
    run = tmp_path / "run"
    refuse_held(run)
    process = owner()
    for attempt in (lambda: refuse_held(run), lambda: hold_run(run).__enter__()):
        with pytest.raises(ValueError, match=f"being trained by process {process.pid}. Wait for it") as error:
            attempt()
        assert "\n" not in str(error.value)
    process.communicate()
    refuse_held(run)
    with hold_run(run):
        assert (run / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    assert list(run.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="fork and SIGKILL")
def test_a_killed_owner_keeps_no_lock_even_if_a_process_that_it_forked_lives_on(owner, tmp_path):
    process = owner("fork")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    try:
        assert (tmp_path / "run" / LOCK_FILE).is_file()
        refuse_held(tmp_path / "run")
        with hold_run(tmp_path / "run"):
            pass
    finally:
        os.kill(process.child, signal.SIGKILL)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match="cannot be written .*Choose another --output-dir"),
        hold_run(tmp_path / "file" / "run"),
    ):
        pass


@pytest.mark.parametrize("flags", [[], ["--resume"], ["--overwrite"]])
def test_train_beside_a_living_run_is_refused_in_one_line(owner, tmp_path, faces_dir, capsys, flags):
    from fer_keras import train

    process = owner()
    (tmp_path / "run" / "history.csv").write_text("epoch\n1\n")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    data = ["--data-spec", "affectnet", "--data-dir", str(faces_dir)]
    assert train.main([*data, "--output-dir", str(tmp_path / "run"), "--backbone", "small", *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"process {process.pid}" in error
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
