"""What a process of kit.bench.worker does for soak: one Soak, a piece at a time."""
import numpy as np

from kit.runtime.endurance import LOOK, Soak
from kit.runtime.interpreter import Model
from kit.runtime.verifier import model_file
from kit.tflite.chunk import chunk_of

_soaks = {}


def begin(runtime, model, reference, record, total):
    """Load a step file and its float reference; the number of pieces.

    Both as chunks of their own operators, which give the same bits in less time.
    """
    step, exact = (Model(chunk_of(model_file(path)[0], LOOK), runtime) for path in (model, reference))
    _soaks["one"] = Soak(step, exact, np.load(record), total)
    return _soaks["one"].pieces


def piece():
    """Run one piece; the phase it was of."""
    return _soaks["one"].piece()


def found():
    """What came of it."""
    return _soaks["one"].found()


COMMANDS = {"begin": begin, "piece": piece, "found": found}
