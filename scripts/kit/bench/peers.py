"""The same weights as TensorFlow 2 and onnxruntime would have them; runs in .venv-peers.

A command of kit.bench.worker. Keras 2 or 3 is chosen when TensorFlow is first imported, so each takes a
process of its own. Keras 3's int8 is not among them: TensorFlow 2.21's converter ends the process.
"""
import os

import numpy as np


def tf2(weights, steps, keras, precision, calibration, output):
    """A .tflite by TensorFlow 2: keras "2" (a fused LSTM) or "3"; "float32" or "int8"."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if keras == "2" else "0"
    import tensorflow as tf

    w, layers = np.load(weights), tf.keras.layers
    channels, units = len(w["kernel"]), len(w["recurrent"])
    model = tf.keras.Sequential([
        layers.Input((steps, channels), batch_size=1, name="sequence"), layers.LSTM(units),
        layers.Dense(len(w["dense_bias"]))])
    model.set_weights([w[name] for name in ("kernel", "recurrent", "bias", "dense", "dense_bias")])
    if keras == "2":
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    else:
        function = tf.function(lambda x: model(x)).get_concrete_function(
            tf.TensorSpec((1, steps, channels), name="window"))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if precision == "int8":
        windows = np.load(calibration)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([window[None]] for window in windows)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    data = converter.convert()
    with open(output, "wb") as file:
        file.write(data)
    return len(data)


def onnx(weights, steps, precision, output):
    """An .onnx file: one LSTM and one Gemm; "float32", or "dynamic" by onnxruntime's quantizer."""
    import onnx as o
    from onnx import helper, numpy_helper

    w = np.load(weights)
    channels, units = len(w["kernel"]), len(w["recurrent"])
    order = [0, 3, 1, 2]  # ONNX has i, o, f, c; Keras i, f, c, o

    def gates(array):
        return np.concatenate([np.split(array, 4, -1)[k] for k in order], -1)

    constants = {"W": gates(w["kernel"]).T[None], "R": gates(w["recurrent"]).T[None],
                 "B": np.concatenate([gates(w["bias"]), np.zeros(4 * units, np.float32)])[None],
                 "D": w["dense"], "d": w["dense_bias"]}
    nodes = [helper.make_node("LSTM", ["window", "W", "R", "B"], ["", "h"], hidden_size=units),
             helper.make_node("Squeeze", ["h", "axis"], ["last"]),
             helper.make_node("Gemm", ["last", "D", "d"], ["output"])]
    graph = helper.make_graph(
        nodes, "lstm",
        [helper.make_tensor_value_info("window", o.TensorProto.FLOAT, [steps, 1, channels])],
        [helper.make_tensor_value_info("output", o.TensorProto.FLOAT, [1, len(w["dense_bias"])])],
        [numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
         for name, array in constants.items()]
        + [numpy_helper.from_array(np.array([0], np.int64), "axis")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    o.checker.check_model(model)
    o.save(model, output)
    if precision == "dynamic":
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(output, output)
    return os.path.getsize(output)


COMMANDS = {"tf2": tf2, "onnx": onnx}
