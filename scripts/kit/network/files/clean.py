"""A Keras description of any version (2.0 to 3) in the words of TensorFlow 1.15's Keras.

What does nothing at inference is left out: initializers, regularizers, constraints, whatever their
class. A key that 1.15 does not know is left out where its value changes nothing, and named in a
sentence where it would. Kinds of layers that are not known here stay as they are.
"""
import re

from kit.base.cli import UserError
from kit.network.files.arrays import is_model, layers_of, name_of
from kit.network.files.lambdas import replaced
from kit.network.files.masks import tensors, without_masks
from kit.network.files.operators import as_layer, is_end, is_operator, named

LEFT_OUT = re.compile("_(initializer|regularizer|constraint)$")
SAYS_NOTHING = ("seed", "optional", "synchronized", "use_cudnn", "autocast", "quantization_config",
                "lora_rank", "lora_alpha", "trainable_weights", "activity_regularizer")
# keys that 1.15 does not know, with the value that means what 1.15 does
MEANS_NOTHING = {"groups": (1,), "rms_scaling": (False,), "keepdims": (False,),
                 "sparse": (False, None), "ragged": (False, None), "score_mode": ("dot",), "invert": (False,)}
# sizes in a description: key -> (smallest, largest) whole number; words, as in padding="same", pass
SIZES = dict({key: (1, 1 << 20) for key in (
    "units", "filters", "kernel_size", "strides", "pool_size", "dilation_rate",
    "output_dim", "depth_multiplier")}, input_dim=(1, 1 << 26), n=(1, 1 << 14),
             size=(1, 1 << 12), padding=(0, 1 << 14), cropping=(0, 1 << 20),
             target_shape=(-1, 1 << 26), batch_input_shape=(1, 1 << 20))
SAME_ACTIVATION = {None: "linear", "silu": "swish", "hard_silu": "hard_swish"}
# layers that mean the same whichever axis is the batch
EITHER_WAY = ("InputLayer", "Dense", "Activation", "Dropout", "LeakyReLU", "ReLU", "ELU", "Softmax",
              "BatchNormalization", "LayerNormalization", "GaussianNoise", "Bidirectional", "Add",
              "Concatenate", "Multiply", "Rescaling")
RANDOM = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
          "AlphaDropout", "BatchNormalization")


def cleaned(path, description, version, lambdas):
    """{"class_name": "Sequential" or "Model", "config": ...} for 1.15; UserError in one sentence.

    lambdas : {layer: what it computes} for Lambda layers
    """
    if re.match(r"[01]\.", version):
        raise UserError("%s: written by Keras %s, whose words have changed since; load it once with "
                        "Keras 2.0 to 2.2, which translates it, and save it there"
                        % (path, version))
    if not isinstance(description["class_name"], str) or not is_model(description):
        raise UserError(
            "%s: the model is a class of its own (%s), whose layers are Python code and no "
            "description; build a Sequential or functional model of the same layers, give it the "
            "weights and save that" % (path, description["class_name"]))
    model = _Cleaner(path, _is_keras_3(description, version), lambdas).model(description)
    return batch_first(path, model)


def _is_keras_3(description, version):
    """Keras 3's to_json names a module and no version."""
    if version:
        return version.split(".")[0].isdigit() and 3 <= int(version.split(".")[0]) < 10
    return "module" in description and "keras_version" not in description


def batch_first(path, model):
    """The model with the batch before the steps where all its layers have time_major=True.

    Between them only what works along the last axis means the same either way.
    """
    layers = [layer for item in layers_of(model) for layer in _with_inner(item)]
    major = [layer for layer in layers if layer["config"].get("time_major")]
    if not major:
        return model
    for layer in layers:
        config = layer["config"]
        if is_model(layer) or layer not in major and layer["class_name"] not in EITHER_WAY:
            raise UserError("%s: layer '%s' has time_major=True, and '%s' beside it, %s, would take "
                            "its steps for the batch; rebuild the model with the batch first"
                            % (path, name_of(major[0]), name_of(layer), layer["class_name"]))
        config.pop("time_major", None)
        shape = config.get("batch_input_shape")
        if shape and len(shape) > 2:
            config["batch_input_shape"] = [shape[1], shape[0]] + list(shape[2:])
    return model


def _with_inner(item):
    """A layer, and the layers that it wraps."""
    inner = [item["config"][key] for key in ("layer", "backward_layer") if item["config"].get(key)]
    return [item] + [layer for part in inner for layer in _with_inner(part)]


class _Cleaner:
    def __init__(self, path, keras_3, lambdas):
        self.path, self.keras_3, self.lambdas = path, keras_3, lambdas

    def model(self, item):
        """A model, or a model as a layer of another."""
        config, body = item["config"], {"name": name_of(item)}
        items, takes_mask = without_masks(self.path, layers_of(item))
        takes_mask.update((layer.get("name", name_of(layer)), False) for layer in items if is_operator(layer))
        body["layers"] = [self.entry(layer) for layer in items]
        functional = isinstance(config, dict) and "input_layers" in config
        if functional:
            body["input_layers"] = _ends(config["input_layers"])
            body["output_layers"] = _ends(config["output_layers"])
            self.check_order(body["layers"])
        elif isinstance(config, dict) and config.get("build_input_shape"):
            body["build_input_shape"] = config["build_input_shape"]
        return {"class_name": "Model" if functional else "Sequential", "config": body,
                "takes_mask": takes_mask}

    def entry(self, item):
        """One entry of a model's list of layers, with what it is connected to."""
        new = self.model(item) if is_model(item) else self.layer(item)
        if "inbound_nodes" in item:
            new["name"] = item.get("name", name_of(item))
            new["inbound_nodes"] = [self.node(item, node) for node in item["inbound_nodes"]]
        return new

    def layer(self, item):
        """A layer or a cell without its connections."""
        if is_model(item):
            return self.model(item)
        class_name, config = self.operation(item)
        config = {key: value for key, value in config.items()
                  if not LEFT_OUT.search(key) and key not in SAYS_NOTHING}
        for key, harmless in MEANS_NOTHING.items():
            if key in config and config.pop(key) not in harmless:
                raise UserError("%s: layer '%s' has %s=%s, which 1.15 does not know; build it "
                                "without" % (self.path, name_of(item), key, item["config"][key]))
        config["dtype"] = self.dtype(item)
        self.rename(class_name, config)
        self.check_sizes(config)
        for key in ("layer", "backward_layer", "cell"):
            if isinstance(config.get(key), dict):
                config[key] = self.layer(config[key])
        if "cells" in config:
            config["cells"] = [self.layer(cell) for cell in config["cells"]]
        if _is_mirrored(config):
            del config["backward_layer"]
        return OLDER.get(class_name, _as_it_is)(class_name, config)

    def operation(self, item):
        """(class name, config) of an entry, where an operator or code of the graph has become a layer."""
        class_name, name = item["class_name"], name_of(item)
        if class_name == "Lambda":
            shape = {key: value for key, value in item["config"].items() if "batch" in key}
            class_name, config = replaced(self.path, name, self.lambdas)
            return class_name, dict(config, **shape)
        if not is_operator(item):
            return class_name, dict(item["config"])
        found = as_layer(item)
        if found:
            return found
        raise UserError("%s: the operator %s ('%s') stands between the layers; between tensors "
                        "add, subtract, multiply, maximum and minimum are read, with a number add, "
                        "subtract, multiply and divide, of slices the last step, x[:, -1, :], over the steps "
                        "mean and max, and activations"
                        % (self.path, named(item), item["name"]))

    def rename(self, class_name, config):
        """Keys and values that have another name in 1.15, or another meaning under the same."""
        if "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        if class_name == "LeakyReLU" and "negative_slope" in config:
            config["alpha"] = config.pop("negative_slope")
        if class_name in ("Attention", "AdditiveAttention"):
            config.pop("dropout", None)
        for key in ("activation", "recurrent_activation"):
            if key in config:
                config[key] = self.activation(config[key])

    def check_sizes(self, config):
        """UserError where a size is none, before anything of that size is made."""
        for key, (low, high) in SIZES.items():
            for number in _numbers(config.get(key)):
                if not isinstance(number, int) or not low <= number <= high:
                    raise UserError("%s: layer '%s' has %s=%s; whole numbers from %d to %d are "
                                    "sizes" % (self.path, config.get("name"), key, config[key], low,
                                               high))

    def activation(self, value):
        """An activation's name; a layer given as an activation stays a description."""
        if isinstance(value, dict):
            named = value.get("config")
            if not isinstance(named, str):
                return self.layer(value)
            value = named
        value = SAME_ACTIVATION.get(value, value)
        # Keras 3 means relu6(x + 3) / 6, Keras 2 clips 0.2 x + 0.5
        return "hard_sigmoid_3" if self.keras_3 and value == "hard_sigmoid" else value

    def dtype(self, item):
        """Inputs keep their type; everything is computed in float32."""
        value = item["config"].get("dtype")
        policy = value["config"].get("name", "float32") if isinstance(value, dict) else value
        policy = str(policy or "float32")
        if re.match("u?int[48]_|float8|gptq|awq", policy):
            raise UserError("%s: layer '%s' was quantized (%s); convert the model as it was before "
                            "model.quantize" % (self.path, name_of(item), policy))
        return policy if item["class_name"] == "InputLayer" else "float32"

    # --- connections --------------------------------------------------------------------------

    def node(self, item, node):
        """One call of a layer as 1.15 writes it: [[layer, node, tensor, keywords], ...]."""
        if isinstance(node, dict):
            keywords, given = dict(node.get("kwargs", {})), tensors(node.get("args", []))
            states = tensors(keywords.pop("initial_state", None))
            if tensors(keywords.get("mask")):
                del keywords["mask"]
        else:
            ends = [node] if node and isinstance(node[0], str) else node
            given = [list(end[:3]) for end in ends]
            keywords = dict(ends[0][3]) if ends and len(ends[0]) > 3 else {}
            for key in ("name", "slice_spec") + ("axis", "keepdims") * is_operator(item):
                keywords.pop(key, None)
            second = keywords.pop("y", None)
            given = [end for end in given if end[0] != "_CONSTANT_VALUE"]
            states = ([list(second[:3])] if is_end(second) else []) + [
                list(end[:3]) for end in _listed_ends(keywords.pop("initial_state", None))]
        self.check_training(item, keywords.pop("training", None))
        keywords = {key: value for key, value in keywords.items() if value not in (None, False)}
        return [end + [dict(keywords) if first else {}] for first, end in
                zip([True] + [False] * 99, given + states)]

    def check_training(self, item, training):
        dropout = item["config"].get("dropout") or item["config"].get("recurrent_dropout")
        if training and (item["class_name"] in RANDOM or dropout):
            raise UserError("%s: layer '%s' is called with training=True, so its output is random; "
                            "build the model without" % (self.path, name_of(item)))

    def check_order(self, layers):
        """UserError where layers feed each other in a circle, or one that is not there."""
        waiting = {(layer["name"], k): {(end[0], end[1]) for end in node}
                   for layer in layers for k, node in enumerate(layer["inbound_nodes"])}
        known = {(layer["name"], 0) for layer in layers if not layer["inbound_nodes"]}
        models = {layer["name"] for layer in layers if is_model(layer)}  # may count calls from 1
        while waiting:
            ready = {call for call, needed in waiting.items() if needed <= known}
            if not ready:
                raise UserError("%s: the description of the layers is damaged: '%s' waits for what "
                                "is not there, or for itself" % (self.path, min(waiting)[0]))
            known |= ready | {(name, k + 1) for name, k in ready if name in models}
            waiting = {call: needed for call, needed in waiting.items() if call not in ready}


def _as_it_is(class_name, config):
    return {"class_name": class_name, "config": config}


def _without_cudnn(class_name, config):
    """CuDNN's layers are LSTM with sigmoid gates, and GRU that resets after the product."""
    config = dict(config, activation="tanh", recurrent_activation="sigmoid", use_bias=True)
    after = {"reset_after": True} if class_name == "CuDNNGRU" else {}
    return {"class_name": class_name[5:], "config": dict(config, **after)}


def _normalization(class_name, config):
    """(x - mean) / max(std, 1e-7), from tf.keras 2.3 on, as the BatchNormalization of this."""
    kept = {key: config[key] for key in ("name", "axis", "batch_input_shape") if key in config}
    constants = [config[key] for key in ("mean", "variance") if config.get(key) is not None]
    return {"class_name": "BatchNormalization", "constants": constants, "config": dict(
        kept, epsilon=1e-14, scale=False, center=False, fused=False)}


# class name -> a function (class name, config) that puts it into words of 1.15
OLDER = {"CuDNNLSTM": _without_cudnn, "CuDNNGRU": _without_cudnn, "Normalization": _normalization}


def _ends(value):
    """Inputs or outputs of a functional model as [[layer, node, tensor], ...]."""
    if isinstance(value, dict):
        return [end for key in sorted(value) for end in _ends(value[key])]
    return [list(value)] if is_end(value) else [list(end) for end in value]


def _numbers(value):
    """Everything within lists that is neither None nor a word."""
    if isinstance(value, (list, tuple)):
        return [number for part in value for number in _numbers(part)]
    return [] if value is None or isinstance(value, str) and not value.isdigit() else [value]


def _listed_ends(value):
    return [] if value is None else [value] if is_end(value) else value


def _is_mirrored(config):
    """Is the backward layer the forward one reversed, as newer Kerases always write it?"""
    forward, backward = config.get("layer"), config.get("backward_layer")
    if not isinstance(forward, dict) or not isinstance(backward, dict):
        return False
    same = dict(forward["config"], name=0, go_backwards=not forward["config"].get("go_backwards"))
    return forward["class_name"] == backward["class_name"] and same == dict(
        backward["config"], name=0)
