"""A whole run of `select`: find the faces of unlabelled pictures, rank them, choose some that differ, write them out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_keras.faces.face_reader import FaceReader
from fer_keras.labelling.doubt import Answers, measure_doubt
from fer_keras.labelling.pool import Pool, PoolReader
from fer_keras.labelling.select_options import SelectConfig
from fer_keras.labelling.selection_files import (
    begin_selection,
    check_selection_place,
    read_selection,
    row_of,
    write_faces,
    write_sheet,
    write_table,
)
from fer_keras.labelling.spreading import choose_faces
from fer_keras.labels import AXES
from fer_keras.prediction.progress_line import ProgressLine
from fer_keras.prediction.sources import list_sources
from fer_keras.readers.listing import Notes

_VIDEO = "video, whose frames are not chosen from"


@dataclass(frozen=True)
class Choice:
    """The faces of a pool that are worth a label.

    Attributes:
        doubt: (n,) of every face of the pool.
        rows: of the chosen ones, the first to label first.
        distances: of each to the nearest one chosen before it, NaN where nothing was compared.
    """

    doubt: np.ndarray
    rows: np.ndarray
    distances: np.ndarray


def select_run(config: SelectConfig, say: Callable[[str], None] = print) -> Path:
    """Choose faces to label and write them to the folder of a selection.

    Args:
        config: see `SelectConfig`.
        say: gets lines of what was found and left out.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: no such folder of pictures, or no model.
        ValueError: settings that do not go together, no face that can be chosen, or a folder that cannot be written to.
    """
    asked = config.selection
    if asked.data_dir is None:
        raise ValueError("select expects --data-dir, a folder of pictures without labels. Received: none.")
    folder = Path(asked.output_dir)
    check_selection_place(folder, Path(asked.data_dir), overwrite=asked.overwrite)
    known = [row["content"] for place in _places(asked.known) for row in read_selection(place)]
    pictures, videos, others = list_sources([asked.data_dir])
    for video in videos:
        others.add(_VIDEO, str(video.path))
    reader = FaceReader.of(_with_keras(config))
    pool = _read(config, reader, [picture.path for picture in pictures], known)
    _say_passed_over(pool, others, say)
    if not pool.faces:
        raise ValueError(
            f"Expected faces to choose from. Received: {len(pictures):,} pictures in {asked.data_dir} with none that is new; "
            "--faces whole takes each picture as one face."
        )
    doubt = measure_doubt(asked.by, pool.answers)
    choice = Choice(doubt, *choose_faces(doubt, pool.features, asked.most))
    facts = {
        "by": asked.by,
        "diversity": asked.diversity,
        "pictures": len(pictures),
        "faces": len(pool.faces),
        "chosen": len(choice.rows),
        "models": [str(member.file.path) for member in reader.predictor.members],
        "data_dir": str(Path(asked.data_dir).absolute()),
    }
    _write(folder, pool, choice, _answers_of(pool.answers, choice.rows, reader.predictor.labels), facts=facts)
    say(f"chose {len(choice.rows):,} of {len(pool.faces):,} faces by {asked.by}: {folder}")
    return folder


def _places(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _with_keras(config: SelectConfig) -> SelectConfig:
    """Let Keras run the model where its features are needed, unless another engine was asked for."""
    if config.selection.diversity and config.model.engine == "auto":
        return replace(config, model=replace(config.model, engine="keras"))
    return config


def _read(config: SelectConfig, reader: FaceReader, pictures: list[Path], known: list[str]) -> Pool:
    asked, tta = config.selection, reader.predictor.tta
    tta = "flip" if asked.by == "views" and tta == "none" else tta
    line = ProgressLine(len(pictures))
    try:
        return PoolReader(reader, tta, asked.diversity).read(pictures, known, advance=line.advance)
    finally:
        line.close()


def _say_passed_over(pool: Pool, others: Notes, say: Callable[[str], None]) -> None:
    from fer_keras.data.facts import passed_over_lines

    counts = {"warnings": others.counts, "examples": others.examples}
    if pool.without_face:
        say(f"{pool.without_face:,} pictures have no face that was found; --faces whole takes each as one face")
    if pool.repeated:
        say(f"{pool.repeated:,} faces are left out: the same pixels were seen before, or chosen earlier")
    say("\n".join(passed_over_lines(counts, pool.unreadable, what="picture")))


def _write(folder: Path, pool: Pool, choice: Choice, read: list[dict], *, facts: dict) -> None:
    begin_selection(folder, facts)
    written = write_faces(folder, [pool.faces[row] for row in choice.rows])
    lines = [
        {**row_of(name, pool.faces[row], choice.doubt[row], distance), **answer}
        for (name, _), row, distance, answer in zip(written, choice.rows, choice.distances, read, strict=True)
    ]
    captions = [f"{line['emotion'] or ''}\n{rank}: {line['doubt']:.2f}" for rank, line in enumerate(lines, 1)]
    write_sheet(folder, [face for _, face in written], captions)
    write_table(folder, lines)


def _answers_of(answers: Answers, rows: np.ndarray, labels: tuple[str, ...]) -> list[dict]:
    """Return what the models say of some faces: the likeliest emotion with its probability, valence and arousal."""
    found = []
    shares = answers.emotion.mean(axis=(0, 1)) if len(answers.emotion) else None
    axes = answers.axes.mean(axis=(0, 1)) if len(answers.axes) else None
    for row in rows:
        best = None if shares is None else int(np.argmax(shares[row]))
        found.append(
            {
                "emotion": None if best is None else labels[best],
                "confidence": None if best is None else round(float(shares[row, best]), 6),
                **{
                    axis: None if axes is None else round(float(axes[row, place]), 6) for place, axis in enumerate(AXES)
                },
            }
        )
    return found
