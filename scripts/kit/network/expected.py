"""The reference against what the model computed where it was trained, stored as .npy or .npz."""
import sys

import numpy as np

from kit.base.cli import UserError, counted
from kit.network.files.build import built, in_float64
from kit.network.parity import float_bound, keras_windows
from kit.runtime.forms import several

MOST = 1e3  # times the bound: what is further off is no rounding


def check_expected(path, file, samples):
    """UserError where the model of a KerasFile computes something else in 1.15 than `path` holds.

    path : outputs (n, ...) for the first n windows of the samples; a .npz has one array per output
    """
    expected = read_outputs(path)
    inputs = samples.first(len(expected[0]))
    found = several(keras_windows(built(file), inputs))
    if [a.shape for a in found] != [a.shape for a in expected]:
        raise UserError("%s: outputs of shape %s, where the model gives %s for the data given"
                        % (path, _shapes(expected), _shapes(found)))
    differences = [float(np.abs(a.astype(np.float64) - b).max()) for a, b in zip(found, expected)]
    bounds = [float_bound({"output_std": float(np.std(a))}) for a in expected]
    if any(bound < difference <= MOST * bound for difference, bound in zip(differences, bounds)):
        with in_float64():
            exact = several(keras_windows(built(file, "float64"), inputs))
        bounds = [float_bound({"output_std": float(np.std(a))}, float(np.abs(b - c).max()))
                  for a, b, c in zip(expected, exact, found)]
    if not all(difference <= bound for difference, bound in zip(differences, bounds)):
        raise UserError(
            "%s: the model in 1.15 differs from these outputs by %.2g, more than %.2g: they are of "
            "other data or another model, or its Keras computed in less than float32"
            % (path, max(differences), min(bounds)))
    print("%s: the reference differs from these outputs by %.2g at most, on %s (bound %.2g)"
          % (path, max(differences), counted(len(expected[0]), "window"), min(bounds)),
          file=sys.stderr)


def read_outputs(path):
    """The arrays of a .npy or .npz, in its order, at least one row each."""
    try:
        stored = np.load(path, allow_pickle=False)
        arrays = [stored] if isinstance(stored, np.ndarray) else [stored[k] for k in stored.files]
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "not a .npy or .npz file of numbers"))
    except Exception:  # a damaged zip raises what it likes
        raise UserError("%s: not a .npy or .npz file of numbers" % path)
    if not arrays or any(a.dtype.kind not in "fiu" or not a.ndim or not len(a) for a in arrays):
        raise UserError("%s: outputs as numbers are needed, a row for each window" % path)
    return arrays


def _shapes(arrays):
    return " and ".join(str(array.shape) for array in arrays)
