"""The same weights as TensorFlow 2, onnxruntime and emx-onnx-cgen have them; runs in .venv-peers.

A command of kit.bench.worker. Keras 2 or 3 is chosen when TensorFlow is first imported, so each takes a
process of its own. Keras 3's int8 is not among them: TensorFlow 2.21's converter ends the process.
"""
import os
import subprocess
import sys

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


def gates(array):
    """Columns in ONNX's order, i o f c; Keras has i f c o."""
    return np.concatenate([np.split(array, 4, -1)[k] for k in (0, 3, 1, 2)], -1)


def onnx_model(weights, nodes, ends, more):
    """A model of nodes with the weights of one LSTM (W, R, B) and one Gemm (D, d).

    ends : {"inputs": {name: shape}, "outputs": {name: shape}}, float32; more : further constants
    """
    import onnx as o
    from onnx import helper, numpy_helper

    w = np.load(weights)
    constants = {"W": gates(w["kernel"]).T[None], "R": gates(w["recurrent"]).T[None],
                 "B": np.concatenate([gates(w["bias"]), np.zeros_like(w["bias"])])[None],
                 "D": w["dense"], "d": w["dense_bias"]}
    values = {name: np.ascontiguousarray(array, np.float32) for name, array in constants.items()}
    graph = helper.make_graph(nodes, "lstm", *[[
        helper.make_tensor_value_info(name, o.TensorProto.FLOAT, shape)
        for name, shape in ends[end].items()] for end in ("inputs", "outputs")], [
        numpy_helper.from_array(array, name) for name, array in dict(values, **more).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    o.checker.check_model(model)
    return model


def onnx(weights, steps, precision, output):
    """An .onnx file: one LSTM and one Gemm; "float32", or "dynamic" by onnxruntime's quantizer."""
    import onnx as o
    from onnx import helper

    w = np.load(weights)
    nodes = [helper.make_node("LSTM", ["window", "W", "R", "B"], ["", "h"],
                              hidden_size=len(w["recurrent"])),
             helper.make_node("Squeeze", ["h", "axis"], ["last"]),
             helper.make_node("Gemm", ["last", "D", "d"], ["output"])]
    o.save(onnx_model(weights, nodes, {
        "inputs": {"window": [steps, 1, len(w["kernel"])]},
        "outputs": {"output": [1, len(w["dense_bias"])]}}, {"axis": np.array([0])}), output)
    if precision == "dynamic":
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(output, output)
    return os.path.getsize(output)


def emx(weights, output):
    """C of one step by emx-onnx-cgen, `peer` of sample and states, float32, no heap; its version."""
    from importlib.metadata import version

    import onnx as o
    from onnx import helper

    w = np.load(weights)
    units, channels = len(w["recurrent"]), len(w["kernel"])
    nodes = [helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "next_h", "next_c"],
                              hidden_size=units),
             helper.make_node("Reshape", ["next_h", "row"], ["last"]),
             helper.make_node("Gemm", ["last", "D", "d"], ["forecast"])]
    state = [1, 1, units]
    o.save(onnx_model(weights, nodes, {
        "inputs": {"x": [1, 1, channels], "h": state, "c": state},
        "outputs": {"forecast": [1, len(w["dense_bias"])], "next_h": state, "next_c": state}},
        {"row": np.array([1, units])}), output + ".onnx")
    subprocess.run([os.path.join(os.path.dirname(sys.executable), "emx-onnx-cgen"), "compile",
                    "--large-temp-threshold", "0", "--large-weight-threshold", "0", "--model-name",
                    "peer", output + ".onnx", output], check=True, stdout=subprocess.DEVNULL)
    return version("emx-onnx-cgen")


COMMANDS = {"tf2": tf2, "onnx": onnx, "emx": emx}
