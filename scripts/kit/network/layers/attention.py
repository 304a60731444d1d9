"""Attention by dot products (Luong 2015) and by a sum (Bahdanau 2015), as Keras' layers."""
import numpy as np

from kit.base.cli import UserError
from kit.network.layers.handler import Handler, Layer, WHOLE


class Attention(Handler):
    """softmax(query key') value; inputs (n, Tq, d), (n, Tv, d) and perhaps the keys.

    Masked steps of the value weigh nothing, those of the query give zeros.
    """

    takes_mask = True

    def read(self, path, name, config, arrays):
        options = {"causal": bool(config.get("causal"))}
        return Layer(type(self).__name__, name, options, dict(zip(("scale",), arrays)))

    def array_counts(self, config):
        return int(bool(config.get("use_scale"))), 0

    def shapes(self, layer, shapes):
        return [tuple(shapes[0][:-1]) + (shapes[1][-1],)]

    def check(self, path, layer, shapes):
        if len(shapes) not in (2, 3) or any(len(shape) != 2 for shape in shapes):
            raise UserError("%s: layer '%s' is %s of %s; a query, a value and perhaps a key, each "
                            "(steps, channels), are needed"
                            % (path, layer.name, layer.class_name, shapes))

    def no_step(self, layer, timed, shapes):
        return "is %s, which %s" % (layer.class_name, WHOLE)

    def scores(self, call, query, key):
        """(n, Tq, Tv)"""
        found = call.ops.batch_product(query, key, False, True)
        if "scale" in call.layer.weights:
            width = int(found.shape[-1])
            scale = np.full(width, call.layer.weights["scale"], np.float32)
            found = call.ops.tf.multiply(found, tf_constant(call, scale), name="scaled")
        return found

    def window(self, call):
        tf, (query, value, *key) = call.ops.tf, call.tensors
        scores = self.scores(call, query, key[0] if key else value)
        rows, columns = call.sizes[0][0], call.sizes[1][0]
        if call.layer.options["causal"]:
            later = np.triu(np.full((1, rows, columns), -1e9, np.float32), 1)
            # as a difference: toco takes a sum for the product's bias, one row for all
            scores = tf.subtract(tf_constant(call, later), tf.negative(scores), name="causal")
        if call.masks[1] is not None:  # steps of the value that do not count weigh nothing
            counts = tf.reshape(tf.concat(call.masks[1], 1), (-1, 1, columns), name="counts")
            nothing = tf.multiply(tf.subtract(counts, call.ops.row(counts, 1)), call.ops.row(
                counts, 1e9), name="nothing")
            scores = tf.subtract(nothing, tf.negative(scores), name="masked")
        weights = tf.nn.softmax(tf.reshape(scores, (-1, columns)), name="weights")
        weights = tf.reshape(weights, (-1, rows, columns), name="attention")
        found = call.ops.batch_product(weights, value, False, False)
        if call.masks[0] is None:
            return found
        steps = call.ops.steps(found, call.after)
        return [tf.multiply(*pair, name="kept") for pair in zip(steps, call.masks[0])]


class AdditiveAttention(Attention):
    """softmax(sum(scale tanh(query + key))) value."""

    def array_counts(self, config):
        return int(bool(config.get("use_scale", True))), 0

    def scores(self, call, query, key):
        tf, (rows, width) = call.ops.tf, call.sizes[0]
        columns = call.sizes[1][0]
        total = tf.tanh(tf.add(tf.reshape(query, (-1, rows, 1, width)),
                               tf.reshape(key, (-1, 1, columns, width)), name="total"), name="tanh")
        scale = call.layer.weights.get("scale", np.ones(width, np.float32)).reshape(width, 1)
        found = tf.matmul(tf.reshape(total, (-1, width)), tf_constant(call, scale), name="scores")
        return tf.reshape(found, (-1, rows, columns))


def tf_constant(call, values):
    return call.ops.tf.constant(values, call.ops.tf.float32)


HANDLERS = {"Attention": Attention(), "AdditiveAttention": AdditiveAttention()}
