"""`--profile` finds a slow input and a slow callback, and changes nothing of what is trained."""

import time

import numpy as np
import pytest
from test_training import ONE, config_for, trainer_for

from fer_keras.batches.input_clock import InputClock
from fer_keras.runs.run_directory import PROFILE_FILE
from fer_keras.training import keeper, trainer
from fer_keras.training.profile_report import ProfileFacts, profile_text
from fer_keras.training.run_profile import PARTS

PAUSE = 0.02


def paused(element):
    time.sleep(PAUSE)
    return element


def slow(dataset):
    """The dataset, which keeps its reader waiting for each element."""
    import tensorflow as tf

    def wait(*element):
        pause = tf.numpy_function(lambda: paused(np.float32(0)), [], tf.float32)
        with tf.control_dependencies([pause]):
            return tf.nest.map_structure(tf.identity, element)

    return dataset.map(wait)


def test_waiting_for_a_dataset_is_measured_and_its_elements_stay():
    import tensorflow as tf

    clock = InputClock()
    dataset = slow(tf.data.Dataset.from_tensor_slices(({"a": np.arange(5)}, np.arange(5, 10))))
    found = [(int(x["a"]), int(y)) for x, y in clock.watched(dataset)]
    assert found == list(zip(range(5), range(5, 10), strict=True)) and clock.waited >= 5 * PAUSE


def test_waiting_for_an_iterator_is_measured(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    clock = InputClock()
    assert list(clock.watched(map(paused, range(5)))) == list(range(5)) and clock.waited >= 5 * PAUSE


def test_a_profile_names_what_is_slow_and_changes_no_weight(faces_dir, tmp_path, monkeypatch):
    config = config_for(faces_dir, tmp_path / "plain", epochs=1, ema=0.5, **ONE)
    plain = trainer_for(config)
    weights = plain.fit().get_weights()
    assert not (tmp_path / "plain" / PROFILE_FILE).exists()

    data, end = trainer.training_data, keeper.Progress.on_train_batch_end
    monkeypatch.setattr(trainer, "training_data", lambda *given: slow(data(*given)))
    monkeypatch.setattr(keeper.Progress, "on_train_batch_end", lambda *given, **more: paused(end(*given, **more)))
    profiled = trainer_for(config.replace(output_dir=str(tmp_path / "profiled"), profile=True))
    seconds = {}
    monkeypatch.setattr("fer_keras.training.profile_report.profile_text", lambda found, *_: seconds.update(found) or "")
    found = profiled.fit().get_weights()
    assert all(np.allclose(one, other, atol=1e-5) for one, other in zip(found, weights, strict=True))

    steps = profiled.batches.steps
    assert steps == profiled.profile.steps and profiled.profile.epochs == 1
    assert seconds["Progress"] >= steps * PAUSE and seconds["input"] >= (steps - 1) * PAUSE
    assert {*PARTS, "RunKeeper", "Progress", "SwapEMAWeights"} <= set(seconds) and "profiling" not in seconds
    assert all(seconds[part] > 0 for part in PARTS) and profiled.profile.input.made > 0
    assert (tmp_path / "profiled" / PROFILE_FILE).is_file()


FACTS = ProfileFacts("none", remedy="auto", workers=2, cores=2)


def text(facts=FACTS, made=0.0, epochs=2, **seconds) -> str:
    return profile_text(dict.fromkeys(PARTS, 0.0) | seconds, epochs, made, facts)


def test_the_table_has_shares_and_seconds_per_epoch():
    found = text(step=5, input=4, Progress=0.75, RunKeeper=0.25, start=20, made=8)
    assert "Where the time of 2 epochs went: 10.0 s, after 20.0 s of building" in found
    assert (
        "| input | 40% | 2.00 |" in found and "| callbacks | 10% | 0.50 |" in found and "| step | 50% | 2.50 |" in found
    )
    assert "The input takes 40%" in found and "--cache auto" in found and "fer_keras.prepare" in found
    assert "Of the callbacks Progress takes most" in found and "--workers" not in found


@pytest.mark.parametrize(
    "advice, given",
    {
        "Nothing but the step takes much": {"step": 9.0, "validation": 1.0},
        "--workers 8": {
            "step": 5.0,
            "input": 5.0,
            "made": 9.0,
            "facts": ProfileFacts("none", remedy="disk", workers=2, cores=8),
        },
        "read more files at a time (--workers 16, 2 now)": {"step": 5.0, "input": 5.0, "made": 4.0},
        "--cache disk": {"step": 5.0, "input": 5.0, "facts": ProfileFacts("none", remedy="disk", workers=2, cores=8)},
        "faces are cached (memory)": {
            "step": 5.0,
            "input": 5.0,
            "facts": ProfileFacts("memory", remedy="auto", workers=2, cores=2),
        },
        "takes 40% of the processor": {"step": 10.0, "made": 8.0},
        "leave --tensorboard out": {"step": 5.0, "TensorBoard": 2.0, "Progress": 1.0},
        "--validation-fraction": {"step": 5.0, "validation": 5.0},
        "local disk": {"step": 8.0, "checkpoint": 2.0},
        "larger --batch-size": {"step": 8.0, "metrics": 2.0},
        "cannot be told from the step": {
            "step": 5.0,
            "facts": ProfileFacts("none", remedy="auto", workers=2, cores=2, replicas=2),
        },
    }.items(),
)
def test_each_slow_part_has_its_advice(advice, given):
    assert advice in text(**given)


def test_on_a_gpu_making_batches_takes_nothing_from_the_step():
    facts = ProfileFacts("none", remedy="auto", workers=2, cores=2, accelerated=True)
    assert "Making batches" not in text(facts, made=8.0, step=10.0)
