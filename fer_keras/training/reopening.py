"""Going on with a finished run for more epochs: its checkpoint is gone, so one is made from its best model."""

import keras

from fer_keras.runs.bundle import Bundle, load_bundle
from fer_keras.runs.run_directory import BEST_FILE, STATE_FILE, read_history
from fer_keras.training.checkpoint import TrainState, save_variables, state_facts
from fer_keras.training.keeper import run_variables
from fer_keras.training.stages import plan_stages


def reopen(trainer) -> None:
    """Write a checkpoint of a finished run that continues from its best epoch, with a new optimizer state.

    The learning rate is that of the run's last epoch, or where a cosine of all epochs, the new ones included, has come to.
    Early stopping counts anew.

    Args:
        trainer: of the run, configured for more epochs; it has not trained yet.
    """
    bundle = load_bundle(trainer.run)
    history = read_history(trainer.run)
    print(
        f"{trainer.run} had finished after {len(history):,} epochs; it goes on from its best one, {bundle.selected.epoch}, "
        "with a new optimizer state"
    )
    with trainer.strategy.scope():
        model = _compiled(trainer, bundle, history)
    state = TrainState(
        epoch=len(history),
        best_value=bundle.selected.value,
        best_epoch=bundle.selected.epoch,
        seconds=bundle.training.seconds or 0.0,
        history=history,
    )
    (trainer.run / STATE_FILE).parent.mkdir(exist_ok=True)
    save_variables(trainer.run / BEST_FILE, trainer.net.weights, {"epoch": state.best_epoch})
    save_variables(trainer.run / STATE_FILE, run_variables(model), state_facts(state, bundle.data.fingerprint))


def _compiled(trainer, bundle: Bundle, history: list[dict]) -> keras.Model:
    """Return the model of the run's last stage with the weights of its bundle, its optimizer as far as the epochs tell."""
    stage = plan_stages(trainer.config)[-1]
    trainer.net.set_weights(bundle.load_model().get_weights())  # first: averages of weights start from them
    model = trainer.compile_stage(stage)
    model.optimizer.iterations.assign((len(history) - stage.first) * trainer.batches.steps)
    if trainer.config.optimizer.schedule != "cosine":
        model.optimizer.learning_rate = history[-1]["learning_rate"]
    return model
