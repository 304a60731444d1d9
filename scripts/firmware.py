"""Writes the whole detector, network and scorer, as C99 for a microcontroller.

    sh scripts/run firmware models/convert/step_int8.tflite --scaler models/train/scaler.json \\
        --detector reports/evaluate/detectors.json --golden data/generate/test.csv \\
        -o models/firmware

in   a step file in float32, int8 or int16x8, and what train and evaluate made for it; a record,
     of which a stretch becomes the self-test
out  in the folder: detector.c, detector.h, detector_test.c, README.md (docs/on-a-device.md)

Integers are equal to the .tflite's, byte for byte, as the runtime of --rounding computes them: the
alarms are those of `detect` in that runtime.
"""
import os
import sys

from kit.base.cli import parser, run, write_together
from kit.base.digest import sha256
from kit.detection.fitted import fitted_with, read_detector
from kit.firmware import fixed, golden, readme, source
from kit.firmware.graph import read_step
from kit.record.records import read_record
from kit.record.windows import read_scaler
from kit.runtime.interpreter import Model
from kit.runtime.verifier import checked, model_file


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("model", help=".tflite of the step form")
    p.add_argument("--scaler", required=True, help="scaler.json, as train writes it")
    p.add_argument("--detector", required=True,
                   help="detectors.json, as evaluate writes it")
    p.add_argument("--golden", required=True, metavar="CSV",
                   help="a record with an alarm in it, for the self-test")
    p.add_argument("-o", "--out", required=True, help="folder to write to")
    p.add_argument("--name", default="detector",
                   help="prefix of files and functions (default: %(default)s)")
    p.add_argument("--rounding", choices=sorted(fixed.ROUNDINGS),
                   help="tflite: as tflite-runtime 2.x rounds a product; tf115: as TensorFlow "
                   "1.15.5 (default: as the runtime here, in which evaluate and detect ran)")
    return p.parse_args(argv)


def read_step_file(path):
    data, _ = model_file(path)
    checked(data, path)
    return read_step(data, path)


def main(argv):
    args = arguments(argv)
    step = read_step_file(args.model)
    scaler, name = read_scaler(args.scaler), os.path.splitext(os.path.basename(args.model))[0]
    detector = read_detector(args.detector, name, len(scaler.channels), fitted_with(args.model, scaler))
    dtype = step.tensors[step.inputs[0]].dtype
    model = Model(args.model, fixed.ROUNDINGS[args.rounding] if args.rounding else None)
    rounding = fixed.rounding_of(model.runtime)
    facts = {"title": "Detector in C: network in %s, scorer in float or double" % dtype,
             "sources": ["%s, sha256 %s" % (os.path.basename(path), sha256(path))
                         for path in (args.model, args.scaler)]
             + ["the detector %s of %s" % (name, os.path.basename(args.detector))]}
    files = source.sources(step, scaler, detector, facts, args.name, rounding)
    record = read_record(args.golden)
    found = golden.golden(record.values, model, scaler, detector)
    files["README.md"] = readme.readme(step, scaler, detector, facts, found, args.name)
    test = golden.source(found, dtype != "float32", "Self-test. " + facts["title"])
    files[args.name + "_test.c"] = source.tidy(source.pieces.named(test, args.name))
    write_together({os.path.join(args.out, name): files[name] for name in sorted(files)})
    print("%s: %s" % (args.out, ", ".join(sorted(files))), file=sys.stderr)


if __name__ == "__main__":
    run(main)
