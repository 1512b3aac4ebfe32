"""What a run of `predict` prints at its end, and its overview."""

import json
import sys
from pathlib import Path

from fer_keras.faces.finder_options import WHOLE
from fer_keras.jobs.photos import video_lines, write_overview
from fer_keras.jobs.predict_options import PredictConfig
from fer_keras.prediction.summary import summarise, summary_lines


def report(config: PredictConfig, records: list[dict], clips: list, others: int) -> int:
    """Print what was read, and write the overview.

    Args:
        config: of the run.
        records: rows of pictures.
        clips: videos as read.
        others: files in the folders that are neither.

    Returns:
        The exit status: 1 if nothing could be read.
    """
    outputs, summary = config.outputs, summarise(records)
    moving = [row for clip in clips for row in clip.rows]
    if outputs.json and not outputs.output:
        print(json.dumps({"readings": moving + records, "summary": summary}, indent=2))
    else:
        for clip in clips:
            print("\n".join(video_lines(clip)))
        if len(records) > 1 or (records and outputs.output):
            print("\n".join([""] * (not outputs.output) + summary_lines(summary)))
    _report_files(config, records, others)
    if outputs.overview:
        write_overview(
            Path(outputs.overview), records, clips, summary, lambda path: print(f"overview: {path}", file=sys.stderr)
        )
    return 0 if any(not record["error"] for record in moving + records) else 1


def _report_files(config: PredictConfig, records: list[dict], others: int) -> None:
    empty = sum(record["face"] is None and not record["error"] for record in records)
    if empty:
        hint = f"--faces {WHOLE} takes each picture as one face" if empty == len(records) else "--annotate shows them"
        pictures = len({record["path"] for record in records})
        print(f"{empty:,} of {pictures:,} pictures have no face that was found; {hint}", file=sys.stderr)
    if others:
        print(f"{others:,} files in the folders are no pictures and were passed over", file=sys.stderr)
    outputs = config.outputs
    places = {"results": outputs.output, "annotated copies": outputs.annotate, "Grad-CAM": outputs.grad_cam}
    for what, place in places.items():
        if place:
            print(f"{what}: {place}", file=sys.stderr)
