"""Models as Keras 2 and 3 write them, with what those compute (make_newer_files.py made both)."""
import os

import numpy as np

from kit.network.files.keras_file import read_keras


STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "newer_files.zip")
T = 6
MODELS = ("functional", "nested", "lstm", "gru", "gru_before", "rnn", "bidirectional",
          "hard_sigmoid", "cells", "activations", "stacked_cells", "convolution", "embedding",
          "arithmetic", "normalised", "last_step", "masked")
WHOLE = [keras + "_" + name + ending for keras, ending in (("2", ".h5"), ("3", ".keras"))
         for name in MODELS]
FORMATS = [keras + "_" + name + ending for name in ("functional", "nested") for keras, ending in (
    ("3", ".h5"), ("3", ".weights.h5"), ("2", ".keras"), ("2", ".weights.h5"), ("2", "_flat.h5"),
    ("2", "_checkpoint"), ("2", "_checkpoint.index"), ("2", "_saved_model"))]


def opened(folder, name):
    """(KerasFile, inputs, outputs) of a stored model."""
    keras, model = name[0], max((m for m in MODELS if name[2:].startswith(m)), key=len)
    alone = any(word in name for word in (".weights.", "_flat", "_checkpoint"))
    computed = np.load(os.path.join(folder, keras + ".npz"))
    file = read_keras(os.path.join(folder, name), architecture=os.path.join(
        folder, "%s_%s.json" % (keras, model)) if alone else None)
    return file, computed[model + ".x"], computed[model + ".y"]
