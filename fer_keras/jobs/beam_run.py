"""Reading a large folder on Apache Beam, with the same results as on one machine. Why Beam: see `fer_keras.beam`.

Workers get chunks of pictures, as large as a run on one machine reads at a time, read them by the same `read_chunk`, and write
the rows as parts of the results' journal. So the output is the same, a killed job leaves nothing that looks whole, and
`--resume` goes on with what was read, on Beam or without it. Pictures, model and output must lie where every worker sees
them at the same path: on this machine, or on a drive that all of them share.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import apache_beam as beam
from apache_beam.utils.shared import Shared

from fer_keras.beam import pipeline_options
from fer_keras.files import write_atomic
from fer_keras.jobs.picture_run import PictureJob, chunks, read_chunk, unread
from fer_keras.prediction.reading import path_text
from fer_keras.prediction.results_file import ResultsFile, parts_folder, write_part
from fer_keras.prediction.sources import Picture


class ReadChunk(beam.DoFn):
    """Reads one chunk of the list of pictures and writes its rows; Beam may try a chunk again as often as it likes.

    Args:
        load: gives what reads; called once in each process of a worker, whose threads share it.
        settings: of the results; a worker whose own differ would give other answers.
        pictures: the list, one line per chunk, in the folder of parts. Its name is this job's own, so that a job that goes on
            where its starter was killed finds none and ends, and never writes over the parts of the next.
        start: folder that relative paths start from.
    """

    def __init__(self, load: Callable[[], PictureJob], settings: dict, pictures: Path, start: Path):
        self._load, self._settings = load, settings
        self._pictures, self._start = pictures, start
        self._shared = Shared()

    def setup(self) -> None:
        """Load what reads.

        Raises:
            ValueError: it would give other answers than the machine that started the job.
        """
        self._job = self._shared.acquire(self._load)
        own = {**self._job.settings, "top": self._job.top}
        other = sorted(name for name in self._settings if own.get(name) != self._settings[name])
        if other:
            raise ValueError(
                f"A worker has other settings ({', '.join(other)}) than the machine that started the job. Name --engine "
                "and --faces, and install the same on all."
            )

    def process(self, element: tuple[int, int]) -> Iterator[int]:
        """Read the chunk of this (number, place in the list); yield how many pictures it has."""
        number, place = element
        with open(self._pictures, "rb") as file:
            file.seek(place)
            chunk = [Picture(Path(path), Path(copy)) for path, copy in json.loads(file.readline())]
        rows = read_chunk(self._job, chunk, self._start)
        write_part(self._pictures.parent, f"{self._pictures.stem}-{number:08}", self._settings, rows)
        yield len(chunk)


def read_on_beam(
    load: Callable[[], PictureJob],
    pictures: list[Picture],
    results: ResultsFile,
    batch_size: int,
    *,
    arguments: Sequence[str] = (),
) -> list[dict]:
    """Read pictures on Apache Beam; unreadable ones get a row with the reason.

    Args:
        load: gives what reads, in a worker; it must be picklable.
        pictures: see `list_sources`; those that `results` holds already are not read again.
        results: where the rows go; what is read is kept there if the job fails.
        batch_size: pictures that are read at a time.
        arguments: of the pipeline, such as --runner=FlinkRunner; default: Beam's own runner on this machine.

    Returns:
        All rows, of `results` as it is written.

    Raises:
        ValueError: the job failed, or workers wrote their rows where this machine does not see them.
    """
    todo = unread(pictures, results)
    if todo:
        folder = parts_folder(results.path).absolute()
        folder.mkdir()
        listed = folder / f"{uuid4().hex}.jsonl"
        work = _write_list(listed, chunks(todo, batch_size))
        _run(work, ReadChunk(load, results.settings, listed, Path.cwd()), arguments)
        results.add_parts()
    left = unread(pictures, results)
    if left:
        raise ValueError(
            f"{len(left):,} pictures came back without rows, {left[0].path} first: every worker must see the folder of "
            f"{results.path}. Go on with --resume."
        )
    return results.finish([path_text(picture.path) for picture in pictures])


def _write_list(path: Path, work: Iterable[list[Picture]]) -> list[tuple[int, int]]:
    """Write pictures, one line per chunk, and return number and place of each line.

    Only these go into the pipeline: it carries what it starts from in its own description, whose size runners limit.
    """
    lines = [json.dumps([[str(item.path), str(item.copy)] for item in chunk]).encode() + b"\n" for chunk in work]
    write_atomic(path, lambda temporary: temporary.write_bytes(b"".join(lines)))
    places = [0]
    for line in lines:
        places.append(places[-1] + len(line))
    return list(enumerate(places[:-1]))


def _run(work: list[tuple[int, int]], read: ReadChunk, arguments: Sequence[str]) -> None:
    try:
        with beam.Pipeline(options=pipeline_options(arguments)) as pipeline:
            _ = pipeline | "Chunks" >> beam.Create(work) | "Read" >> beam.ParDo(read)
    except Exception as error:  # each runner has errors of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"The Beam job failed: {reason[-1].rstrip('.')}. What was read is kept; go on with --resume."
        ) from error
