"""The runtimes of .tflite files: where each lives, and what it is known to refuse. One entry each."""
import importlib
import warnings
from typing import NamedTuple


class Runtime(NamedTuple):
    """A TFLite runtime. Its environment is built by `sh scripts/setup NAME`, but for TensorFlow's."""

    name: str  # in tables; environments/NAME.lock
    package: str  # what Python imports
    module: str  # where the class Interpreter is, with TensorFlow's own methods
    venv: str  # folder of its environment here
    refuses: dict  # precision, or form_precision -> why

    def why_not(self, form, precision):
        """Why it refuses files of a form and a precision; None where it takes them."""
        return self.refuses.get(precision) or self.refuses.get("%s_%s" % (form, precision))


# In this order one is looked for, where nobody says which.
RUNTIMES = {runtime.package: runtime for runtime in (
    Runtime("tf 1.15.5", "tensorflow", "tensorflow.lite", ".venv", {
        "int16x8": "its kernels of CONCATENATION and others know no int16",
        "fused_int8": "its kernel of UNIDIRECTIONAL_SEQUENCE_LSTM is float"}),
    Runtime("tflite", "tflite_runtime", "tflite_runtime.interpreter", ".venv", {}),
    Runtime("litert", "ai_edge_litert", "ai_edge_litert.interpreter", ".venv-litert", {}),
    Runtime("tflm", "tflite_micro", "kit.runtime.micro", ".venv-tflm", {
        "float16": "it has no kernel that unpacks float16",
        "dynamic": "it has no kernel for float activations and int8 weights"}),
)}


def interpreter_class(runtime):
    """The class Interpreter of a Runtime; ImportError where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if runtime.package == "tensorflow":  # its `lite` is an attribute, not a module
            return importlib.import_module("tensorflow").lite.Interpreter
        return importlib.import_module(runtime.module).Interpreter
