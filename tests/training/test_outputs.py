"""Models with some of the outputs, all the way: trained, scored, exported, proved, asked about a face."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fer_keras.batches.inputs import open_split
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.drawing.boxes import annotated, draw_faces
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.exporters.export_run import KEPT, ExportOptions, export_run
from fer_keras.metrics.scores import score_predictions
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import load_bundle
from fer_keras.training.training_run import train_run

FOUR = ("angry", "happy", "neutral", "sad")
FACE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def train(faces_dir, folder, **options):
    return train_run(
        RunConfig.of(
            data_dir=str(faces_dir), output_dir=str(folder / "run"), backbone="tiny", epochs=1, batch_size=16,
            validation_fraction=0.2, max_samples=64, head="fc", head_units="16,8", head_norm=True, dropout=0.5, **options,
        )
    )  # fmt: skip


@pytest.mark.parametrize("outputs", ["emotion", "valence,arousal"])
def test_the_chain_with_some_outputs(outputs, faces_dir, tmp_path):
    names = tuple(outputs.split(","))
    run = train(faces_dir, tmp_path, outputs=outputs, emotions=",".join(FOUR))
    bundle = load_bundle(run)
    assert bundle.outputs == names and bundle.labels == (FOUR if "emotion" in names else ())
    scores, directory = evaluate_run(bundle)
    assert set(scores) & {"emotion", "valence", "arousal"} == set(names)
    assert (directory / "report.html").is_file()
    formats = ("h5", "tflite", "onnx")
    results = export_run(bundle, formats, tmp_path / "exports", ExportOptions(samples=16))
    assert [result.verdict for result in results] == [KEPT] * 3, [result.reasons for result in results]
    readings = [Predictor.load(tmp_path / "exports", engine).read(FACE) for engine in formats]
    for reading in readings:
        assert annotated(FACE, [reading]).any() and draw_faces(FACE.copy(), [reading]).any()
        if "emotion" in names:
            assert set(reading.probabilities) == set(FOUR) and reading.valence is None
        else:
            assert reading.emotion is None and -1 <= reading.valence <= 1 and -1 <= reading.arousal <= 1
    assert (tmp_path / "exports" / "labels.txt").exists() == ("emotion" in names)
    if "emotion" in names:
        assert (tmp_path / "exports" / "labels.txt").read_text().split() == list(FOUR), "in the order asked for"


def test_four_classes_are_scored_on_eight_by_meaning(faces_dir, tmp_path):
    import pyarrow.parquet as pq

    run = train(faces_dir, tmp_path, outputs="emotion", emotions="angry,happy,neutral,sad")
    bundle = load_bundle(run)
    bundle.data = replace(bundle.data, spec="another")  # so that the set has its own eight classes
    scores, directory = evaluate_run(bundle, data_spec="synthetic", data_dir=str(faces_dir))
    context = json.loads((directory / "metrics.json").read_text())["context"]
    assert any("no class for surprise (" in note and "faces)" in note for note in context["notes"]), context["notes"]
    table = pq.read_table(directory / "predictions.parquet")
    counts = {name: table.column("emotion_true").to_pylist().count(name) for name in (*FOUR, None)}
    assert counts[None] > 0 and all(counts[name] > 0 for name in FOUR)
    assert scores["emotion"]["n"] == table.num_rows - counts[None]
    assert score_predictions(table)["emotion"]["n"] == scores["emotion"]["n"]


def test_scores_over_views_are_means_and_stand_apart(faces_dir, tmp_path):
    import pyarrow.parquet as pq

    bundle = load_bundle(train(faces_dir, tmp_path, outputs="emotion"))
    tables = {}
    for tta in ("none", "flip"):
        _, directory = evaluate_run(bundle, tta=tta)
        tables[tta] = pq.read_table(directory / "predictions.parquet")
    assert {"synthetic/test", "synthetic/test (flip)"} <= set(load_bundle(bundle.directory).scores)
    row = tables["none"].column("id").to_pylist().index(tables["flip"].column("id")[0].as_py())
    face = open_split(
        load_faces("synthetic", str(faces_dir), validation_fraction=0.2).of_split("test"), (32, 32), ("emotion",)
    ).loader
    image = face.load(np.array([row]))[0].astype("float32")
    model = bundle.load_model()
    one, other = (np.asarray(model(view)["emotion"])[0, 0] for view in (image, image[:, :, ::-1]))
    assert tables["flip"].column("probability_neutral")[0].as_py() == pytest.approx((one + other) / 2, abs=1e-5)
    with pytest.raises(ValueError, match="--tta expects one of.*Did you mean 'flip'"):
        evaluate_run(bundle, tta="flips")
