"""Sharpness-aware minimisation: a training step that descends by the gradient found a little way uphill."""

import keras
import tensorflow as tf


class SharpnessAwareStep:
    """One training step of a compiled Keras model: w <- step(gradient of L at w + rho * g / |g|), g the gradient at w.

    Keras has no optimizer for this, because the loss must be computed twice. The step leaves loss scaling, clipping (of the
    second gradient), averages and the update itself to `model.optimizer`.

    * Both passes see the same faces, the same dropout and the same drawn loss weights.
    * Loss and metrics in the logs, and the statistics of batch normalisation, are those of the first pass, at w.
    * Only weights of the net go uphill; learned loss weights are no part of its landscape.
    * The norm is over all those weights together; a zero gradient goes nowhere.

    Args:
        model: compiled; its `train_step` is to be replaced by this object.
        net: the model whose weights go uphill, `model` itself or the one inside it.
        rho: how far, in the Euclidean norm.

    Source: Foret et al., Sharpness-Aware Minimization for Efficiently Improving Generalization, ICLR 2021.
    """

    def __init__(self, model: keras.Model, net: keras.Model, rho: float):
        self.model, self.rho = model, rho
        climbing = {id(variable) for variable in net.trainable_variables}
        self.variables = list(model.trainable_variables)
        self.climbs = [id(variable) in climbing for variable in self.variables]
        weights = {id(variable) for variable in model.non_trainable_weights}
        self.statistics = list(model.non_trainable_weights)
        self.seeds = [variable for variable in model.non_trainable_variables if id(variable) not in weights]

    def __call__(self, data) -> dict:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        seeds = _values(self.seeds)
        gradients, loss, y_pred = self._gradients(x, y, sample_weight)
        place = _values(self.variables)
        measured = [*self.statistics, *self.model.metrics_variables]
        kept = _values(measured)
        self._climb(gradients)
        _assign(self.seeds, seeds)
        gradients = self._gradients(x, y, sample_weight)[0]
        _assign(self.variables, place)
        _assign(measured, kept)
        self.model.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        for metric in self.model.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(x)[0])
        return self.model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _gradients(self, x, y, sample_weight) -> tuple:
        with tf.GradientTape() as tape:
            y_pred = self.model(x, training=True)
            loss = self.model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
            scaled = self.model.optimizer.scale_loss(loss)
        return tape.gradient(scaled, self.variables), loss, y_pred

    def _climb(self, gradients) -> None:
        """Move the weights by rho along the gradient; the factor of loss scaling falls out of the quotient."""
        pairs = [
            (variable, gradient)
            for variable, gradient, climbs in zip(self.variables, gradients, self.climbs, strict=True)
            if climbs and gradient is not None
        ]
        norm = tf.linalg.global_norm([gradient for _, gradient in pairs])
        for variable, gradient in pairs:
            variable.assign_add(self.rho * tf.math.divide_no_nan(gradient, norm))


def _values(variables: list) -> list:
    return [tf.identity(variable.value) for variable in variables]


def _assign(variables: list, values: list) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
