"""TFLite Micro's interpreter with the methods that kit.runtime.interpreter calls; needs tflite-micro.

Micro takes inputs and gives outputs by their number and tells no names: those are read from the
file itself.
"""
import numpy as np
from tflite_micro import runtime

from kit.runtime import flatbuffer


class Interpreter:
    """A .tflite file in TFLite Micro; an index is the input's or output's number."""

    def __init__(self, model_content):
        self._runtime = runtime.Interpreter.from_bytes(model_content)
        self._graph = flatbuffer.read(model_content)["subgraphs"][0]
        self.set_tensor = lambda index, value: self._runtime.set_input(value, index)
        self.get_tensor = self._runtime.get_output
        self.invoke = self._runtime.invoke
        self.reset_all_variables = self._runtime.reset

    def allocate_tensors(self):
        """Done by Micro when it reads the file."""

    def get_input_details(self):
        return self._details("inputs", self._runtime.get_input_details)

    def get_output_details(self):
        return self._details("outputs", self._runtime.get_output_details)

    def _details(self, end, told):
        return [dict(_of_tensor(told(number)), index=number,
                     name=self._graph["tensors"][place]["name"])
                for number, place in enumerate(self._graph[end])]


def _of_tensor(told):
    """Micro's description of an input or output in TFLite's words."""
    quantization = told["quantization_parameters"]
    scales, zero_points = quantization["scales"], quantization["zero_points"]
    return {"shape": told["shape"], "dtype": np.dtype(told["dtype"]),
            "quantization": (float(scales[0]), int(zero_points[0])) if len(scales) else (0.0, 0)}
