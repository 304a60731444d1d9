"""Values of the public reference packages for tests/test_metrics.py.

Run in an environment of its own, as the packages need a newer Python than the project:

    python3.11 -m venv /tmp/references
    /tmp/references/bin/pip install numpy==1.26.4 scikit-learn prts==1.0.0.3 vus==0.0.6
    /tmp/references/bin/pip install --no-deps TSB-AD==1.5
    /tmp/references/bin/python tests/detection/references/make_metrics.py \\
        tests/detection/references/metrics.json

vus, TSB_AD : volumes, with as many thresholds as samples (their default is 250 by rank)
vus.affiliation : the authors' affiliation code (ahstat/affiliation-metrics-py), as bundled
prts : range-based precision and recall by the authors of the paper
"""
import json
import sys
from importlib.metadata import version

import numpy as np
import prts
from TSB_AD.evaluation.basic_metrics import basic_metricor
from vus.affiliation.generics import convert_vector_to_events
from vus.affiliation.metrics import pr_from_events
from vus.utils.metrics import metricor

PACKAGES = ["vus", "TSB-AD", "prts", "numpy", "scikit-learn"]
SHAPES = [  # (samples, event lengths, max_buffer, distinct scores): edges, merging buffers, ties
    (12, [1], 2, 12), (20, [3], 5, 20), (30, [2, 1], 8, 5), (40, [4, 4], 20, 40),
    (60, [1, 1, 1], 30, 7), (80, [20], 10, 80), (100, [5, 3, 9], 24, 100), (150, [1, 30], 40, 3),
    (200, [10, 2, 6, 4], 15, 200), (250, [7] * 8, 31, 50), (300, [2, 3], 0, 300),
    (300, [25, 1, 12], 1, 20), (400, [6] * 5, 50, 400), (400, [30, 40], 64, 2),
]


def make_case(rng, n, lengths, levels):
    """Labels, integer scores that know a little of the labels, and alarms."""
    labels = np.zeros(n, int)
    starts = np.sort(rng.choice(n - max(lengths) + 1, len(lengths), replace=False))
    for start, length in zip(starts, lengths):
        labels[start:start + length] = 1
    late = np.roll(labels, rng.integers(0, 4))
    scores = np.floor(levels * np.clip(rng.random(n) * 0.8 + 0.3 * late, 0, 0.999)).astype(int)
    alarms = (scores >= np.quantile(scores, rng.uniform(0.6, 0.97))).astype(int)
    if not alarms.any():
        alarms[rng.integers(n)] = 1
    return labels, scores, alarms


def edge_cases():
    """Events on the first and last row, every row alarmed, constant scores, lonely alarms."""
    edges = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    rising = np.arange(10)
    yield edges, rising, (rising > 6).astype(int), 4
    yield edges, rising[::-1].copy(), np.ones(10, int), 9
    yield edges, np.ones(10, int), np.ones(10, int), 6
    pair = np.isin(np.arange(24), [4, 5, 16, 17, 18]).astype(int)
    for row in (0, 7, 10, 11, 12, 23):  # on both sides of the zones' border at 11
        lonely = (np.arange(24) == row).astype(int)
        yield pair, 5 * lonely + pair, lonely, 7


def volumes(grader, labels, scores, max_buffer):
    *_, roc, pr = grader.RangeAUC_volume_opt(labels, scores, max_buffer, len(scores))
    return [float(roc), float(pr)]


def reference(labels, scores, alarms, max_buffer):
    found = pr_from_events(convert_vector_to_events(alarms), convert_vector_to_events(labels),
                           (0, len(labels)))
    recalls = {str(alpha): float(prts.ts_recall(labels, alarms, alpha, "reciprocal"))
               for alpha in (0.0, 0.2, 1.0)}
    return {
        "labels": "".join(map(str, labels)),
        "scores": [int(score) for score in scores],
        "alarms": "".join(map(str, alarms)),
        "max_buffer": max_buffer,
        "vus": volumes(metricor(), labels, scores, max_buffer),
        "tsb_ad": volumes(basic_metricor(), labels, scores, max_buffer),
        "affiliation": [float(found["Affiliation_Precision"]), float(found["Affiliation_Recall"])],
        "range_precision": float(prts.ts_precision(labels, alarms, 0.0, "reciprocal")),
        "range_recall": recalls,
    }


def main(argv):
    rng = np.random.Generator(np.random.PCG64(1))
    cases = [(*make_case(rng, n, lengths, levels), max_buffer)
             for n, lengths, max_buffer, levels in SHAPES]
    content = {
        "made_by": "tests/detection/references/make_metrics.py",
        "packages": {name: version(name) for name in PACKAGES},
        "cases": [reference(*case) for case in cases + list(edge_cases())],
    }
    with open(argv[0], "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
