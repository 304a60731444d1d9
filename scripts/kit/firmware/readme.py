"""The README beside the C files: what they are, what they take, how they are compiled."""
import re

from kit.firmware import pieces
from kit.firmware.graph import Step
from kit.firmware.source import ladders

BYTES = {"float32": 4, "int8": 1, "int16": 2, "int32": 4, "int64": 8}


def readme(step, scaler, detector, facts, found, name):
    """The text of README.md."""
    values = {
        "TITLE": facts["title"], "SOURCES": "\n".join("- " + line for line in facts["sources"]),
        "CHANNELS": ", ".join(scaler.channels), "WEIGHTS": "{:,}".format(weight_bytes(step)),
        "STATES": "{:,}".format(state_bytes(step)),
        "STATE": "{:,}".format(struct_bytes(step, detector)),
        "ROWS": str(len(found.rows)), "THRESHOLD": "%g" % detector["threshold"],
        "INTERVAL": "%g" % detector["interval_s"]}
    text = re.sub("@([A-Z]+)@", lambda match: values[match.group(1)], pieces.text("README.md"))
    return pieces.named(text, name)


def weight_bytes(step: Step):
    """Bytes of all matrices and biases in the .tflite."""
    places = {place for op in step.ops if op.op_name == "FULLY_CONNECTED" for place in op.inputs[1:]
              if place >= 0}
    return sum(step.tensors[place].size * BYTES[step.tensors[place].dtype] for place in places)


def state_bytes(step):
    """Bytes that the network hands from sample to sample."""
    return sum(step.tensors[place].size * BYTES[step.tensors[place].dtype]
               for place in step.inputs[1:])


def struct_bytes(step, detector):
    """sizeof(NAME_state) with float and without a hook, on a 32-bit core."""
    means = len(detector["residual"]["weights"]) * detector["channels"]
    means += len(ladders(detector)) * len(detector["weights"])
    alone = state_bytes(step) + 4 * (means + 4 * detector["channels"] + 2) + 2 + 1
    return alone + -alone % 4
