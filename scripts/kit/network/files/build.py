"""The Keras model of a file, built in TensorFlow 1.15 from its description and its arrays."""
from kit.base.cli import UserError
from kit.tf.tf115 import session, tf

ACTIVATIONS = {  # by the names of newer Kerases
    "relu6": tf.nn.relu6,
    "swish": tf.nn.swish,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    "hard_sigmoid_3": lambda x: tf.nn.relu6(x + 3.0) / 6.0,
    "hard_tanh": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "gelu": lambda x: 0.5 * x * (1.0 + tf.math.erf(x / 2.0 ** 0.5)),
    "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.2),
}


for _name, _function in ACTIVATIONS.items():
    if _function.__name__ == "<lambda>":
        _function.__name__ = _name  # by which Keras describes it


def built(file):
    """The tf.keras model of a KerasFile, for inference; UserError where 1.15 cannot build it."""
    keras = tf.keras
    keras.backend.clear_session()
    keras.backend.set_session(session())
    keras.backend.set_learning_phase(0)
    try:
        with keras.utils.custom_object_scope(ACTIVATIONS):
            model = keras.layers.deserialize(file.description)
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
