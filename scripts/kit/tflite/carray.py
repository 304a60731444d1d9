"""A .tflite file as a C header: the bytes, and what firmware needs of its description, as constants."""
import os
import re

import numpy as np

from kit.runtime.forms import states_of

LINE = 16  # numbers per line
C_TYPES = {"float32": "float", "int8": "int8_t", "int16": "int16_t"}


def header(data, description, path, golden=None):
    """The text of a header for C99 and C++ that holds a step model and its description.

    data : .tflite bytes; facts : what the .json beside it holds; path : the header's, for its name
    golden : its golden stream, as kit.runtime.golden makes it
    """
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0]).lower()
    name = name if not name[:1].isdigit() else "model_" + name
    guard = name.upper() + "_H"
    lines = ["/* %s model in %s, converted from %s." % (
        description["form"], description["precision"], description["source"]),
        " * sha256 of the .tflite: %s" % description["sha256"],
        " * Difference to Keras: %g mean, %g max, output std %g." % tuple(
            description["parity"][key] for key in ("mean_abs_diff", "max_abs_diff", "output_std")),
        " * Each step: write the sample and the states, invoke, read the output and the states;",
        " * every state starts at its zero point%s." % (
            "" if _states_agree(description) else "; output states are requantized to the input's scale"),
        " * Operators: %s. */" % ", ".join(
            "%s v%d" % (item["operator"], item["version"]) for item in description["operators"]),
        "#ifndef " + guard, "#define " + guard, "", "#include <stdint.h>", ""]
    for end in ("inputs", "outputs"):
        lines += _ends(name.upper(), end[:-1].upper(), description[end])
    lines += ["#define %s_SIZE %du" % (name.upper(), len(data)), "",
              "#ifdef __cplusplus", "alignas(16)", "#elif defined(__GNUC__)",
              "__attribute__((aligned(16)))", "#endif",
              "static const uint8_t %s_data[%s_SIZE] = {" % (name, name.upper())]
    lines += _rows("0x%02x" % byte for byte in data) + ["};", ""]
    lines += [] if golden is None else _golden(name, golden)
    return "\n".join(lines + ["#endif  /* %s */" % guard, ""])


def _rows(numbers):
    """Lines of numbers in C."""
    numbers = list(numbers)
    return ["    " + ", ".join(numbers[at:at + LINE]) + "," for at in range(0, len(numbers), LINE)]


def _golden(name, golden):
    """The lines of a golden stream: arrays, the CRC-32, and the function that proves an interpreter."""
    c_type, half = C_TYPES[golden["type"]], len(golden["states"]) // 2
    arrays = {end: np.concatenate([np.ravel(part) for part in golden[end]])
              for end in ("inputs", "outputs", "states")}
    number = "%.8ef" if c_type == "float" else "%d"
    upper = name.upper()
    lines = ["#define %s_GOLDEN_SAMPLES %d" % (upper, len(golden["inputs"])),
             "#define %s_GOLDEN_RESET %d  /* the states are zero again before this sample */" % (
                 upper, golden["reset_before"]),
             "#define %s_GOLDEN_CRC32 0x%08xu" % (upper, golden["crc32"]), ""]
    for end, values in arrays.items():
        lines += ["static const %s %s_golden_%s[%d] = {" % (c_type, name, end, len(values))]
        lines += _rows(number % value for value in values) + ["};"]
    values = dict(name=name, NAME=upper, type=c_type, states=half, held=len(arrays["states"]) // 2,
                  input=np.size(golden["inputs"][0]), output=np.size(golden["outputs"][0]),
                  sizes=", ".join(str(np.size(state)) for state in golden["states"][:half]))
    with open(os.path.join(os.path.dirname(__file__), "golden.h"), encoding="utf-8") as file:
        template = file.read()
    for key, value in values.items():
        template = template.replace("@%s@" % key, str(value))
    return lines + ["", template]


def _ends(prefix, end, items):
    """#define lines of the inputs or of the outputs."""
    lines = ["#define %s_%sS %d" % (prefix, end, len(items))]
    for item in items:
        place = "%s_%s_%d" % (prefix, end, item["number"])
        elements = 1
        for size in item["shape"]:
            elements *= size
        lines.append("#define %s_ELEMENTS %d  /* %s, %s, shape %s */" % (
            place, elements, item["name"], item["type"], "x".join(map(str, item["shape"]))))
        if "scale" in item:
            lines.append("#define %s_SCALE %.8ef" % (place, item["scale"]))
            lines.append("#define %s_ZERO_POINT (%d)" % (place, item["zero_point"]))
    return lines + [""]


def _states_agree(description):
    """True when every state has one scale, so that the bytes can be handed on."""
    return all(before.get(key) == after.get(key) for key in ("scale", "zero_point")
               for before, after in zip(states_of(description["inputs"]), states_of(description["outputs"])))
