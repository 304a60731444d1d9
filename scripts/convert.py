"""Convert a Keras LSTM (.h5 of TF 1.15) or its frozen graph (.pb) to TFLite and prove it.

    scripts/convert.py my_model.h5 --form step --precision int8 \\
        --calibration windows.npy -o my_model.tflite
    sh scripts/run convert models/freeze/step.pb -o models/convert/step_int8.tflite \\
        --keras models/train/keras_model.h5 --scaler models/train/scaler.json \\
        --calibration data/generate/train.csv --validation data/generate/validation.csv

in   a Keras .h5, or a frozen .pb with its .json beside it and the .h5 it came from (--keras);
     data: .npy windows (n, steps, channels) or stream (n, channels) in the model's own units, or
     a record .csv with its --scaler
out  the .tflite, and beside it a .json with what a device programmer needs: names, shapes, types,
     scales, operators with versions, hashes, and the difference to Keras that was measured

form       window  a fixed number of steps in, forecast out, each window from the zero state
           step    one sample and the states in, output and new states out: any length
           fused   one UNIDIRECTIONAL_SEQUENCE_LSTM per layer
precision  float32, dynamic (int8 weights), int8 (everything; needs --calibration)

Form and precision are taken from the output's name where it says them (step_int8.tflite). Where the
difference to Keras is outside the bound, the script says so, leaves no file and exits with 1.
"""
import os
import sys
import tempfile
from typing import NamedTuple

from kit.cli import UserError, parser, read_json, run, write_bytes, write_json
from kit.network import read_network
from kit.samples import read_samples

FORMS = ("window", "step", "fused")
PRECISIONS = ("float32", "dynamic", "int8")
BOUNDS = {"dynamic": 0.05, "int8": 0.10}  # mean difference to Keras, of the output's std
PARITY_WINDOWS, PARITY_SAMPLES = 400, 10000


class Job(NamedTuple):
    """What all cells of the table share."""

    source: str  # .pb or .h5
    keras: str  # .h5
    network: object
    steps: object  # of a window; None where only a step is made
    calibration: object  # Samples, or None
    validation: object  # Samples
    bound: object  # of the output's std, or None for the default


def main(argv):
    args = arguments(argv)
    job = job_of(args)
    form, precision = form_and_precision(args)
    data, facts = convert(job, form, precision)
    write_bytes(args.output, data)
    write_json(os.path.splitext(args.output)[0] + ".json", facts)


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("source", help="Keras .h5, or frozen .pb with its .json beside it")
    p.add_argument("-o", "--output", required=True, help=".tflite to write")
    p.add_argument("--form", choices=FORMS)
    p.add_argument("--precision", choices=PRECISIONS)
    p.add_argument("--keras", help="the .h5 that a frozen .pb came from, for comparison")
    p.add_argument("--window-steps", type=int, help="length of a window in samples, where the "
                   "model's time axis is undefined")
    p.add_argument("--calibration", help="data that sets the ranges of int8")
    p.add_argument("--validation", help="data to compare on (default: the calibration data; "
                   "standard normal windows without both)")
    p.add_argument("--scaler", help="scaler.json of record files")
    p.add_argument("--bound", type=float, help="largest mean difference to Keras, as a part of the "
                   "output's standard deviation (default: dynamic %(dynamic)s, int8 %(int8)s)"
                   % BOUNDS)
    return p.parse_args(argv)


def job_of(args):
    keras = args.keras if args.source.endswith(".pb") else args.source
    if keras is None:
        raise UserError("%s: say with --keras which .h5 this graph was frozen from" % args.source)
    network = read_network(keras)
    steps = args.window_steps or network.steps
    if args.source.endswith(".pb"):
        shape = signature_of(args.source)["inputs"][0]["shape"]
        steps = shape[1] if len(shape) == 3 else steps
    calibration = args.calibration and read_samples(
        args.calibration, args.scaler, network.channels, steps)
    validation = read_samples(args.validation, args.scaler, network.channels, steps) if (
        args.validation or not calibration) else calibration
    if validation.drawn:
        print("no data given: compared on standard normal samples", file=sys.stderr)
    return Job(args.source, keras, network, steps, calibration, validation, args.bound)


def signature_of(pb_path):
    """The .json beside a frozen graph."""
    return read_json(os.path.splitext(pb_path)[0] + ".json")


def form_and_precision(args):
    """From the options, or from the output's name: step_int8.tflite."""
    words = os.path.splitext(os.path.basename(args.output))[0].split("_")
    form = args.form or next((word for word in words if word in FORMS), None)
    precision = args.precision or next((word for word in words if word in PRECISIONS), None)
    for value, option, choices in ((form, "--form", FORMS), (precision, "--precision", PRECISIONS)):
        if value is None:
            raise UserError("%s: the name does not say which %s to make; add %s (%s)"
                            % (args.output, option[2:], option, ", ".join(choices)))
    return form, precision


# --- one cell of the table --------------------------------------------------------------------


def convert(job, form, precision):
    """The .tflite bytes of one form and precision, and the facts for its .json."""
    from kit import tflite

    if precision == "int8" and job.calibration is None:
        raise UserError("int8 needs --calibration: windows (.npy) or a record like those that the "
                        "model will see")
    if precision == "int8" and form == "fused":
        raise UserError("no int8 fused form: TensorFlow 1.15 has no int8 kernel for "
                        "UNIDIRECTIONAL_SEQUENCE_LSTM; use the step or the window form")
    with tempfile.TemporaryDirectory() as folder:
        pb_path, signature = frozen_source(job, form, folder)
        model = tflite.converted(pb_path, signature, precision == "dynamic")
    if precision == "int8":
        from kit.quantize import quantized

        model = quantized(model, signature, job.calibration)
    data = tflite.packed(model, signature)
    facts = dict(tflite.facts(data, form, precision), source=os.path.basename(job.source))
    facts["parity"] = prove(job, data, form, precision)
    return data, facts


def frozen_source(job, form, folder):
    """(path of the .pb, its signature), frozen here when the source is an .h5."""
    if job.source.endswith(".pb"):
        signature = signature_of(job.source)
        if signature["form"] != form:
            raise UserError("%s holds the %s form, not %s"
                            % (job.source, signature["form"], form))
        return job.source, signature
    from kit.forms import frozen, window_steps

    steps = None if form == "step" else window_steps(job.network, job.steps, job.source)
    graph = frozen(job.network, form, steps, job.source)
    path = os.path.join(folder, form + ".pb")
    write_bytes(path, graph.bytes)
    return path, graph.signature(job.source)


def prove(job, data, form, precision):
    """The measured difference to Keras; UserError when it is outside the bound."""
    from kit import parity
    from kit.interpreter import Model
    from kit.tf115 import load_keras

    model, keras = Model(data, "tensorflow"), load_keras(job.keras)
    if form == "step":
        stream = job.validation.stream[:PARITY_SAMPLES]
        found, reference = model.stream(stream), parity.keras_stream(keras, stream)
    else:
        windows = job.validation.windows(PARITY_WINDOWS)
        found, reference = model.predict(windows), parity.keras_windows(keras, windows)
    return parity.judged(found, reference, precision, job.bound or BOUNDS.get(precision))


if __name__ == "__main__":
    run(main)
