"""Loss weights learned in training: a model around the model, so that what is saved stays plain."""

import keras
from keras import ops


class UncertaintyWeighted(keras.Model):
    """Trains `net` with loss sum_i w_i * (exp(-s_i) * L_i + s_i), each s_i a learned log variance.

    Kendall, Gal, Cipolla: Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, with the factor 1/2 of
    regression terms left to w_i.

    Args:
        net: the model that is trained, with dict outputs.
        losses: a loss an output.
        weights: w_i, the fixed factor an output.
    """

    def __init__(self, net: keras.Model, losses: dict, weights: dict[str, float]):
        super().__init__(name="uncertainty_weighted", dtype=net.dtype_policy, autocast=False)
        self.net, self.fixed = net, dict(weights)
        self.objectives = dict(losses)
        self.log_variance = {name: self.add_weight(name=f"{name}_log_variance", initializer="zeros") for name in losses}

    def call(self, images, training=None):
        return self.net(images, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        total = 0.0
        for name, objective in self.objectives.items():
            weight = None if sample_weight is None else sample_weight[name]
            s = ops.convert_to_tensor(self.log_variance[name])
            total += self.fixed[name] * (ops.exp(-s) * objective(y[name], y_pred[name], weight) + s)
        return total
