#!/usr/bin/env -S sh -c 'exec sh "$(dirname "$0")/run" convert "$@"'
"""Convert a recurrent Keras model of any version, or its frozen graph, to TFLite and prove it.

    scripts/convert.py my_model.h5 --form step --precision int8 \\
        --calibration windows.npy -o my_model.tflite
    scripts/convert.py my_model.h5 --form all --calibration windows.npy -o my_folder
    sh scripts/run convert models/freeze -o models/convert/step_int8.tflite \\
        --keras models/train/keras_model.h5 --scaler models/train/scaler.json \\
        --calibration data/generate/train.csv --validation data/generate/validation.csv

in   a Keras model: .h5, .keras, a SavedModel folder, weights with --architecture model.json; or
     a .pb of freeze with its .json beside it, or freeze's folder, and the Keras file that it came
     from (--keras);
     data: .npy windows (n, steps, channels) or stream (n, channels) in the model's own units, or
     a record .csv with its --scaler
out  the .tflite, and beside it a .json with what a device programmer needs: names, shapes, types,
     scales, operators with versions, hashes, and the difference to Keras that was measured; and a
     .golden.json, real inputs with the outputs and states that any runtime must give for them

form       window  a fixed number of steps in, forecast out, each window from the zero state
           loop    as window, of any length: a WHILE over the steps, in a fraction of the memory
           step    one sample and the states in, output and new states out: any length
           chunk   as step, 50 samples of a stream at a call (any number where the runtime resizes)
           fused   as window, with one UNIDIRECTIONAL_SEQUENCE_LSTM per layer
           all     every form in every precision, into the folder named by -o
precision  float32, float16 (weights), dynamic (int8 weights), int8 (everything), int16x8 (int8
           weights, everything else int16); the last two need --calibration, and leave operators
           without an integer kernel in float

Form and precision are taken from the output's name where it says them (step_int8.tflite). Where the
difference to Keras is outside the bound, the script says so, leaves no file and exits with 1.
"""
import os
import sys
import tempfile
from typing import NamedTuple

from kit.base.cli import (
    UserError, json_text, parser, progress, read_json, run, write_bytes, write_text, write_together,
)
from kit.base.expect import Optional, Text, Whole, expect
from kit.network.description import read_network
from kit.network.files.keras_file import add_arguments, digest, read_asked
from kit.network.possible import check_chunk, explained, window_steps
from kit.record.samples import read_inputs
from kit.runtime import files
from kit.runtime.flatbuffer import merge_constants
from kit.runtime.forms import FORMS, GRAPHS
from kit.runtime.precisions import EXACT, PRECISIONS

END = {"name": Text, "shape": [Whole(low=1, high=1 << 20)]}
SIGNATURE = {  # of the .json beside a .pb
    "form": Text, "inputs": [END], "outputs": [END], "fused_activations": Optional([Text]),
    "steps": list}
STEPS = {  # of a recurrence: kit.network.roles
    "scopes": [Text], "joined": Optional([Text]), "doubled": Optional(Text),
    "candidate": Optional(Text), "state": Optional(Text), "first_state": Optional(Text)}


class Job(NamedTuple):
    """What all cells of the table share."""

    source: str  # .h5, .pb or a folder of them
    network: object  # kit.network.description.Network
    steps: object  # length of a window; None where nothing says it
    calibration: object  # Samples, or None
    reference: object  # kit.network.parity.Reference
    bound_factor: float  # times the bound of a quantized precision
    graphs: dict = {}  # of freeze: form -> (path of the .pb, its signature); none of a Keras file


def main(argv):
    args = arguments(argv)
    if args.explain:
        network = read_network(read_asked(keras_of(args, graphs_of(args.source)), args))
        return print("\n".join(explained(network, args.window_steps, args.source)))
    if args.output is None:
        raise UserError("say with -o which file to write (with --form all which folder)")
    if args.c_golden and not args.c_array:
        raise UserError("--c-golden goes into the header that --c-array FILE.h names")
    if args.form == "all":
        if args.c_array:
            raise UserError("--c-array writes one step file, not the table; give it --form step")
        return convert_all(args)
    form, precision = form_and_precision(args)
    if not args.output.endswith(".tflite"):
        raise UserError("%s: the output's name must end in .tflite" % args.output)
    if args.c_array and form != "step":
        raise UserError("--c-array writes the step form, not the %s form" % form)
    job = job_of(args)
    data, description = convert(job, form, precision)
    if args.c_golden and ends(description) != (1, 1):
        raise UserError("%s: no golden stream: the model has %d inputs and %d outputs"
                        % ((args.source,) + ends(description)))
    golden = write(args.output, data, description, job.reference)
    print("%s: %s" % (args.output, summary(description)), file=sys.stderr)
    if args.c_array:
        from kit.tflite.carray import header

        write_text(args.c_array, header(data, description, args.c_array,
                                        golden if args.c_golden else None))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("source", help="Keras model: .h5, .keras, SavedModel folder, weights or .json; "
                   "or a .pb of freeze with its .json beside it, or the folder of such")
    add_arguments(p)
    p.add_argument("-o", "--output", help=".tflite to write (a folder for all)")
    p.add_argument("--explain", action="store_true", help="write nothing; print the layers as "
                   "read, the forms that are possible, and why not the others")
    p.add_argument("--form", choices=list(FORMS) + ["all"])
    p.add_argument("--precision", choices=list(PRECISIONS))
    p.add_argument("--keras", help="the Keras file that a frozen .pb came from, for comparison")
    p.add_argument("--window-steps", type=int, help="length of a window in samples, where the "
                   "model's time axis is undefined")
    p.add_argument("--calibration", help="data that sets the ranges of int8 and int16x8")
    p.add_argument("--validation", help="data to compare on (default: the calibration data; "
                   "standard normal windows without both)")
    p.add_argument("--scaler", help="scaler.json of record files")
    p.add_argument("--bound-factor", type=float, default=1.0, help="a quantized file may be so many "
                   "times as far from Keras as usual: the mean difference, as a part of the "
                   "output's standard deviation (%s)" % ", ".join(
                       "%s %g" % (precision.name, precision.bound)
                       for precision in PRECISIONS.values() if precision.name != EXACT))
    p.add_argument("--c-array", metavar="FILE.h", help="write the step form as a C header too")
    p.add_argument("--c-golden", action="store_true", help="with the golden stream in the header, "
                   "and a function that runs it")
    return p.parse_args(argv)


def form_and_precision(args):
    """From the options, or from the output's name: step_int8.tflite."""
    form, precision = files.form_and_precision(args.output)
    form, precision = args.form or form, args.precision or precision
    for value, option, choices in ((form, "--form", FORMS), (precision, "--precision", PRECISIONS)):
        if value is None:
            raise UserError("%s: the name does not say which %s to make; add %s (%s)"
                            % (args.output, option[2:], option, ", ".join(choices)))
    return form, precision


def job_of(args):
    graphs = graphs_of(args.source)
    file = read_asked(keras_of(args, graphs), args)
    network = read_network(file)
    steps = args.window_steps or network.steps
    if network.data[0].timed:
        for form, (_, signature) in graphs.items():
            if not FORMS[form].streams:
                steps = signature["inputs"][0]["shape"][1]
    calibration = args.calibration and read_inputs(
        args.calibration, args.scaler, network.inputs, steps)
    validation = read_inputs(args.validation, args.scaler, network.inputs, steps) if (
        args.validation or not calibration) else calibration
    if validation.drawn:
        print("no data given: compared on standard normal samples", file=sys.stderr)
    from kit.network.parity import Reference

    if args.expected:
        from kit.network.expected import check_expected

        check_expected(args.expected, file, validation)
    return Job(args.source, network, steps or validation.given_steps, calibration,
               Reference(file, validation), args.bound_factor, graphs)


def graphs_of(source):
    """The graphs of freeze, form -> (path, signature): this one, or those of this folder."""
    paths = [source] if source.endswith(".pb") else [
        os.path.join(source, name + ".pb") for name in GRAPHS]
    found = [(path, signature_of(path)) for path in paths if os.path.isfile(
        os.path.splitext(path)[0] + ".json")]
    return {signature["form"]: (path, signature) for path, signature in found}


def keras_of(args, graphs):
    """The Keras file that is converted, or that a frozen graph is compared with."""
    if graphs and args.keras is None:
        raise UserError("%s: say with --keras which Keras file this graph was frozen from"
                        % args.source)
    return args.keras if graphs else args.source


def signature_of(pb_path):
    """The .json beside a frozen graph."""
    path = os.path.splitext(pb_path)[0] + ".json"
    signature = read_json(path)
    expect(signature, SIGNATURE, path)
    for number, steps in enumerate(signature["steps"]):
        expect(steps, STEPS, path, "steps[%d]" % number)
    return signature


def ends(description):
    """(how many inputs, how many outputs) that are no states."""
    return tuple(sum(item["role"] == "data" for item in description[side])
                 for side in ("inputs", "outputs"))


def write(path, data, description, reference):
    """The .tflite, its .json, and a golden stream of the runtime that proved it, which is given back.
    """
    from kit.runtime.golden import golden_stream
    from kit.runtime.interpreter import Model

    model, stem = Model(data), os.path.splitext(path)[0]
    written, stream = {path: data, stem + ".json": json_text(description)}, None
    if ends(description) == (1, 1):  # of several there is no golden stream
        stream = golden_stream(model, description["precision"], reference.inputs(model.form))
        written[stem + ".golden.json"] = json_text(dict(
            {"file": os.path.basename(path), "sha256": description["sha256"]}, **stream))
    write_together(written)
    return stream


def summary(description):
    """Size and parity in one line."""
    parity = description["parity"]
    text = ("%d bytes; difference to Keras %.2g mean, %.2g p99, %.2g max (output std %.2g, %d %s); "
            "%s <= %.2g")
    if description.get("int8_weights") == 0:
        text += "; no weights of 1024 values or more, so nothing became int8: this is float32"
    if "float_operators" in description:
        text += "; without integer kernels and so in float: " + ", ".join(description["float_operators"])
    if "keras_rounding" in parity:
        text += "; Keras' own float32 is %.2g from float64: the model magnifies roundings%s" % (
            parity["keras_rounding"], ", and so each window was compared from the zero state" if (
                "compared_from_zero" in parity) else "")
    return text % (
        description["size_bytes"], parity["mean_abs_diff"], parity["p99_abs_diff"],
        parity["max_abs_diff"], parity["output_std"],
        parity["count"], "samples" if FORMS[description["form"]].streams and (
            "compared_from_zero" not in parity) else "windows",
        parity["bound_on"], parity["bound"])


# --- the table --------------------------------------------------------------------------------


def convert_all(args):
    """Write every cell that can be; print the table, with a sentence for each that cannot."""
    from kit.network.parity import OutsideBound

    job, lines, outside = job_of(args), [], []
    cells = [(form, precision) for form in FORMS for precision in PRECISIONS
             if args.precision in (None, precision)]
    for form, precision in progress(cells, "convert"):
        path = os.path.join(args.output, "%s_%s.tflite" % (form, precision))
        try:
            data, description = convert(job, form, precision)
        except UserError as error:
            lines.append("%-6s %-8s -  %s" % (form, precision, error))
            outside += ["%s %s" % (form, precision)] * isinstance(error, OutsideBound)
            continue
        write(path, data, description, job.reference)
        lines.append("%-6s %-8s %s" % (form, precision, summary(description)))
    print("\n".join(lines))
    if not any("bytes;" in line for line in lines):
        raise UserError("%s: no form could be made" % args.source)
    if outside:
        raise UserError("outside the bound, and not written: %s" % ", ".join(outside))


def convert(job, form, precision):
    """The .tflite bytes of one form and precision, and the description for its .json.

    UserError where the form or the precision cannot hold the model, or where the result differs
    from Keras by more than the bound.
    """
    from kit.network import parity
    from kit.tflite import toco
    from kit.tflite.loop import AT_ONCE, Step, chunked
    from kit.tflite.precisions import MAKERS

    if PRECISIONS[precision].calibrated and job.calibration is None:
        raise UserError("%s needs --calibration: windows (.npy) or a record like those that the "
                        "model will see" % precision)
    with tempfile.TemporaryDirectory() as folder:
        if form == "loop":
            model, signature = looped(job, precision, folder)
        else:
            if form == "chunk":
                check_chunk(job.network, job.source)
            pb_path, signature = frozen_source(job, form, folder)
            model = MAKERS[precision](pb_path, signature, job.calibration)
            if form == "chunk":
                model, signature = chunked(Step(merge_constants(model), signature), AT_ONCE)
    data = toco.packed(model, signature)
    description = toco.description(data, form, precision, signature)
    description["source"] = os.path.basename(os.path.normpath(source_of(job, form)))
    description["source_sha256"] = digest(*sources(job, form))
    description["parity"] = parity.proven(data, precision, job.reference, job.bound_factor)
    return data, description


def looped(job, precision, folder):
    """(Model dict, signature) of the loop form, from the step model of each of its pieces."""
    from kit.network.loops import pieces
    from kit.tflite.loop import Step, looped as joined
    from kit.tflite.pieces import finished
    from kit.tflite.precisions import MAKERS

    def make(network, precision, samples):
        form = "loop" if network.open or network.steps else "window"  # that of one vector
        pb_path, signature = frozen_source(job._replace(network=network, steps=steps), form, folder)
        signature = dict(signature, form="loop")  # each window from the zero state
        return Step(merge_constants(MAKERS[precision](pb_path, signature, samples)), signature)

    usual = job.reference.samples.steps if job.network.open else None
    steps = window_steps(job.network, job.steps or usual, job.source) or job.network.inputs[0].shape[0]
    calibration = job.calibration if PRECISIONS[precision].calibrated else None
    parts = pieces(job.network, steps, job.source)
    return joined(finished(parts, make, precision, calibration, steps), steps,
                  tuple(job.network.inputs[0].shape[1:]))


def source_of(job, form):
    """The Keras file, or the frozen graph that a form is made from; UserError where it is not there."""
    graph = FORMS[form].graph
    if job.graphs and graph not in job.graphs:
        if os.path.isdir(job.source):
            raise UserError("%s and its .json are not both there; freeze --form %s writes them"
                            % (os.path.join(job.source, graph + ".pb"), graph))
        raise UserError("%s holds the %s form; for %s the %s form is needed"
                        % (job.source, "".join(job.graphs), form, graph))
    return job.graphs[graph][0] if job.graphs else job.source


def sources(job, form):
    """The files that the .tflite is made from."""
    return (source_of(job, form),) if job.graphs else job.reference.file.sources


def frozen_source(job, form, folder):
    """(path of the .pb, its signature), frozen here when the source is an .h5."""
    source, graph = source_of(job, form), FORMS[form].graph
    if job.graphs:
        return job.graphs[graph]
    from kit.network.forms import frozen

    steps = None if FORMS[form].streams else window_steps(job.network, job.steps, source)
    made = frozen(job.network, graph, steps, source)
    path = os.path.join(folder, graph + ".pb")
    write_bytes(path, made.bytes)
    return path, made.signature(*sources(job, form))


if __name__ == "__main__":
    run(main)
