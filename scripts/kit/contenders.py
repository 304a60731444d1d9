"""What a process of kit.worker does with a model file in its environment: run it, time it.

Needs numpy and the runtime; runs under CPython 3.7 and later.
"""
import numpy as np

from kit import interpreter

interpreter.RUNTIMES.setdefault("tflite_micro", "kit.micro")


def run(runtime, model, samples, output):
    """The output of a .tflite file for windows (n, T, C) or a stream (n, C), .npy to .npy."""
    loaded = interpreter.Model(model, runtime)
    compute = loaded.stream if loaded.form == "step" else loaded.predict
    np.save(output, compute(np.load(samples)))


COMMANDS = {"run": run}
