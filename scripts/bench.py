"""Time every .tflite file in every runtime against what else computes the same, side by side.

    sh scripts/run bench models/convert --keras models/train/keras_model.h5 \\
        --record data/generate/validation.csv --calibration data/generate/train.csv \\
        --scaler models/train/scaler.json --out reports/bench

in   a folder of .tflite files, the .h5 they came from (one LSTM, one Dense), records with scaler
out  OUT.md, the tables as printed, and OUT.json, every round in microseconds

Peers: TensorFlow 2's conversion of the same weights, onnxruntime, a numpy loop, a C loop compiled
here by the system's cc (the practical limit), and the core's peak of fused multiply-adds (the
physical one). One thread on one CPU; a slice of each in turn, round after round, so that what else
the machine does meets all alike; ratios are medians over the rounds. Every contender is run on real
windows first and its error stands in the table. docs/speed.md explains the figures.
"""
import os
import subprocess
import tempfile
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, json_text, parser, progress, read_json, run, write_together
from kit.bench import contenders
from kit.bench.weights import one_lstm, write_weights
from kit.bench.worker import ROOT, Refused, Worker
from kit.network.description import read_network
from kit.record.samples import read_samples
from kit.runtime.files import form_and_precision, tflite_files
from kit.runtime.forms import FORMS
from kit.runtime.runtimes import RUNTIMES
from kit.runtime.verifier import model_file

LITERT, PEERS = RUNTIMES["ai_edge_litert"], ".venv-peers"
WINDOWS, STREAM, CALIBRATION = 200, 2000, 100
SLICE_S = 0.004  # of one contender in one round
C_SOURCE = os.path.join(ROOT, "scripts", "kit", "bench", "bench_step.c")


class Case(NamedTuple):
    """A contender: what it computes with, where it runs, and on what."""

    name: str
    what: str  # window or step
    worker: tuple  # (environment, number): cases with the same one share a process
    contender: str  # a key of kit.bench.contenders.CONTENDERS
    arguments: dict
    path: str = ""  # of its file, for the size


class Bench(NamedTuple):
    """What all contenders share."""

    weights: str  # .npz
    steps: int
    windows: np.ndarray  # (n, T, C)
    stream: np.ndarray  # (n, C)
    scratch: str


def main(argv):
    args = arguments(argv)
    layers = one_lstm(read_network(args.keras), args.keras)
    with tempfile.TemporaryDirectory() as scratch:
        bench = prepared(args, layers, scratch)
        cases = own_cases(args.models) + peer_cases(bench) + limit_cases(bench, args.models)
        results = measured(cases, bench, args.rounds)
    facts = dict(work(layers, bench.steps), **sizes(args.models))
    text = table(results) + "\n" + targets(results, facts)
    write_together({args.out + ".md": text,
                    args.out + ".json": json_text({"facts": facts, "results": results})})
    print(text, end="")


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("models", help="folder of .tflite files with their .json")
    p.add_argument("--keras", required=True, help="the .h5 that they came from")
    p.add_argument("--record", required=True, help="record .csv with real windows")
    p.add_argument("--calibration", required=True, help="record .csv that sets TensorFlow 2's "
                   "int8 ranges, as it set those of the files")
    p.add_argument("--scaler", required=True, help="scaler.json of the records")
    p.add_argument("--out", required=True, help="path of the two reports, without an ending")
    p.add_argument("--rounds", type=int, default=41, help="default: %(default)s")
    return p.parse_args(argv)


def prepared(args, layers, scratch):
    """Weights and inputs where every process finds them."""
    lstm, _ = layers
    weights = os.path.join(scratch, "weights.npz")
    write_weights(layers, weights)
    steps = read_json(os.path.join(args.models, "window_float32.json"))["inputs"][0]["shape"][1]
    samples = read_samples(args.record, args.scaler, len(lstm.weights["kernel"]), steps)
    bench = Bench(weights, steps, samples.windows(WINDOWS), samples.stream[:STREAM], scratch)
    np.save(os.path.join(scratch, "window.npy"), bench.windows)
    np.save(os.path.join(scratch, "step.npy"), bench.stream)
    known = read_samples(args.calibration, args.scaler, len(lstm.weights["kernel"]), steps)
    np.save(os.path.join(scratch, "calibration.npy"), known.windows(CALIBRATION, extremes=True))
    return bench


# --- the contenders ---------------------------------------------------------------------------


def own_cases(folder):
    """Every file of the folder in every runtime."""
    paths = tflite_files(folder)
    if not paths:
        raise UserError("%s holds no .tflite file; `make convert` makes them" % folder)
    for path in paths.values():
        model_file(path)  # no time of an altered one
    return [tflite_case("%s, %s" % (name, runtime.name), runtime, os.path.abspath(path), what(name))
            for name, path in paths.items() for runtime in RUNTIMES.values()]


def what(name):
    """What a file of this name computes: a step, or a whole window."""
    form, _ = form_and_precision(name)
    return "step" if form and FORMS[form].streams else "window"


def tflite_case(name, runtime, path, what):
    return Case(name, what, (runtime.venv, 0), "tflite",
                {"path": path, "runtime": runtime.package}, path)


def peer_cases(bench):
    """TensorFlow 2's files in LiteRT, onnxruntime, numpy."""
    cases = []
    for keras, precision in (("2", "float32"), ("2", "int8"), ("3", "float32")):
        name = "TF 2 Keras %s %s, litert" % (keras, precision)
        path = os.path.join(bench.scratch, "keras%s_%s.tflite" % (keras, precision))
        made("tf2", weights=bench.weights, steps=bench.steps, keras=keras, precision=precision,
             calibration=os.path.join(bench.scratch, "calibration.npy"), output=path)
        cases.append(Case(name, "window", (LITERT.venv, 0), "foreign", {"path": path}, path))
        if precision == "int8":  # its kernel is in all but 1.15
            cases += [tflite_case("%s, %s" % (name.split(",")[0], other.name), other, path, "window")
                      for other in RUNTIMES.values() if other.why_not("fused", "int8") is None
                      and other is not LITERT]
    for precision in ("float32", "dynamic"):
        path = os.path.join(bench.scratch, precision + ".onnx")
        made("onnx", weights=bench.weights, steps=bench.steps, precision=precision, output=path)
        cases.append(Case("onnxruntime %s" % precision, "window", (PEERS, 0), "onnx",
                          {"path": path}, path))
    return cases + [Case("numpy loop", "window", (PEERS, 0), "numpy", {"weights": bench.weights})]


def made(command, **arguments):
    """Run a command of kit.bench.peers in a process of its own."""
    with Worker(PEERS, "kit.bench.peers") as worker:
        worker.ask(command, **arguments)


def limit_cases(bench, folder):
    """The C loop, the core's peak, and both ways to follow a stream in Python."""
    library, here = compiled(bench), (LITERT.venv, 1)
    both = {"library": library, "weights": bench.weights}
    cases = [Case("C loop, window", "window", here, "c", dict(both, form="window")),
             Case("C loop, step", "step", here, "c", dict(both, form="step")),
             Case("C loop, step called from Python", "step", here, "c", dict(both, form="call")),
             Case("peak", "", here, "peak", {"library": library})]
    for form in ("step", "window"):
        for precision in ("float32", "int8"):
            path = os.path.abspath(os.path.join(folder, "%s_%s.tflite" % (form, precision)))
            cases += [Case("%s %s, %s" % (words, form, precision), form, (LITERT.venv, 0), "live",
                           {"path": path, "runtime": LITERT.package, "at_once": at_once})
                      for words, at_once in (("stream", 500), ("live", 1))]
    cases += [Case("stream step by calls, %s" % precision, "step", (LITERT.venv, 0), "live",
                   {"path": os.path.abspath(os.path.join(folder, "step_%s.tflite" % precision)),
                    "runtime": LITERT.package, "at_once": 500, "by_calls": True})
              for precision in ("float32", "int8")]
    return cases + [pieces_case(precision, folder) for precision in ("float32", "int8", "int16x8")]


def pieces_case(precision, folder):
    """A step file as detect runs it over a log."""
    path = os.path.abspath(os.path.join(folder, "step_%s.tflite" % precision))
    return Case("stream in pieces step, %s" % precision, "step", (LITERT.venv, 0), "live",
                {"path": path, "runtime": LITERT.package, "at_once": 500, "in_pieces": True})


def compiled(bench):
    """The path of bench_step.c as a library of this network's sizes."""
    with np.load(bench.weights) as w:
        sizes_of = {"STEPS": bench.steps, "CHANNELS": len(w["kernel"]),
                    "UNITS": len(w["recurrent"]), "OUTPUTS": len(w["dense_bias"])}
    compiled_to, library = (os.path.join(bench.scratch, name) for name in ("loop.o", "loop.so"))
    macros = ["-D%s=%d" % item for item in sizes_of.items()]
    try:
        for command in (["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math",
                         "-fPIC", "-c", C_SOURCE, "-o", compiled_to] + macros,
                        # Linked without -ffast-math, whose start-up code would make the whole
                        # process flush its denormal numbers to zero.
                        ["-shared", compiled_to, "-o", library, "-lm"]):
            subprocess.run(["cc"] + command, check=True, stderr=subprocess.PIPE,
                           universal_newlines=True)
    except OSError:
        raise UserError("the C loop needs a C compiler named cc on PATH; on Debian or Ubuntu: "
                        "apt-get install gcc libc6-dev")
    except subprocess.CalledProcessError as error:
        raise UserError("cc cannot compile %s: %s" % (C_SOURCE, error.stderr.splitlines()[0]))
    return library


# --- measuring --------------------------------------------------------------------------------


def measured(cases, bench, rounds):
    """name -> {"times_us": one for each round, "error", "size_bytes"} or {"refused": words}."""
    cpu = max(os.sched_getaffinity(0))
    workers = {key: Worker(key[0], "kit.bench.contenders", cpu) for key in {c.worker for c in cases}}
    try:
        results = {case.name: loaded(case, workers[case.worker], bench)
                   for case in progress(cases, "loading")}
        for _ in progress(range(rounds), "rounds"):
            for case in cases:
                if "times_us" in results[case.name]:
                    results[case.name]["times_us"].append(workers[case.worker].ask(
                        "measure", name=case.name, seconds=SLICE_S))
    finally:
        for worker in workers.values():
            worker.__exit__()
    return results


def loaded(case, worker, bench):
    """Load and run a case; its entry in the results."""
    output = os.path.join(bench.scratch, "output.npy")
    samples = os.path.join(bench.scratch, (case.what or "window") + ".npy")
    try:
        worker.ask("load", name=case.name, contender=case.contender, samples=samples, output=output,
                   **case.arguments)
    except Refused as refusal:
        return {"refused": str(refusal)}
    entry = {"times_us": []}
    if case.what:
        entry["error"] = error(np.load(output), reference(case.what, bench))
    if case.path:
        entry["size_bytes"] = os.path.getsize(case.path)
    return entry


def reference(what, bench):
    """The forecasts by the numpy loop; of a stream, after each sample."""
    loop = contenders.Numpy(bench.weights)
    return loop.outputs(bench.windows) if what == "window" else loop.stream(bench.stream)


def error(found, expected):
    """Mean absolute difference in standard deviations of the output."""
    difference = np.abs(found.astype(np.float64).reshape(expected.shape) - expected)
    return float("%.2g" % (difference.mean() / expected.std()))


def work(layers, steps):
    """Multiply-adds of a window, and parameters."""
    per_step = sum(layers[0].weights[name].size for name in ("kernel", "recurrent"))
    return {"multiply_adds": int(steps * per_step + layers[1].weights["kernel"].size),
            "parameters": int(sum(a.size for layer in layers for a in layer.weights.values()))}


def sizes(folder):
    """The bytes of each file."""
    return {name + "_bytes": os.path.getsize(path) for name, path in tflite_files(folder).items()}


# --- the tables -------------------------------------------------------------------------------


def table(results):
    """Every contender: median and quartiles in microseconds, bytes, error."""
    lines = ["%-40s %9s %19s %9s %9s" % ("", "median us", "quartiles", "bytes", "error")]
    for name, entry in results.items():
        if "refused" in entry:
            lines.append("%-40s refused: %s" % (name, entry["refused"][:100]))
            continue
        low, middle, high = np.percentile(entry["times_us"], [25, 50, 75])
        lines.append("%-40s %9.4g %9.4g – %7.4g %9s %9s" % (
            name, middle, low, high, entry.get("size_bytes", ""), entry.get("error", "")))
    return "```\n%s\n```\n" % "\n".join(lines)


def targets(results, facts):
    """The ratios that matter, each with what it should be at most."""
    lines = ["| ratio | measured | quartiles | target |", "|---|---|---|---|"]
    best = best_window(results)
    limit = [facts["multiply_adds"] / contenders.PEAK * time for time in results["peak"]["times_us"]]
    pairs = [
        ("step float on LiteRT : C step called from Python", "step_float32, litert",
         "C loop, step called from Python", 1.2),
        ("step float on LiteRT : C step looping in C", "step_float32, litert", "C loop, step", 1.2),
        ("window float on LiteRT : TF 2 fused float on LiteRT", "window_float32, litert",
         "TF 2 Keras 2 float32, litert", 0.5),
        ("loop float on LiteRT : TF 2 fused float on LiteRT", "loop_float32, litert",
         "TF 2 Keras 2 float32, litert", 0.5),
        ("window, best precision (%s) : onnxruntime float" % best, best, "onnxruntime float32",
         0.6),
        ("window, best precision (%s) : arithmetic limit" % best, best, limit, 4),
        ("a sample of a stream: step : window anew (float)", "stream step, float32",
         "stream window, float32", 1 / 20),
        ("the same, one call from Python a sample (float)", "live step, float32",
         "live window, float32", 1 / 20),
        ("a sample of a log: where tensors are : by the runtime's calls (float)",
         "stream step, float32", "stream step by calls, float32", 0.6),
        ("the same: in pieces : by the runtime's calls (float)", "stream in pieces step, float32",
         "stream step by calls, float32", 1 / 2),
        ("the same (int8)", "stream in pieces step, int8", "stream step by calls, int8", 1 / 2)]
    for words, one, other, target in pairs:
        low, middle, high = np.percentile(ratio(results, one, other), [25, 50, 75])
        lines.append("| %s | %.3g | %.3g – %.3g | ≤ %.3g |" % (words, middle, low, high, target))
    for words, value, target in (
            ("int8 step file : its parameters, bytes",
             facts["step_int8_bytes"] / facts["parameters"], 1.2),
            ("int8 window file : int8 step file, bytes",
             facts["window_int8_bytes"] / facts["step_int8_bytes"], 3)):
        lines.append("| %s | %.3g | | ≤ %.3g |" % (words, value, target))
    return "\n".join(lines + fused_int8_errors(results)) + "\n"


def fused_int8_errors(results):
    """How the error of the fused int8 file stands to that of TensorFlow 2's in each runtime."""
    names = [("fused_int8, %s" % runtime.name, "TF 2 Keras 2 int8, %s" % runtime.name)
             for runtime in RUNTIMES.values()]
    return ["| error of %s : of %s | %.3g | | ≤ 1 |"
            % (one, other, results[one]["error"] / results[other]["error"]) for one, other in names
            if all("error" in results.get(name, {}) for name in (one, other))]


def best_window(results):
    """The name of the fastest window file on LiteRT."""
    names = ["window_%s, litert" % precision for precision in ("float32", "dynamic", "int8")]
    return min((name for name in names if results.get(name, {}).get("times_us")),
               key=lambda name: np.median(results[name]["times_us"]))


def ratio(results, one, other):
    """The ratio of two contenders in each round; `other` may be a list of times."""
    times = [results[key]["times_us"] if isinstance(key, str) else key for key in (one, other)]
    return [a / b for a, b in zip(*times)]


if __name__ == "__main__":
    run(main)
