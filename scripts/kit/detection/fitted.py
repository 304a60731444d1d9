"""detectors.json, checked: a NaN threshold would mean never an alarm. numpy alone."""
import numpy as np

from kit.base.cli import UserError, json_text, read_json
from kit.base.digest import sha256, sha256_of
from kit.base.expect import Each, Number, Optional, Text, Whole, expect
from kit.record.windows import scaler_to_json

POSITIVE = Number(above=0)
DETECTOR = {  # of every detector
    "threshold": Number(),  # decades
    "warm_up_samples": Whole(low=0),
    "interval_s": Number(above=0, high=1e8),  # three years
    "fitted_with": Optional({"model": Text, "scaler": Text}),  # their SHA-256
}
TAIL = {"knots": [Number()], "decades": [Number()], "shape": Number(), "scale": POSITIVE}
LADDER = {"usual": Number(), "tails": [TAIL]}
SCORER = {  # of one that kit.detection.scores can score with, beside the arrays
    "channels": Whole(low=1),
    "fading": Number(low=0, high=1),  # per sample; beyond 1 an alarm would never end
    "missing": {"tails": [TAIL]},
    "residual": Optional({"tails": [TAIL], "usual": Number(),
                          "lately_weight": Number(above=0, high=1)}),
    "plane": Optional(LADDER), "level": Optional(LADDER), "statistic": Optional(LADDER),
}
# name -> axes; C channels, P features of the state, K regimes, J smoothed statistics, S time scales
ARRAYS = {
    "": {"weights": "S"},
    "residual": {
        "location": "C", "log_scale": "C", "state_weights": "PC", "state_low": "P",
        "state_high": "P", "centres": "KC", "inverse_covariances": "KCC", "powers": "J", "weights": "J",
        "clip": "C", "norms": "JC"},
    "plane": {"matrix": "CC"}, "level": {"matrix": "CC"},
}
ABOVE_ZERO = ("powers", "weights", "norms")


def fitted_with(model, scaler):
    """What a detector says of the file and of the Scaler that it was fitted with: their SHA-256."""
    return {"model": sha256(model), "scaler": sha256_of(json_text(scaler_to_json(scaler)).encode())}


def read_detector(path, name, channels, used_with=None):
    """The fitted detector of a model file, with which records of so many channels are scored.

    used_with : what `fitted_with` gives for the model and the scaler here
    UserError naming the key that is missing or holds what no detector has, or which of the two it was
    not fitted with; a detector that says nothing about them is taken with any.
    """
    detectors = read_json(path)
    expect(detectors, Each({}), path)
    if name not in detectors:
        raise UserError("%s has no detector %s; it has %s"
                        % (path, name, ", ".join(sorted(detectors))))
    detector = detectors[name]
    expect(detector, DETECTOR, path, name)
    check_scorer(detector, channels, path, name)
    claimed = detector.get("fitted_with", {})
    for what, digest in (used_with or {}).items():
        if claimed.get(what, digest) != digest:
            raise UserError("%s: %s was fitted with another %s (their sha256 differ); take the files of "
                            "one run, fit it again with fit_detector, or remove %s.fitted_with to use "
                            "it all the same" % (path, name, what, name))
    return detector


def check_scorer(detector, channels, path, name):
    """UserError unless `Scorer` can score records of so many channels with a detector."""
    expect(detector, SCORER, path, name)
    aspects = [aspect for aspect in ("residual", "plane", "level", "statistic") if aspect in detector]
    if not aspects:
        raise UserError("%s: %s has no evidence: none of residual, plane, level, statistic"
                        % (path, name))
    sizes = {"C": channels}
    if detector["channels"] != channels:
        raise UserError("%s: %s.channels is %d; %d are scored"
                        % (path, name, detector["channels"], channels))
    for part, axes in ARRAYS.items():
        if part in [""] + aspects:
            where = "%s.%s" % (name, part) if part else name
            check_axes(detector[part] if part else detector, axes, sizes, path, where)
    for aspect in aspects + ["missing"]:
        wanted = {"residual": sizes.get("J", 0) + 2, "missing": 1}.get(aspect, sizes["S"])
        check_tails(detector[aspect]["tails"], wanted, path, "%s.%s.tails" % (name, aspect))


def check_axes(part, arrays, sizes, path, where):
    """UserError unless every array of a part has the axes that the others have, too."""
    for key, axes in arrays.items():
        wanted = POSITIVE if key in ABOVE_ZERO else Number()
        for _ in axes:
            wanted = [wanted]
        expect(part, {key: wanted}, path, where)
        try:
            shape = np.array(part[key], float).shape
        except ValueError:  # rows of unequal length
            shape = ()
        fits = len(shape) == len(axes) and all(
            sizes.setdefault(axis, size) == size for axis, size in zip(axes, shape))
        if not fits:
            raise UserError("%s: %s.%s has the shape %s; %s is needed (%s)" % (
                path, where, key, shape or "of rows of unequal length", " × ".join(axes),
                ", ".join("%s = %d" % pair for pair in sorted(sizes.items()))))


def check_tails(tails, wanted, path, where):
    """UserError unless there are as many tails as statistics, whose knots never fall."""
    if len(tails) != wanted:
        raise UserError("%s: %s has %d tails; %d are needed" % (path, where, len(tails), wanted))
    for number, tail in enumerate(tails):
        expect_rising(tail, path, "%s[%d]" % (where, number))


def expect_rising(tail, path, where):
    """UserError unless a tail's knots never fall, each with its decades."""
    if len(tail["knots"]) != len(tail["decades"]):
        raise UserError("%s: %s has %d knots and %d decades; one for each is needed"
                        % (path, where, len(tail["knots"]), len(tail["decades"])))
    for key in ("knots", "decades"):
        if (np.diff(tail[key]) < 0).any():
            raise UserError("%s: %s.%s falls; it may only rise" % (path, where, key))
