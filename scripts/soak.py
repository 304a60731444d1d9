"""Run every step file over ten million samples: drift, saturation, and how long it remembers.

    sh scripts/run soak models/convert --record data/generate/test.csv \\
        --scaler models/train/scaler.json --out reports/soak
    sh scripts/run soak my_folder --record test.npy --out /tmp/soak --samples 100000

in   a folder with step files, step_float32.tflite among them; a record with its scaler, or a .npy
out  OUT.md, the table as printed, and OUT.json, the same in numbers

The record repeated, then constant, zero, saturated and noisy input, then the record again. The
error is the mean difference to the float file on the same samples, in standard deviations of the
output; the last phase beside the first tells drift. docs/runtimes.md explains the columns.
"""
import os
import tempfile

import numpy as np

from kit.base.cli import UserError, parser, progress, run, write_json, write_text
from kit.bench.worker import ROOT, Refused, Worker
from kit.record.samples import read_samples
from kit.runtime.endurance import PHASES
from kit.runtime.files import form_and_precision, tflite_files
from kit.runtime.forms import FORMS
from kit.runtime.precisions import EXACT
from kit.runtime.runtimes import RUNTIMES

FASTEST = ("ai_edge_litert", "tflite_runtime")  # the first whose environment is there


def main(argv):
    args = arguments(argv)
    files = step_files(args.models)
    channels = read_channels(files)
    samples = read_samples(args.record, args.scaler, channels, None)
    runtime = RUNTIMES[args.runtime or next(
        name for name in FASTEST if os.path.exists(os.path.join(ROOT, RUNTIMES[name].venv)))]
    with tempfile.TemporaryDirectory() as scratch:
        record = os.path.join(scratch, "record.npy")
        np.save(record, samples.stream)
        results = {name: soaked(name, files, runtime, record, args.samples) for name in files}
    text = table(results, runtime)
    write_text(args.out + ".md", text)
    write_json(args.out + ".json", {"runtime": runtime.name, "files": results})
    print(text, end="")


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("models", help="folder of .tflite files")
    p.add_argument("--record", required=True, help="record .csv, or stream .npy")
    p.add_argument("--scaler", help="scaler.json of the record")
    p.add_argument("--out", required=True, help="path of the two reports, without an ending")
    p.add_argument("--samples", type=int, default=10 ** 7, help="default: %(default)s")
    p.add_argument("--runtime", choices=list(RUNTIMES), help="default: the fastest that is here")
    return p.parse_args(argv)


def step_files(folder):
    """{name: path} of the folder's files that follow a stream."""
    found = {name: os.path.abspath(path) for name, path in tflite_files(folder).items()
             if (FORMS.get(form_and_precision(name)[0]) or FORMS["window"]).streams}
    if "step_" + EXACT not in found:
        raise UserError("%s holds no step_%s.tflite, which the others are compared with"
                        % (folder, EXACT))
    return found


def read_channels(files):
    from kit.runtime.interpreter import Model

    return Model(files["step_" + EXACT]).input_shape[-1]


def soaked(name, files, runtime, record, total):
    """What came of one file; {"refused": words} where the runtime does not take it."""
    with Worker(runtime.venv, "kit.bench.soaking") as worker:
        try:
            pieces = worker.ask("begin", runtime=runtime.package, model=files[name],
                                reference=files["step_" + EXACT], record=record, total=total)
        except Refused as refusal:
            return {"refused": str(refusal)}
        for _ in progress(range(pieces), name):
            worker.ask("piece")
        return worker.ask("found")


def table(results, runtime):
    """A line for each file: errors by phase, saturation, memory, advice."""
    lines = ["%s, error in standard deviations of the output" % runtime.name, "",
             "| file | samples | %s | saturated states | forgotten after | advice |"
             % " | ".join(PHASES), "|---" * (5 + len(PHASES)) + "|"]
    for name, found in results.items():
        if "refused" in found:
            lines.append("| %s | refused: %s |" % (name, found["refused"]))
            continue
        errors = ["%.2g" % found["error_of_std"][phase] if phase in found["error_of_std"] else "–"
                  for phase in PHASES]
        forget = found["forgotten_after_samples"]
        lines.append("| %s | %d | %s | %s | %s | %s |" % (
            name, found["samples"], " | ".join(errors),
            ", ".join("%.2g" % share for share in found["saturated_states"]),
            "never" if forget is None else forget, found["advice"]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)
