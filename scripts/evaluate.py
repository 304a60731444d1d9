"""Detect anomalies with every model file and every simple baseline, and compare them.

    sh scripts/run evaluate --params params.yaml --train data/generate/train.csv \\
        --validation data/generate/validation.csv --test data/generate/test.csv \\
        --events data/generate/events.csv --scaler models/train/scaler.json \\
        --history models/train/history.csv --keras models/train/keras_model.h5 \\
        --frozen models/freeze/window.pb --tflite models/convert --out reports/evaluate

In:  the three parts of the record, the event table, the models; every *.tflite in the folder is
     a detector with the name of the file.
Out: metrics.json, a few of its figures in headline.json, parity.json, quantization.json,
     detectors.json (the fitted scorers) and CSV files for the plots. Without --events, or without
     an event, what needs labels is left out.

What is fitted is fitted on the train and validation parts; the test part is only scored.
"""
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kit.base.cli import (
    UserError, json_text, parser, progress, read_json, run, write_together,
)
from kit.base.params import load_params
from kit.base.processes import Processes
from kit.detection import baselines, certificate, fitting, metrics, scores
from kit.detection.fitted import fitted_with
from kit.detection.forecasts import forecast_all
from kit.record.kept import Kept, shelf
from kit.record.records import interval_s, labels, read_events, read_record
from kit.record.stretches import blocks, hold_last, runs
from kit.record.timeline import DAY_S, iso
from kit.record.windows import model_input, read_scaler
from kit.runtime.files import HEADLINE, form_and_precision, headline, tflite_files
from kit.runtime.precisions import EXACT

HEADLINE_KEYS = ("vus_pr", "event_recall", "false_alarms_per_day", "median_delay_s",
                 "alarms_per_day", "alarm_time_fraction")  # the last two of a record without labels
SCORE_ROWS = 25000  # the first samples of the test part, for the size of score.csv
CURVE_POINTS = 60
LEAST_NORMAL = 200  # samples for a detector to be fitted on
ENOUGH_NORMAL = 1000  # on records of known noise, fewer gave ten times the alarms asked for
ENOUGH_ALARMS = 3  # that are wanted in the validation part: a threshold is then read off, not guessed


def model_paths(keras, frozen, folder):
    """{detector name: path} of every model file; UserError when a file or all of them lack."""
    paths = {"keras": keras, "frozen": frozen}
    for path in paths.values():
        if not os.path.isfile(path):
            raise UserError("%s: no such file" % path)
    found = tflite_files(folder)
    if not found:
        raise UserError("%s: no .tflite file in this folder" % folder)
    return dict(paths, **found)


def simple_detectors(train, parts, bounds, window, params, kept_in):
    """{name: ([output per part], aspects)} of the simple detectors.

    train : (rows, bounds of its sessions); bounds : of each part's sessions
    """
    found = {}
    for name, baseline in baselines.BASELINES.items():
        fitted = baseline.fit(train[0], window, params, train[1])
        found[name] = [kept_in.put(np.concatenate([baseline.output(fitted, part[start:stop], window)
                                                   for start, stop in ranges]))
                       for part, ranges in zip(parts, bounds)], baseline.aspects
    return found


def evidence_apart(model, linear, normal):
    """{name: ([output per part], aspects)}: what each aspect says alone.

    And what all of them say without the model, and with a linear forecaster in its place.
    model, linear : [forecasts (n, C) per part]
    """
    nothing, places = [None] * len(model), tuple(aspect for aspect in fitting.ASPECTS if aspect in normal)
    apart = {"residual_alone": (model, ("residual",))}
    apart.update({aspect + "_alone": (nothing, (aspect,)) for aspect in places})
    apart.update(without_model=(nothing, places), linear_model=(linear, fitting.ASPECTS))
    return apart


class Task(NamedTuple):
    """What a process needs to fit one detector and score with it."""

    name: str
    samples: list  # Kept (n, C) per part: validation, test
    bounds: list  # row ranges of the sessions per part
    outputs: list  # Kept (n, C) forecasts or (n, 1) statistics per part, or None
    aspects: tuple  # of evidence
    normal: dict  # of `fitting.fit_normal`
    options: dict
    rate: float  # wanted false alarms per sample
    scores: Kept  # of the test part, to be written


def detect(task):
    """The detector fitted on the validation part; writes its scores of the test part."""
    starts = [start for start, _ in task.bounds[0]]
    detector, _ = fitting.fit(task.samples[0][:], fitting.given(task.outputs[0], slice(None)), task.normal,
                              task.options, task.rate, task.aspects, starts)
    for first, end in task.bounds[1]:
        scorer = scores.Scorer(detector)
        for rows in blocks(first, end):  # the scorer goes on where it stopped
            task.scores[rows] = scorer.update(task.samples[1][rows], fitting.given(task.outputs[1], rows))
    return detector


class Results(Mapping):
    """{detector: (scores, alarms) of the test part}, read when they are asked for."""

    def __init__(self, found):
        self._found = found  # {name: (detector, Kept scores)}

    def __getitem__(self, name):
        detector, kept = self._found[name]
        test_scores = kept[:]
        return test_scores, test_scores >= detector["threshold"]

    def __iter__(self):
        return iter(self._found)

    def __len__(self):
        return len(self._found)


def one_liners(parts, channels, marks, rate):
    """{name: (detector, test scores)}: the best single column, chosen on the test labels.

    An oracle's choice, in the one-liners' favour: they are there to fail.
    """
    validation, test = (baselines.one_liners(part[:]) for part in parts)
    sides = [channel + side for side in (" above", " below", " away") for channel in channels]
    found = {}
    for name, column in test.items():
        best = int(np.argmax([metrics.auc_pr(marks, column(number)) for number in range(len(sides))]))
        threshold = fitting.bounded_threshold(validation[name](best), rate)
        found[name] = {"column": sides[best], "threshold": threshold}, column(best)
    return found


def floors(lengths, seed, rate):
    """{name: (detector, test scores)} of scores that know nothing."""
    rng = np.random.Generator(np.random.PCG64(seed))
    validation, test = (baselines.floors(length, rng) for length in lengths)
    return {name: ({"threshold": 1.0 if name == "floor_all" else fitting.bounded_threshold(
        validation[name], rate)}, test[name]) for name in test}


def check_normal(record, window, path, per_day):
    """UserError when no detector can be fitted on a part; a warning when its threshold is rough."""
    seen = ~np.isnan(record.values)
    for name, any_seen in zip(record.channels, seen.any(axis=0)):
        if not any_seen:
            raise UserError("%s: column %s holds no number; detectors are fitted on this part"
                            % (path, name))
    known = int(seen.any(axis=1)[window:].sum())
    if known < LEAST_NORMAL:
        raise UserError("%s: %d samples after the first window hold a number, too few to fit "
                        "detectors on; %d are the least, some thousands are better"
                        % (path, known, LEAST_NORMAL))
    seconds = interval_s(record)
    enough = max(ENOUGH_NORMAL * seconds, ENOUGH_ALARMS / per_day * DAY_S)
    if known * seconds < enough:
        print("warning: %s has %s of normal operation, few for %g false alarms a day: thresholds are "
              "set high, and the rate may yet be far from that; %s would be enough"
              % (path, duration(known * seconds), per_day, duration(enough)), file=sys.stderr)


def duration(seconds):
    """A number of seconds in the largest unit that it fills: 518400 is 6 days."""
    units = (("days", DAY_S), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
    name, size = next((unit for unit in units if seconds >= unit[1]), units[-1])
    return "%.3g %s" % (seconds / size, name)


def read_labels(path, n):
    """The event table of a record of n samples; None without one, or when it holds no event."""
    events = read_events(path) if path else ()
    if not len(events):  # a log without labels: normal throughout would be a claim
        return None
    metrics.check_events(events, n)
    return events


def summary(test_scores, alarms, events, seconds, params):
    """The metrics of one detector; without events what can be said without them."""
    if events is not None:
        return metrics.summarize(
            test_scores, alarms, events, seconds, params["max_buffer_samples"],
            params["tail_samples"], params["compared_false_alarms_per_day"])
    return {"alarms_per_day": len(runs(alarms)) / (len(alarms) * seconds / DAY_S),
            "alarm_time_fraction": np.mean(alarms),
            "score_median": np.median(test_scores),
            "score_p99": np.quantile(test_scores, 0.99)}


def compare(first, second):
    """How the decisions and scores of two detectors differ: each is (scores, alarms)."""
    return {"score_correlation": np.corrcoef(first[0], second[0])[0, 1],
            "decisions_changed": np.mean(first[1] != second[1])}


def forecast_errors(samples, forecasts):
    """How far forecasts of normal samples (n, C) are off, and the last sample in their place.

    Mean absolute errors in standard deviations, over the samples that both can be held against.
    """
    error = np.abs(samples - forecasts)[1:]
    again = np.abs(samples[1:] - hold_last(samples)[:-1])
    known = ~np.isnan(error)
    return {"forecast_mean_abs_error": error[known].mean(),
            "last_sample_mean_abs_error": again[known].mean()}


def parity(outputs, results, name):
    """Forecasts (standard deviations) and decisions of a model file against Keras."""
    pairs = [(part, reference, rows)
             for part, reference in zip(outputs[name], outputs["keras"])
             for rows in blocks(0, len(part))]
    count, total, summed, largest = 0, 0.0, 0.0, 0.0
    for part, reference, rows in pairs:
        found, difference = known_pair(part[rows], reference[rows])
        count, total, summed = count + len(found), total + difference.sum(), summed + found.sum()
        largest = max(largest, difference.max(initial=0))
    mean = summed / count
    squares = sum(np.square(known_pair(part[rows], reference[rows])[0] - mean).sum()
                  for part, reference, rows in pairs)
    return dict({"forecast_mean_abs_diff": total / count,
                 "forecast_max_abs_diff": largest,
                 "output_std": np.sqrt(squares / count)},
                **compare(results[name], results["keras"]),
                **certificate.changes(results[name][1], results["keras"][1]))


def known_pair(found, reference):
    """(values (m,) where both are known, their absolute difference), in float64."""
    known = ~np.isnan(found + reference)
    found = found[known].astype(float)
    return found, np.abs(found - reference[known])


def quantization_costs(results, table):
    """{quantized file: differences to the float file of its form, in every metric}."""
    costs = {}
    for name in results:
        form, precision = form_and_precision(name)
        reference = "%s_%s" % (form, EXACT)
        if precision not in (None, EXACT) and reference in results:
            costs[name] = dict(reference=reference, **compare(results[name], results[reference]))
            costs[name].update(changes(table[name], table[reference]))
    return costs


def changes(values, reference):
    """The difference in every metric, and that of VUS-PR relative to the reference."""
    found = {key + "_change": values[key] - reference[key] for key in values
             if None not in (values[key], reference[key])}
    if reference.get("vus_pr"):
        found["vus_pr_relative_change"] = values["vus_pr"] / reference["vus_pr"] - 1
    return found


# ---- tables for the plots ----------------------------------------------------------------------

def curves(results, marks):
    """(roc, pr) as data frames, one curve per detector."""
    roc = {name: metrics.roc_points(marks, found, CURVE_POINTS)
           for name, (found, _) in results.items()}
    pr = {name: metrics.pr_points(marks, found, CURVE_POINTS)
          for name, (found, _) in results.items()}
    return (stacked(roc, ["false_positive_rate", "recall"]), stacked(pr, ["recall", "precision"]))


def stacked(points, columns):
    """Data frame of {detector: (m, 2)}, the detector first."""
    frames = [pd.DataFrame(array, columns=columns).assign(detector=name)
              for name, array in points.items()]
    return (pd.concat(frames) if frames else pd.DataFrame())\
        .reindex(columns=["detector"] + columns)


def recalls(results, events, key):
    """Event recall by kind or severity, one row per detector and value."""
    rows = [(name, value, recall) for name, (_, alarms) in results.items()
            for value, recall in metrics.recall_by(events, alarms, key).items()]
    return pd.DataFrame(rows, columns=["detector", key, "event_recall"])


def label_tables(results, events, marks):
    """{file name: table} of what needs labels; without an event the tables have no row."""
    labelled = results if events is not None else {}
    roc, pr = curves(labelled, marks)
    return {"roc.csv": roc, "pr.csv": pr,
            "recall_by_kind.csv": recalls(labelled, events, "kind"),
            "recall_by_severity.csv": recalls(labelled, events, "severity")}


def score_stretch(results, detectors, time, marks):
    """The first samples of the test part as the headline detector scored them."""
    name = headline(results)
    found, alarms = (array[:SCORE_ROWS] for array in results[name])
    return pd.DataFrame({
        "time": iso(time[:SCORE_ROWS]),
        "detector": name, "score": ["%.4g" % value for value in found],
        "threshold": "%.4g" % detectors[name]["threshold"],
        "label": "" if marks is None else marks[:SCORE_ROWS].astype(int),
        "alarm": alarms.astype(int)})


def alarm_table(results, time, events, tail):
    """Every run of alarms: rows [start, end), the peak, and whether an event was its cause."""
    rows = []
    for name, (found, alarms) in results.items():
        for start, end in runs(alarms):
            rows.append((name, start, end, str(time[start]) + "Z", found[start:end].max(),
                         verdict(start, end, events, tail)))
    return pd.DataFrame(rows, columns=["detector", "start", "end", "time", "peak_score", "verdict"])


def verdict(start, end, events, tail):
    """"true" when a run overlaps an event, "tail" when only what lingers, else "false"."""
    if events is None:
        return "unknown"
    after = start < events["end"]
    if (after & (end > events["start"])).any():
        return "true"
    return "tail" if ((start < events["end"] + tail) & (end > events["start"])).any() else "false"


def csv_text(table):
    """A data frame as CSV with 6 significant digits and LF line ends."""
    return table.to_csv(index=False, float_format="%.6g", line_terminator="\n")


def headline_figures(table):
    """The few of metrics.json that two commits are compared by: {detector: {key: value}}."""
    return {name: {key: table[name][key] for key in HEADLINE_KEYS if key in table[name]}
            for name in HEADLINE if name in table}


def plain(value):
    """Numbers of 6 significant digits, None where undefined, for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (float, np.floating)):
        return float("%.6g" % value) if np.isfinite(value) else None
    return value


# ---- the whole ---------------------------------------------------------------------------------

def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    for name, what in (("train", "record that the models were fitted on (CSV)"),
                       ("validation", "normal record that detectors are fitted on (CSV)"),
                       ("test", "record to score (CSV)"),
                       ("scaler", "mean and std per channel (.json)"),
                       ("history", "losses per epoch (.csv), copied beside the results"),
                       ("keras", "Keras model (.h5)"), ("frozen", "frozen window graph (.pb)"),
                       ("tflite", "folder of .tflite files"), ("out", "folder to write to")):
        p.add_argument("--" + name, required=True, help=what)
    p.add_argument("--events", help="event table of the test record (CSV)")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    params = load_params(args.params)["evaluate"]
    paths = model_paths(args.keras, args.frozen, args.tflite)
    window = read_json(os.path.splitext(args.frozen)[0] + ".json")["inputs"][0]["shape"][1]
    with shelf() as kept_in:
        report(args, params, *judged(args, params, paths, window, kept_in))


def judged(args, params, paths, window, kept_in):
    """(test record without values, events, marks, errors, outputs, found) of every detector.

    errors : {model: of `forecast_errors` on the validation part}
    outputs : {model: [Kept forecasts per part]}
    found : {detector: (what was fitted, Kept scores of the test part)}
    """
    scaler, test = read_scaler(args.scaler), read_record(args.test)
    validation = read_record(args.validation)
    check_normal(validation, window, args.validation, params["false_alarms_per_day"])
    events = read_labels(args.events, len(test.values))
    bounds, seconds = [validation.bounds, test.bounds], interval_s(test)
    filled = [kept_in.put(model_input(record, scaler, path))
              for record, path in ((validation, args.validation), (test, args.test))]
    parts = [standardised(record, scaler, kept_in) for record in (validation, test)]
    test, validation = test._replace(values=None), None
    record = read_record(args.train)
    train, record = (standardised(record, scaler, kept_in)[:], record.bounds), None
    rate = params["false_alarms_per_day"] * seconds / DAY_S

    with Processes() as pool:
        forecasts = forecast_all(pool, list(paths.values()), filled, window, kept_in, bounds)
    outputs = {name: forecasts[path] for name, path in paths.items()}
    normal = fitting.fit_normal(train[0], filled[0][:], params)
    detectors = {name: (outputs[name], fitting.ASPECTS) for name in paths}
    simple = simple_detectors(train, parts, bounds, window, params, kept_in)
    detectors.update(evidence_apart(outputs["keras"], simple["linear_forecaster"][0], normal))
    detectors.update(simple)
    tasks = [Task(name, parts, bounds, output, aspects, normal, params, rate,
                  kept_in.new((len(parts[1]),), float))
             for name, (output, aspects) in detectors.items()]
    with Processes() as pool:  # others, for the memory that a runtime keeps
        done = progress(pool.map(detect, tasks, lambda task: "detector " + task.name),
                        "detectors", total=len(tasks))
        found = {task.name: (detector, task.scores) for task, detector in zip(tasks, done)}
    marks, others = None, {}
    if events is not None:
        marks = labels(events, len(test.time))
        others = one_liners(parts, scaler.channels, marks, rate)
    others.update(floors([len(part) for part in parts], params["seed"], rate))
    found.update({name: (detector, kept_in.put(test_scores))
                  for name, (detector, test_scores) in others.items()})
    for detector, _ in found.values():  # what detect needs to know beside
        detector.update(warm_up_samples=window, interval_s=seconds)
    for name, path in paths.items():
        found[name][0].update(fitted_with=fitted_with(path, scaler))
    errors = {name: forecast_errors(parts[0][:], outputs[name][0][:]) for name in paths}
    return test, events, marks, errors, outputs, found


def standardised(record, scaler, kept_in):
    """A record's samples (n, C) float32 in standard deviations, Kept."""
    found = kept_in.new(record.values.shape)
    for rows in blocks(0, len(found)):
        found[rows] = scaler.standardise(record.values[rows])
    return found


def report(args, params, test, events, marks, errors, outputs, found):
    """Compute what is said about the detectors, and write it."""
    detectors = {name: detector for name, (detector, _) in found.items()}
    results = Results(found)
    seconds, tail = interval_s(test), params["tail_samples"]
    table = {name: dict(summary(*results[name], events, seconds, params), **errors.get(name, {}))
             for name in progress(results, "metrics")}
    written = {
        "headline.json": json_text(plain(headline_figures(table))),
        "metrics.json": json_text(plain(table)),
        "parity.json": json_text(plain(
            {name: parity(outputs, results, name) for name in errors if name != "keras"})),
        "quantization.json": json_text(plain(quantization_costs(results, table))),
        "detectors.json": json_text(detectors),
        "score.csv": csv_text(score_stretch(results, detectors, test.time, marks)),
        "alarms.csv": csv_text(alarm_table(results, test.time, events, tail))}
    with open(args.history, "rb") as file:
        written["history.csv"] = file.read()
    if args.events:
        for name, found in label_tables(results, events, marks).items():
            written[name] = csv_text(found)
    write_together({os.path.join(args.out, name): text for name, text in written.items()})


if __name__ == "__main__":
    run(main)
