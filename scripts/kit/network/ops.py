"""What graphs are made of, in operators that TFLite has: products, activations, sequences.

hard_sigmoid(z) is relu6(1.2 z + 3) / 6 with 1.2 and 3 folded into weights and bias: as Keras writes
it, it becomes MINIMUM and MAXIMUM, on whose types 1.15's kernels stumble.
"""
import sys

import numpy as np

from kit.network.layers.activations import ACTIVATIONS
from kit.tf.tf115 import tf


def linear(kernel, bias, activation, name):
    """A function x -> activation(x @ kernel + bias) whose constants are made once."""
    scaled = activation == "hard_sigmoid"
    if scaled:
        kernel, bias = np.float32(1.2) * kernel, np.float32(1.2) * bias + np.float32(3)
        sixth = np.full(kernel.shape[1], 1 / 6, np.float32)  # toco loses a state times a scalar
    kernel = tf.constant(kernel, tf.float32, name=name + "/kernel")
    bias = tf.constant(bias, tf.float32, name=name + "/bias")

    def apply(x):
        if activation == "linear":
            return tf.nn.bias_add(tf.matmul(x, kernel), bias, name=name)
        total = tf.nn.bias_add(tf.matmul(x, kernel), bias, name=name + "_sum")
        if scaled:
            return tf.multiply(tf.nn.relu6(total, name=name + "_times_6"), sixth, name=name)
        return activate(total, activation, name)
    return apply


def activate(x, activation, name):
    """Keras' activation of a tensor."""
    return ACTIVATIONS[activation](sys.modules[__name__], x, name)


def steps(value, shape):
    """A sequence as a list of T tensors (n, C)."""
    if isinstance(value, list):
        return value
    length, width = shape
    if length == 1:
        return [tf.reshape(value, (-1, width), name="steps")]
    return tf.split(tf.reshape(value, (-1, length * width), name="flat"), length, 1, name="steps")


def joined(value, shape):
    """A list of T tensors (n, C) as one tensor (n, T, C); a tensor as it is."""
    if not isinstance(value, list):
        return value
    flat = value[0] if len(value) == 1 else tf.concat(value, 1, name="joined")
    return tf.reshape(flat, (-1,) + tuple(shape), name="sequence")


def over_last_axis(apply, value, before, after):
    """apply, a function of (rows, C), along the last axis of (n, ..., C)."""
    if len(before) == 1:
        return apply(value)
    flat = tf.reshape(value, (-1, before[-1]), name="rows")
    return tf.reshape(apply(flat), (-1,) + tuple(after), name="sequence")
