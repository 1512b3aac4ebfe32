"""Losses of the three outputs: means over the labelled rows of a batch.

Keras's own losses divide by the number of rows, so that unlabelled rows of weight 0 dilute the mean; these divide by the
sum of weights. Plain Keras, for any backend.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import keras
from keras import ops

from fer_keras.concordance import concordance_terms
from fer_keras.config.run_config import LossConfig
from fer_keras.labels import AXES

_across: list[tuple[Callable, int]] = []  # of `sums_over_replicas`; the last one counts


@contextlib.contextmanager
def sums_over_replicas(add: Callable, replicas: int) -> Iterator[None]:
    """Let every mean in a loss be one over the whole batch while a strategy cuts it into parts.

    Where each replica runs this code on its own part (`tf.distribute`), a mean of their means weighs faces unequally as
    soon as labels are missing, and a CCC of a part is not that of the batch.

    Args:
        add: takes a replica's sum and returns that of all; differentiable.
        replicas: how many there are. Each gets its part of the whole batch's loss, since Keras adds up their gradients.
    """
    _across.append((add, replicas))
    try:
        yield
    finally:
        _across.pop()


def _total(values):
    """Return the sum of (batch,) values, over all replicas."""
    total = ops.sum(values)
    return _across[-1][0](total) if _across else total


_register = keras.saving.register_keras_serializable(package="fer_keras")


class MaskedLoss(keras.losses.Loss):
    """A loss that averages over labelled rows: sum(weight * loss) / sum(weight); 0 if no row is labelled.

    Subclasses give `call(y_true, y_pred)` -> (batch,). Rows of weight 0 add nothing, even if they hold NaN.
    """

    def __init__(self, name: str):
        super().__init__(name=name, reduction="sum")

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true = ops.reshape(ops.convert_to_tensor(y_true, dtype=self.dtype), ops.shape(y_pred))
        if sample_weight is None:
            sample_weight = ops.ones_like(y_pred[:, 0])
        weight = ops.reshape(ops.convert_to_tensor(sample_weight, dtype=self.dtype), (-1,))
        # A missing label may be NaN, and NaN times 0 is NaN: replace it before it meets the gradient.
        y_true = ops.where(weight[:, None] > 0, y_true, ops.zeros_like(y_true))
        return self.reduce(y_true, y_pred, weight) / (_across[-1][1] if _across else 1)

    def reduce(self, y_true, y_pred, weight):
        """Return the weighted mean of the rows' losses."""
        return _mean(self.call(y_true, y_pred), weight)

    def drawn(self, seeds) -> "MaskedLoss":
        """Return the loss of one training step: the loss itself, except for losses with a random part.

        Args:
            seeds: a `keras.random.SeedGenerator`.
        """
        return self

    def get_config(self):
        return {"name": self.name}


def _mean(values, weight):
    return _total(values * weight) / ops.maximum(_total(weight), 1e-7)


@_register
class EmotionCrossEntropy(MaskedLoss):
    """Cross-entropy of a distribution over emotions: -sum(t * log(p)), t smoothed to t * (1 - s) + s / classes.

    Args:
        label_smoothing: s, in 0..1.
        adjustment: added to the logits of each class while the loss is computed, and not when the model answers; (classes,)
            or none. See `logit_adjustment`.

    Call with y_true (batch, classes), one-hot or votes as a distribution, and y_pred (batch, classes) probabilities.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "cross_entropy", *, adjustment: Sequence[float] = ()):
        super().__init__(name)
        self.label_smoothing = label_smoothing
        self.adjustment = [float(value) for value in adjustment]

    def call(self, y_true, y_pred):
        target, log_p, _ = self._terms(y_true, y_pred)
        return -ops.sum(target * log_p, axis=-1)

    def _terms(self, y_true, y_pred):
        classes = y_pred.shape[-1]
        probabilities = ops.clip(y_pred, 1e-7, 1.0)
        if self.adjustment:
            raised = probabilities * ops.exp(ops.convert_to_tensor(self.adjustment, dtype=self.dtype))
            probabilities = ops.clip(raised / ops.sum(raised, axis=-1, keepdims=True), 1e-7, 1.0)
        target = y_true * (1 - self.label_smoothing) + self.label_smoothing / classes
        return target, ops.log(probabilities), probabilities

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "adjustment": self.adjustment}


@_register
class EmotionFocal(EmotionCrossEntropy):
    """Focal loss: -sum(t * (1 - p)^gamma * log(p)) (Lin et al., Focal Loss for Dense Object Detection, 2017).

    Args:
        gamma: focusing exponent; 0 is cross-entropy.
        label_smoothing, adjustment: as for `EmotionCrossEntropy`.
    """

    def __init__(
        self,
        gamma: float = LossConfig.focal_gamma,
        label_smoothing: float = 0.0,
        name: str = "focal",
        *,
        adjustment: Sequence[float] = (),
    ):
        super().__init__(label_smoothing, name, adjustment=adjustment)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        target, log_p, probabilities = self._terms(y_true, y_pred)
        return -ops.sum(target * ops.power(1.0 - probabilities + 1e-7, self.gamma) * log_p, axis=-1)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@_register
class AxisMSE(MaskedLoss):
    """Squared error of valence or arousal; y_true and y_pred (batch, 1) in -1..1."""

    def __init__(self, name: str = "mse"):
        super().__init__(name)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@_register
class AxisHuber(MaskedLoss):
    """Huber loss of valence or arousal: e^2 / 2 up to |e| = delta, then delta * (|e| - delta / 2)."""

    def __init__(self, delta: float = LossConfig.huber_delta, name: str = "huber"):
        super().__init__(name)
        self.delta = delta

    def call(self, y_true, y_pred):
        error = ops.abs(y_true - y_pred)
        inside = ops.minimum(error, self.delta)
        return ops.mean(0.5 * ops.square(inside) + self.delta * (error - inside), axis=-1)

    def get_config(self):
        return {**super().get_config(), "delta": self.delta}


@_register
class AxisCCC(MaskedLoss):
    """(1 - share) * MSE + share * (1 - CCC), the CCC over the batch's labelled rows with population moments.

    Args:
        share: of 1 - CCC; 1 is the pure CCC loss.

    With fewer than two labelled rows the CCC term is 0: one point has no concordance.
    """

    def __init__(self, share: float = 1.0, name: str = "ccc_loss"):
        super().__init__(name)
        self.share = share

    def reduce(self, y_true, y_pred, weight):
        t, p = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
        mean_t, mean_p = _mean(t, weight), _mean(p, weight)
        covariance = _mean((t - mean_t) * (p - mean_p), weight)
        var_t, var_p = _mean(ops.square(t - mean_t), weight), _mean(ops.square(p - mean_p), weight)
        numerator, denominator = concordance_terms(covariance, var_t, var_p, mean_t - mean_p)
        ccc = numerator / (denominator + 1e-7)
        enough = ops.cast(_total(ops.cast(weight > 0, weight.dtype)) > 1, weight.dtype)
        return (1 - self.share) * _mean(ops.square(t - p), weight) + self.share * enough * (1 - ccc)

    def get_config(self):
        return {**super().get_config(), "share": self.share}


@_register
class AxisRandomCCC(AxisCCC):
    """share * (1 - CCC) + (1 - share) * MSE, the share drawn anew for each axis and training step.

    share = b / (a + b) with a and b uniform in 0..1: symmetric about its mean of 1/2, and denser there than at the ends. In
    evaluation nothing is drawn and the share is 1/2, so that losses of different epochs can be compared.

    Source: Toisoul et al., Estimation of continuous valence and arousal levels from faces in naturalistic conditions, 2021,
    weight MSE, 1 - PCC and 1 - CCC in this way; here without the PCC, and drawn for each axis.
    """

    def __init__(self, name: str = "random_mse_ccc"):
        super().__init__(0.5, name)

    def drawn(self, seeds) -> AxisCCC:
        parts = keras.random.uniform((2,), seed=seeds)
        return AxisCCC(parts[1] / (ops.sum(parts) + 1e-7), self.name)

    def get_config(self):
        return {"name": self.name}


#: Name in `LossConfig` -> what builds the loss.
EMOTION_LOSSES: dict[str, Callable[[LossConfig, Sequence[float]], MaskedLoss]] = {
    "cross_entropy": lambda config, added: EmotionCrossEntropy(config.label_smoothing, adjustment=added),
    "focal": lambda config, added: EmotionFocal(config.focal_gamma, config.label_smoothing, adjustment=added),
}
AXIS_LOSSES: dict[str, Callable[[LossConfig], MaskedLoss]] = {
    "mse": lambda config: AxisMSE(),
    "huber": lambda config: AxisHuber(config.huber_delta),
    "ccc": lambda config: AxisCCC(),
    "mse_ccc": lambda config: AxisCCC(config.ccc_share, "mse_ccc"),
    "random_mse_ccc": lambda config: AxisRandomCCC(),
}


def build_losses(
    config: LossConfig, outputs: tuple[str, ...], shares: Sequence[float] | None = None
) -> dict[str, MaskedLoss]:
    """Return one loss for each output.

    Args:
        config: which losses, with their parameters.
        outputs: the model's.
        shares: of each class among the training faces, (classes,); `logit_adjustment` needs them.

    Raises:
        ValueError: a logit adjustment without shares.
    """
    losses = {}
    if "emotion" in outputs:
        added = logit_adjustment(shares, config.logit_adjustment) if config.logit_adjustment else ()
        losses["emotion"] = EMOTION_LOSSES[config.emotion_loss](config, added)
    return losses | {name: AXIS_LOSSES[config.va_loss](config) for name in AXES if name in outputs}


def logit_adjustment(shares: Sequence[float] | None, strength: float) -> list[float]:
    """Return what a logit-adjusted loss adds to the logit of each class: strength * log(share).

    A model trained so has to rate a rare class higher than its frequency asks for, and finds it more often; of strength 1 it
    is balanced over classes, of strength 0 nothing changes. A class without faces counts as one with the smallest share.

    Args:
        shares: of the classes among the training faces, each at least 0.
        strength: tau.

    Raises:
        ValueError: no shares, or all are 0.

    Example:
        >>> [round(value, 3) for value in logit_adjustment([0.9, 0.1], 0.5)]
        [-0.053, -1.151]

    Source: Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 10.
    """
    positive = [share for share in shares if share > 0] if shares is not None else []
    if not positive:
        raise ValueError(f"--logit-adjustment expects training faces with an emotion. Received: shares {shares}.")
    total = sum(shares)
    return [strength * math.log(max(share, min(positive)) / total) for share in shares]


def loss_weights(config: LossConfig, outputs: tuple[str, ...]) -> dict[str, float]:
    """Return the weight of each output's loss: alpha for emotion, beta for each axis."""
    return {name: config.alpha if name == "emotion" else config.beta for name in outputs}
