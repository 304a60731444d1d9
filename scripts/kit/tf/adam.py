"""Adam of operations that IEEE 754 rounds exactly: the same weights on every CPU."""
import math

import numpy as np

from kit.tf.tf115 import tf


class ExactAdam(tf.keras.optimizers.Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1) with a step size that falls linearly to zero.

    The stock optimizer takes a float32 square root, which CPUs approximate differently. Here
    float32 is added, multiplied and divided, the root is taken in float64, and the step sizes with
    their bias correction come from a table.
    """

    def __init__(self, learning_rate, n_steps, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super(ExactAdam, self).__init__(name="ExactAdam")
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.step_sizes = step_sizes(learning_rate, n_steps, beta_1, beta_2)

    def _create_slots(self, var_list):
        for slot in ("m", "v"):
            for var in var_list:
                self.add_slot(var, slot)

    def _resource_apply_dense(self, grad, var):
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_t = m.assign(self.beta_1 * m + (1 - self.beta_1) * grad, use_locking=True)
        v_t = v.assign(self.beta_2 * v + (1 - self.beta_2) * (grad * grad), use_locking=True)
        root = tf.cast(tf.sqrt(tf.cast(v_t, tf.float64)), tf.float32)
        size = tf.gather(tf.constant(self.step_sizes), self.iterations)
        return var.assign_sub(size * m_t / (root + self.epsilon), use_locking=True)

    def get_config(self):
        raise NotImplementedError("models are saved without their optimizer")


def step_sizes(learning_rate, n_steps, beta_1, beta_2):
    """Step size of each update with Adam's bias correction, shape (n_steps,) float32.

    Powers are running products and the root is math.sqrt: exact on every CPU.
    """
    sizes, power_1, power_2 = [], 1.0, 1.0
    for step in range(n_steps):
        power_1, power_2 = power_1 * beta_1, power_2 * beta_2
        remaining = (n_steps - step) / n_steps
        sizes.append(learning_rate * remaining * math.sqrt(1 - power_2) / (1 - power_1))
    return np.array(sizes, np.float32)
