"""What graphs are made of, in operators that TFLite has: products, activations, sequences.

hard_sigmoid(z) is relu6(1.2 z + 3) / 6 with 1.2 and 3 folded into weights and bias: as Keras writes
it, it becomes MINIMUM and MAXIMUM, on whose types 1.15's kernels stumble.
"""
import sys

import numpy as np

from kit.network.layers import activations
from kit.network.roles import note_steps
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
    """Keras' activation of a tensor: by its name, or the Layer that stands for it."""
    here = sys.modules[__name__]
    if isinstance(activation, str):
        return activations.ACTIVATIONS[activation](here, x, name)
    handler = activations.HANDLERS[activation.class_name]
    shape = tuple(int(size) for size in x.shape[1:])
    return over_last_axis(lambda rows: handler.apply(here, activation, rows), x, shape, shape)


def row(x, value):
    """A constant as wide as the last axis of x: of a scalar toco makes an abort at times."""
    return tf.constant(np.full(int(x.shape[-1]), value, np.float32))


# --- sequences --------------------------------------------------------------------------------


def steps(value, shape):
    """A sequence as a list of T tensors (n, ...)."""
    if isinstance(value, list):
        return value
    length, item = shape[0], tuple(shape[1:])
    width = int(np.prod(item))
    if length == 1:
        return [tf.reshape(value, (-1,) + item, name="steps")]
    flat = tf.reshape(value, (-1, length * width), name="flat")
    found = tf.split(flat, length, 1, name="steps")
    return found if len(item) == 1 else [tf.reshape(x, (-1,) + item, name="item") for x in found]


def joined(value, shape):
    """A list of T tensors (n, ...) as one tensor (n, T, ...); a tensor as it is."""
    if not isinstance(value, list):
        return value
    if len(shape) > 2:
        width = int(np.prod(shape[1:]))
        value = [tf.reshape(x, (-1, width), name="item") for x in value]
    flat = value[0] if len(value) == 1 else tf.concat(value, 1, name="joined")
    return tf.reshape(flat, (-1,) + tuple(shape), name="sequence")


def each_step(value, shape, function):
    """[function of each step] of a sequence (n, T, C); of one step (n, C) the function alone."""
    if len(shape) == 1:
        return function(value)
    found, scopes = [], []
    for t, x in enumerate(steps(value, shape)):
        with tf.name_scope("t%04d" % t) as scope:
            found.append(function(x))
        scopes.append(scope)
    note_steps(found[0].graph, scopes)
    return found


def part(x, start, count, stride):
    """Steps start, start + stride, ... of (n, T, C): `count` of them."""
    if count == int(x.shape[1]) and stride == 1:
        return x
    if stride == 1:
        return tf.slice(x, [0, start, 0], [-1, count, -1], name="part")
    return x[:, start:start + (count - 1) * stride + 1:stride]


def over_last_axis(apply, value, before, after):
    """apply, a function of (rows, C), along the last axis of (n, ..., C)."""
    if len(before) == 1:
        return apply(value)
    flat = tf.reshape(value, (-1, before[-1]), name="rows")
    return tf.reshape(apply(flat), (-1,) + tuple(after), name="sequence")


# --- rows and columns -------------------------------------------------------------------------


def pool(x, mean, size, strides, padding):
    """The largest or the mean of windows of (n, rows, columns, C)."""
    function = tf.nn.avg_pool2d if mean else tf.nn.max_pool2d
    return function(x, (1,) + tuple(size) + (1,), (1,) + tuple(strides) + (1,), padding.upper(),
                    name="pool")


def convolution_of(kernel, bias, strides, padding, dilation, activation, name, depthwise=False):
    """A function of (n, rows, columns, C) whose constants are made once."""
    scaled = activation == "hard_sigmoid"
    if scaled:  # as in `linear`
        kernel, bias = np.float32(1.2) * kernel, np.float32(1.2) * bias + np.float32(3)
        sixth = np.full(len(bias), 1 / 6, np.float32)
    kernel = tf.constant(kernel, tf.float32, name=name + "/kernel")
    bias = tf.constant(bias, tf.float32, name=name + "/bias")

    def apply(x):
        if depthwise:
            found = tf.nn.depthwise_conv2d(x, kernel, (1,) + tuple(strides) + (1,),
                                           padding.upper(), rate=tuple(dilation))
        else:
            found = tf.nn.conv2d(x, kernel, (1,) + tuple(strides) + (1,), padding.upper(),
                                 dilations=(1,) + tuple(dilation) + (1,))
        total = tf.nn.bias_add(found, bias, name=name)
        if scaled:
            return tf.multiply(tf.nn.relu6(total, name=name + "_times_6"), sixth)
        return total if activation == "linear" else activate(total, activation, "activation")
    return apply


def batch_product(x, y, turn_x, turn_y):
    """x (n, a, k) times y (n, k, b), either turned first: (n, a, b)."""
    return tf.matmul(x, y, transpose_a=bool(turn_x), transpose_b=bool(turn_y), name="product")
