"""The scale and zero point of every tensor, from what calibration saw in it."""
import numpy as np

from kit.runtime.forms import data_of
from kit.tflite.int8.ties import tied

RIVALS = np.linspace(0.25, 1.0, 31)  # parts of the full range that are tried
SEARCH_VALUES = 20000
MOST_CUT = 1.4  # a joined part may reach so far beyond a range that an operator fixes
SYMMETRIC_RATIO = 3.0  # a range is symmetric round zero when its sides differ by less
HEADROOM = 2.0  # of int16: faults leave the range that calibration saw, and a bit of 15 is little


def choose_scales(graph, observed, signature, scheme, fixed):
    """Place -> (scale, zero point) of every computed tensor.

    fixed : place -> (scale, zero point) where the values ask for one, beside those that the
    scheme's operators ask for
    """
    ties, consumers = tied(graph, signature), graph.consumers()
    ranges = ties.ranges(observed)
    tops = {ties.find(place): ranges[place] for place in observed}
    fixed = {**_fixed_by_operators(graph, scheme), **fixed}
    joins = [operator for operator in graph.operators if graph.op_name(operator) == "CONCATENATION"]
    for operator in joins:
        _tie_joined(operator, ties, ranges, tops, fixed, scheme)
    joined = {ties.find(int(operator["outputs"][0])) for operator in joins}
    ends = {ties.find(graph.places[item["name"]])
            for item in data_of(signature["inputs"]) + data_of(signature["outputs"])
            if item["type"] == "float32"}
    scales = {}
    for root, members in ties.groups(observed).items():
        given = [fixed[place] for place in members if place in fixed]
        values = np.concatenate([observed[place].ravel() for place in members])
        readers = {graph.op_name(operator) for place in members
                   for operator in consumers.get(place, ())}
        scale = given[0] if given else scheme.scale(
            values, readers, whole=root in ends, symmetric=root in joined)
        scales.update((place, scale) for place in members)
    if scheme.fine:
        _cap_addends(graph, ties, observed, scales, joined | {ties.find(place) for place in fixed})
    return scales


def _fixed_by_operators(graph, scheme):
    return {int(operator["outputs"][0]): scheme.fixed[graph.op_name(operator)]
            for operator in graph.operators if graph.op_name(operator) in scheme.fixed}


def _cap_addends(graph, ties, observed, scales, kept):
    """An addend that nothing else reads needs no wider range than the sum, which is clipped.

    kept : roots of groups that stay as they are. A sum with a constant does not cap: of 2 s - 1,
    which ends at 1, 2 s ends at 2.
    """
    consumers = graph.consumers()
    for root, members in ties.groups(observed).items():
        readers = [reader for member in members for reader in consumers.get(member, ())]
        if root in kept or not readers or any(
                graph.op_name(reader) != "ADD" or _shifts(graph, reader) for reader in readers):
            continue
        widest = max(scales[int(reader["outputs"][0])] for reader in readers)
        if scales[members[0]][0] > widest[0]:
            scales.update((member, widest) for member in members)


def _shifts(graph, addition):
    """True where one addend is a constant other than zero."""
    return any(values is not None and values.any() for values in (
        graph.constant(int(place)) for place in addition["inputs"]))


def _tie_joined(operator, ties, ranges, tops, fixed, scheme):
    """Tie the parts of a joined vector to it where their ranges are alike, and within what an
    operator fixes for one of them.

    tops : root of a group -> its largest range, kept up to date
    """
    out = int(operator["outputs"][0])
    parts = [int(place) for place in operator["inputs"] if int(place) in ranges]
    widest, held = max(ranges[part] for part in parts), {ties.find(place): place for place in fixed}
    for part in parts:
        roots = ties.find(part), ties.find(out)
        top = max([widest] + [tops[root] for root in roots])
        given = {fixed[held[root]] for root in roots if root in held}
        if len(given) < 2 and ranges[part] * scheme.same_range > widest and all(
                top < MOST_CUT * scale * scheme.limit for scale, _ in given):
            ties.tie(out, part)
            held = {ties.find(place): place for place in fixed}
            tops[ties.find(out)] = top


def widened(values, readers=(), whole=False, symmetric=False):
    """(scale, zero point) of int16 for twice of what was seen, whatever reads it."""
    top = float(np.abs(values).max())
    return (float(np.float32(HEADROOM * top / 32767)) if top > 1e-6 else 1 / 32768), 0


def symmetric_scale(top):
    """(scale, zero point) of int8 whose last step is the largest value of a constant."""
    return (float(np.float32(top / 127)) if top > 1e-6 else 1 / 128), 0


def power_of_two(top):
    """(scale, zero point) of int16 that holds a constant, and numbers such as 1 and 2 exactly."""
    return (2.0 ** np.ceil(np.log2(top / 32767)) if top > 1e-6 else 1 / 32768), 0


def best_scale(values, readers=(), whole=False, symmetric=False):
    """(scale, zero point) of int8 with the least mean square error after what reads the values.

    readers : operator names; LOGISTIC or TANH measure the error after that function
    whole : keep all that was seen in range; symmetric : zero point 0 where the sides are alike
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    top = max(-low, high)
    if top < 1e-6:
        return 1 / 128, 0  # never anything but zero: a denormal scale would stop newer runtimes
    if symmetric and 1 / SYMMETRIC_RATIO < -low / max(high, 1e-12) < SYMMETRIC_RATIO:
        low, high = -top, top
    if whole:
        return affine(low, high)
    some = values[::max(1, len(values) // SEARCH_VALUES)].astype(np.float64)
    after = np.tanh if "TANH" in readers else _sigmoid if "LOGISTIC" in readers else np.array
    target = after(some)
    rivals = [affine(max(low, -top * part), min(high, top * part)) for part in RIVALS]
    errors = [np.mean((after(through(some, *rival)) - target) ** 2) for rival in rivals]
    return rivals[int(np.argmin(errors))]


def affine(low, high):
    """(scale, zero point) of int8 for a range that holds zero; a symmetric one has no offset."""
    if low == -high:
        return float(np.float32(high / 127)), 0
    scale = (high - low) / 255
    return float(np.float32(scale)), int(np.clip(np.rint(-128 - low / scale), -128, 127))


def through(values, scale, zero_point, limit=127):
    """Values after a way through an integer type whose largest step is `limit`."""
    return (steps_of(values, scale, zero_point, limit) - zero_point) * scale


def steps_of(values, scale, zero_point, limit=127):
    """Values in whole steps of an integer type, saturated."""
    return np.clip(np.rint(values / scale) + zero_point, -limit - 1, limit)


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))
