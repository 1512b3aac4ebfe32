"""Losses whose weights are learned or drawn in training: a model around the model, so that the saved one stays plain."""

import keras
from keras import ops


class TrainingObjective(keras.Model):
    """Trains `net` with loss sum_i w_i * (exp(-s_i) * L_i + s_i), each s_i a learned log variance, or with sum_i w_i * L_i.

    Losses that draw a share anew each step (`drawn`) do so here, in training only, and the generator's state is one of the
    model's variables, so that a resumed run draws as an unbroken one.

    Kendall, Gal, Cipolla: Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, with the factor 1/2 of
    regression terms left to w_i.

    Args:
        net: the model that is trained, with dict outputs.
        losses: the loss of each output.
        weights: w_i, the fixed factor of each output.
        learned: whether there are log variances.
        seed: of what is drawn.
    """

    def __init__(
        self, net: keras.Model, losses: dict, weights: dict[str, float], *, learned: bool = True, seed: int = 0
    ):
        super().__init__(name="training_objective", dtype=net.dtype_policy, autocast=False)
        self.net, self.fixed = net, dict(weights)
        self.objectives = dict(losses)
        self.draws = keras.random.SeedGenerator(seed)
        self.log_variance = {
            name: self.add_weight(name=f"{name}_log_variance", initializer="zeros") for name in losses if learned
        }

    def call(self, images, training=None):
        return self.net(images, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        total = 0.0
        for name, objective in self.objectives.items():
            if training:
                objective = objective.drawn(self.draws)
            value = objective(y[name], y_pred[name], None if sample_weight is None else sample_weight[name])
            if name in self.log_variance:
                s = ops.convert_to_tensor(self.log_variance[name])
                value = ops.exp(-s) * value + s
            total += self.fixed[name] * value
        return total
