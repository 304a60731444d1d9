"""What a process of kit.bench.worker does for soak: one Soak, a piece at a time."""
import numpy as np

from kit.runtime.endurance import Soak
from kit.runtime.interpreter import Model

_soaks = {}


def begin(runtime, model, reference, record, total):
    """Load a step file and its float reference; the number of pieces."""
    _soaks["one"] = Soak(Model(model, runtime), Model(reference, runtime), np.load(record), total)
    return _soaks["one"].pieces


def piece():
    """Run one piece; the phase it was of."""
    return _soaks["one"].piece()


def found():
    """What came of it."""
    return _soaks["one"].found()


COMMANDS = {"begin": begin, "piece": piece, "found": found}
