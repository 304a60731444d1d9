"""Writes the whole detector, network and scorer, as C99 for a microcontroller.

    sh scripts/run firmware models/convert/step_int8.tflite --scaler models/train/scaler.json \\
        --detector reports/evaluate/detectors.json --golden data/generate/test.csv \\
        -o models/firmware

in   a step file in float32, int8 or int16x8, and what train and evaluate made for it; a record,
     of which a stretch becomes the self-test
out  in the folder: detector.c, detector.h, detector_test.c, README.md (docs/on-a-device.md)

Integers are equal to the .tflite's, byte for byte, as the runtime of --rounding computes them.
"""
import os
import sys

from kit.base.cli import UserError, parser, read_json, run, write_text
from kit.base.digest import sha256
from kit.firmware import fixed, golden, readme, source
from kit.firmware.graph import read_step
from kit.record.records import read_record
from kit.record.windows import read_scaler
from kit.runtime.interpreter import Model


def parse(argv):
    arguments = parser(__doc__)
    arguments.add_argument("model", help=".tflite of the step form")
    arguments.add_argument("--scaler", required=True, help="scaler.json, as train writes it")
    arguments.add_argument("--detector", required=True,
                           help="detectors.json, as evaluate writes it")
    arguments.add_argument("--golden", required=True, metavar="CSV",
                           help="a record with an alarm in it, for the self-test")
    arguments.add_argument("-o", "--out", required=True, help="folder to write to")
    arguments.add_argument("--name", default="detector",
                           help="prefix of files and functions (default: %(default)s)")
    arguments.add_argument("--rounding", choices=sorted(fixed.ROUNDINGS), default="tflite",
                           help="tflite: as tflite-runtime 2.x rounds a product, and detect with "
                           "it; tf115: as TensorFlow 1.15.5 (default: %(default)s)")
    return arguments.parse_args(argv)


def read_detector(path, model_path):
    """The fitted detector that has the name of the model file."""
    detectors, name = read_json(path), os.path.splitext(os.path.basename(model_path))[0]
    if name not in detectors:
        raise UserError("%s has no detector %s; it has %s"
                        % (path, name, ", ".join(sorted(detectors))))
    return detectors[name]


def read_step_file(path):
    try:
        with open(path, "rb") as file:
            return read_step(file.read(), path)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))


def main(argv):
    args = parse(argv)
    step = read_step_file(args.model)
    scaler, detector = read_scaler(args.scaler), read_detector(args.detector, args.model)
    dtype = step.tensors[step.inputs[0]].dtype
    facts = {"title": "Detector in C: network in %s, scorer in float or double" % dtype,
             "sources": ["%s, sha256 %s" % (os.path.basename(path), sha256(path))
                         for path in (args.model, args.scaler)]
             + ["the detector %s of %s" % (os.path.splitext(os.path.basename(args.model))[0],
                                           os.path.basename(args.detector))]}
    files = source.sources(step, scaler, detector, facts, args.name, args.rounding)
    record = read_record(args.golden)
    model = Model(args.model, fixed.ROUNDINGS[args.rounding])
    found = golden.golden(record.values, model, scaler, detector)
    files["README.md"] = readme.readme(step, scaler, detector, facts, found, args.name)
    test = golden.source(found, dtype != "float32", "Self-test. " + facts["title"])
    files[args.name + "_test.c"] = source.tidy(source.pieces.named(test, args.name))
    for name in sorted(files):
        write_text(os.path.join(args.out, name), files[name])
    print("%s: %s" % (args.out, ", ".join(sorted(files))), file=sys.stderr)


if __name__ == "__main__":
    run(main)
