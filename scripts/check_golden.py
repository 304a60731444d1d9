"""Check that a TFLite runtime computes what a file's golden stream says.

    sh scripts/run check_golden models/convert/step_int8.tflite
    python3 scripts/check_golden.py step_int8.tflite --runtime ai_edge_litert

in   a .tflite, and the .golden.json that convert wrote beside it
out  one line: the same bits, or how far apart, and whether that is within what runtimes may differ

Ends with status 1 where it is not. Any Python from 3.7 on, numpy, and one TFLite runtime.
"""
import os

from kit.base.cli import UserError, parser, read_json, run
from kit.base.expect import Each, Number, Text, Whole, expect
from kit.runtime.golden import check
from kit.runtime.interpreter import Model
from kit.runtime.runtimes import RUNTIMES

GOLDEN = {"form": Text, "type": Text, "inputs": list, "outputs": list, "states": list,
          "within": Each(Number(low=0)), "crc32": Whole(low=0)}


def main(argv):
    args = arguments(argv)
    path = args.golden or os.path.splitext(args.model)[0] + ".golden.json"
    model = Model(args.model, args.runtime)
    expected = read_json(path)
    expect(expected, GOLDEN, path)
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
