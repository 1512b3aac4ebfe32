"""A run replaces and removes what runs made, and nothing else."""

import json
from pathlib import Path

import pytest

from fer_keras.config.config_file import dump_config
from fer_keras.config.run_config import RunConfig
from fer_keras.runs.run_directory import check_report_place, check_run, is_run, open_run, remove_checkpoint, run_files

REPORT = {
    "metrics.json": json.dumps({"scores": {}, "context": {}}),
    "predictions.parquet": "rows",
    "report.html": "page",
    "report.md": "# Report\n\n![ROC](plots/roc.png)\n\n*Chance is grey.*\n",
    "plots/roc.png": "plot",
}
RUN = {
    **REPORT,
    "config.toml": dump_config(RunConfig()),
    "bundle.json": json.dumps({"format": 1, "outputs": {}, "exports": {"h5": {"file": "model.h5"}}}),
    "history.csv": "epoch,loss\n1,0.5\n",
    "model.keras": "model",
    "model.h5": "export",
    "labels.txt": "happy\n",
    "logs/train/events.out.tfevents.1": "log",
    "checkpoint/state.npz": "state",
    **{f"evaluations/synthetic-test/{name}": text for name, text in REPORT.items()},
}
FOREIGN = (
    "notes.txt",
    "plots/mine.png",
    "logs/mine.log",
    "logs/train/mine",
    "checkpoint/mine.npz",
    "evaluations/mine/a.csv",
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def files_in(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def config(folder: Path, **values) -> RunConfig:
    return RunConfig().replace(output_dir=str(folder), **values)


def test_overwriting_a_run_removes_all_of_it_and_nothing_else(tmp_path):
    write(tmp_path, RUN | dict.fromkeys(FOREIGN, "mine"))
    assert {path.relative_to(tmp_path).as_posix() for path in run_files(tmp_path)} == set(RUN)
    open_run(config(tmp_path), resume=False, overwrite=True)
    left = files_in(tmp_path)
    assert left.pop("config.toml") == dump_config(config(tmp_path)) and left == dict.fromkeys(FOREIGN, "mine")
    assert not (tmp_path / "evaluations" / "synthetic-test").exists()


def test_folders_go_with_the_run_if_nothing_else_is_in_them(tmp_path):
    open_run(config(write(tmp_path, RUN)), resume=False, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "checkpoint"}
    write(tmp_path, {"checkpoint/best.npz": "best"})
    remove_checkpoint(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name", ["config.toml", "history.csv", "model.keras", "bundle.json", "metrics.json", "report.md", "plots/roc.png"]
)
def test_files_of_a_run_s_names_that_no_run_made_stay(tmp_path, name, overwrite):
    write(tmp_path, {name: "mine"})
    for begin in (check_run, open_run):
        with pytest.raises(ValueError, match=f"{name} is there already.*--overwrite leaves it alone.*--output-dir"):
            begin(config(tmp_path), False, overwrite)
        with pytest.raises(ValueError, match=f"{name} is there already"):
            begin(config(tmp_path), True, False)
    assert files_in(tmp_path) == {name: "mine"}


def test_other_files_are_nobodys_business(tmp_path):
    mine = dict.fromkeys((*FOREIGN[:1], *FOREIGN[2:]), "mine")
    open_run(config(write(tmp_path, mine)), resume=False, overwrite=False)
    assert files_in(tmp_path).items() >= mine.items()


def test_a_start_that_failed_is_started_again_and_a_configuration_by_hand_stays(tmp_path):
    for _ in range(2):
        open_run(config(tmp_path / "run"), resume=False, overwrite=False)
    by_hand = write(tmp_path / "hand", {"config.toml": "epochs = 3  # as in the paper\n"})
    assert is_run(tmp_path / "run") and not is_run(by_hand)
    with pytest.raises(ValueError, match="config.toml is there already"):
        open_run(config(by_hand, epochs=3), resume=False, overwrite=True)
    write(by_hand, {"history.csv": RUN["history.csv"]})
    assert is_run(by_hand), "a run whose configuration was changed by hand to resume it"


def test_what_a_run_reads_is_not_overwritten(tmp_path):
    write(tmp_path, RUN)
    for values in (
        {"weights": str(tmp_path / "model.keras")},
        {"weights": str(tmp_path)},
        {"data_dir": f"elsewhere,{tmp_path / 'predictions.parquet'}"},
    ):
        with pytest.raises(ValueError, match="which this command reads and never replaces"):
            check_run(config(tmp_path, **values), resume=False, overwrite=True)
    assert files_in(tmp_path) == RUN


def test_the_place_of_a_report(tmp_path):
    check_report_place(tmp_path / "new")
    check_report_place(write(tmp_path / "report", REPORT))
    for name in ("report.md", "conditions.json", "plots/roc.png"):
        place = write(tmp_path / f"foreign-{name.replace('/', '-')}", {name: "mine"})
        with pytest.raises(ValueError, match="is there already. Replace earlier outputs with --overwrite"):
            check_report_place(place)
        check_report_place(place, overwrite=True)
    run = write(tmp_path / "run", RUN)
    with pytest.raises(ValueError, match="is a run, and --output-dir would replace the report"):
        check_report_place(run, overwrite=True)
    with pytest.raises(ValueError, match="expects a folder"):
        check_report_place(run / "report.md", overwrite=True)
