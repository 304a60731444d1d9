"""Check that a TFLite runtime computes what a file's golden stream says.

    sh scripts/run golden models/convert/step_int8.tflite
    python3 scripts/golden.py step_int8.tflite --runtime ai_edge_litert

in   a .tflite, and the .golden.json that convert wrote beside it
out  one line: the same bits, or how far apart, and whether that is within what runtimes may differ

Ends with status 1 where it is not. Any Python from 3.7 on, numpy, and one TFLite runtime.
"""
import os

from kit.base.cli import UserError, parser, read_json, run
from kit.runtime.golden import check
from kit.runtime.interpreter import Model
from kit.runtime.runtimes import RUNTIMES


def main(argv):
    args = arguments(argv)
    path = args.golden or os.path.splitext(args.model)[0] + ".golden.json"
    model = Model(args.model, args.runtime)
    expected = read_json(path)
    missing = {"form", "type", "inputs", "outputs", "states", "within", "crc32"} - set(expected)
    if missing:
        raise UserError("%s: not a golden stream: it has no %s" % (path, sorted(missing)[0]))
    found = check(model, expected)
    apart = ", ".join("%s %.2g" % (key, value) for key, value in found.items()
                      if isinstance(value, float))
    text = "%s in %s: %s" % (args.model, model.runtime,
                             "the same bits" if found["same_bits"] else apart)
    if not found["right"]:
        raise UserError(text + ", more than %s" % expected["within"])
    print(text)


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("model", help=".tflite file")
    p.add_argument("--golden", help="its golden stream (default: the .golden.json beside it)")
    p.add_argument("--runtime", choices=list(RUNTIMES), help="default: the first that is installed")
    return p.parse_args(argv)


if __name__ == "__main__":
    run(main)
