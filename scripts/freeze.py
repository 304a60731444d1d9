"""Write a Keras model as frozen inference graphs, one per form, with the weights as constants.

    sh scripts/run freeze models/train/keras_model.h5 --form window --form step \\
        --window-steps 50 --windows data/generate/validation.csv \\
        --scaler models/train/scaler.json --out models/freeze

in   a Keras model (docs/converting.md has the kinds of files); a record (CSV and scaler) or
     windows (.npy) to compare on
out  <form>.pb and <form>.json (names, shapes and types of inputs and outputs) in --out

The graph is built from the weights in the file, never from a fresh session (whose initializer
would replace the trained weights without a word), and its output is compared with Keras' own
before anything is written.
"""
import os
import sys

from kit.base.cli import UserError, json_text, parser, run, write_together
from kit.network.description import read_network
from kit.network.files.keras_file import add_arguments, read_asked
from kit.network.forms import frozen
from kit.network.possible import window_steps
from kit.record.samples import read_inputs
from kit.runtime.forms import FORMS, GRAPHS, alone, several

COMPARED_SAMPLES = 1000  # of a stream; TensorFlow takes a fifth of a millisecond for each


def main(argv):
    args = arguments(argv)
    file = read_asked(args.model, args)
    network = read_network(file)
    steps = window_steps(network, args.window_steps, args.model)
    samples = read_inputs(args.windows, args.scaler, network.inputs, steps)
    graphs = [frozen(network, form, steps, args.model) for form in args.form]
    if args.expected:
        from kit.network.expected import check_expected

        check_expected(args.expected, file, samples)
    compare(file, graphs, samples)
    for graph in graphs:
        path = os.path.join(args.out, graph.form)
        write_together({path + ".pb": graph.bytes,
                        path + ".json": json_text(graph.signature(*file.sources))})


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("model", help="Keras model: .h5, .keras, SavedModel folder, weights or .json")
    add_arguments(p)
    p.add_argument("--form", action="append", choices=GRAPHS, required=True,
                   help="a form to write; may be given several times")
    p.add_argument("--window-steps", type=int, help="length of a window in samples, where the "
                   "model's time axis is undefined")
    p.add_argument("--windows", help="record .csv (with --scaler) or .npy to compare on; "
                   "standard normal windows without it")
    p.add_argument("--scaler", help="scaler.json of the record")
    p.add_argument("--out", required=True, help="folder to write to")
    return p.parse_args(argv)


def compare(file, graphs, samples):
    """UserError when a graph and Keras differ on the same input."""
    from kit.network import parity

    reference = parity.Reference(file, samples)
    for graph in graphs:
        if graph.form == "fused":
            print("fused: TensorFlow itself cannot run this graph; convert compares its .tflite",
                  file=sys.stderr)
            continue
        streams = FORMS[graph.form].streams
        count = COMPARED_SAMPLES if streams else None
        inputs = first(reference.inputs(graph.form), count)
        found = graph.stream(inputs) if streams else graph.predict(inputs)
        whole = len(several(reference.inputs(graph.form))[0])
        for one, other in zip(several(found), several(reference.outputs(graph.form))):
            one = one[whole - len(other):]  # strides make the first output wait
            measured = parity.distance(one, other[:len(one)])
            bound = parity.float_bound(measured)
            if not measured["max_abs_diff"] <= bound:
                raise UserError("%s: the frozen %s graph differs from Keras by %.2g, more than "
                                "%.2g" % (file.path, graph.form, measured["max_abs_diff"], bound))
        print("%s: max difference to Keras %.2g on %d %s (bound %.2g)"
              % (graph.form, measured["max_abs_diff"], measured["count"],
                 "samples" if streams else "windows", bound), file=sys.stderr)


def first(values, count):
    """The first items of an array, or of each of a list of them; None: all."""
    return alone([one[:count] for one in several(values)])


if __name__ == "__main__":
    run(main)
