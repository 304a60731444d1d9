"""The Keras model of a file, built in TensorFlow 1.15 from its description and its arrays."""
import contextlib

from kit.base.cli import UserError
from kit.tf.tf115 import session, tf


class Rescaling(tf.keras.layers.Layer):
    """x * scale + offset, as tf.keras has it from 2.3 on."""

    def __init__(self, scale, offset=0.0, **keywords):
        super().__init__(**keywords)
        self.scale, self.offset = scale, offset

    def call(self, inputs):
        return inputs * self.scale + self.offset

    def get_config(self):
        return dict(super().get_config(), scale=self.scale, offset=self.offset)


class LastStep(tf.keras.layers.Layer):
    """x[:, -1]: the last step of a sequence."""

    def call(self, inputs):
        return inputs[:, -1]


def relu6(x):
    return tf.nn.relu6(x)


def swish(x):
    return x * tf.sigmoid(x)


def hard_sigmoid_3(x):
    """hard_sigmoid as Keras 3 means it."""
    return tf.nn.relu6(x + 3.0) / 6.0


def hard_swish(x):
    return x * hard_sigmoid_3(x)


def hard_tanh(x):
    return tf.clip_by_value(x, -1.0, 1.0)


def gelu(x):
    return 0.5 * x * (1.0 + tf.math.erf(x / 2.0 ** 0.5))


def mish(x):
    return x * tf.tanh(tf.nn.softplus(x))


def leaky_relu(x):
    """With the slope that Keras' function has, not its layer."""
    return tf.nn.leaky_relu(x, 0.2)


ACTIVATIONS = {function.__name__: function for function in (
    relu6, swish, hard_sigmoid_3, hard_swish, hard_tanh, gelu, mish, leaky_relu)}
# what newer Kerases have and 1.15 has not, by their names
tf.keras.utils.get_custom_objects().update(
    ACTIVATIONS, Rescaling=Rescaling, LastStep=LastStep)


@contextlib.contextmanager
def in_float64():
    """Keras computes in float64 in what is built here."""
    tf.keras.backend.set_floatx("float64")
    try:
        yield
    finally:
        tf.keras.backend.set_floatx("float32")


def _with_dtype(item, dtype):
    """A description with float32 made another type."""
    if isinstance(item, dict):
        return {key: dtype if key == "dtype" and value == "float32" else _with_dtype(value, dtype)
                for key, value in item.items()}
    return [_with_dtype(value, dtype) for value in item] if isinstance(item, list) else item


def built(file, dtype="float32"):
    """The tf.keras model of a KerasFile, for inference; UserError where 1.15 cannot build it."""
    keras = tf.keras
    keras.backend.clear_session()
    keras.backend.set_session(session())
    keras.backend.set_learning_phase(0)
    try:
        model = keras.layers.deserialize(_with_dtype(file.description, dtype))
        for path, layer in leaves(model, ""):
            layer.set_weights(file.arrays[path])
    except Exception as error:  # Keras raises whatever its layers raise
        raise UserError("%s: TensorFlow 1.15 cannot build this model: %s"
                        % (file.path, " ".join(str(error).split())[:300]))
    return model


def leaves(model, prefix):
    """(path, layer) of each layer of a built model that is no model itself."""
    for layer in model.layers:
        path, inner = prefix + layer.name, layer
        if hasattr(getattr(layer, "layer", None), "layers"):  # TimeDistributed of a model
            inner = layer.layer
            path = "%s/%s" % (path, inner.name)
        if isinstance(inner, tf.keras.Model):
            yield from leaves(inner, path + "/")
        elif layer.weights or layer.__class__.__name__ != "InputLayer":
            yield path, layer
