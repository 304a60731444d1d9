"""The forms of a .tflite file: what goes in, and whether it follows a stream. One entry each."""
from typing import NamedTuple


class Form(NamedTuple):
    """A form of a network as a file."""

    name: str  # as in step_int8.tflite
    first_input: str  # the name of its first input, by which a file's form is known
    streams: bool  # takes a sample and the states at a call; else a window, from the zero state
    graph: str  # the frozen graph that it is made from
    meaning: str


FORMS = {form.name: form for form in (
    Form("window", "window", False, "window", "a fixed number of steps in, forecast out, unrolled"),
    Form("loop", "series", False, "step", "as window, of any length: a WHILE over the steps"),
    Form("fused", "sequence", False, "fused",
         "as window, of any length, with one UNIDIRECTIONAL_SEQUENCE_LSTM per layer"),
    Form("step", "sample", True, "step", "one sample and the states in, output and new states out: "
         "any length"),
    Form("chunk", "samples", True, "step", "as step, many samples of a stream at a call: a WHILE"),
)}
GRAPHS = sorted({form.graph for form in FORMS.values()})


def by_first_input(name):
    """The Form of a file whose first input has this name; None when it is none of ours."""
    return next((form for form in FORMS.values() if form.first_input == name), None)


def several(values):
    """What goes in or comes out as a list, also where it is one array."""
    return list(values) if isinstance(values, (list, tuple)) else [values]


def alone(values):
    """The one array of a list of one; the list itself where there are more."""
    return values[0] if len(values) == 1 else list(values)


def data_of(ends):
    """The inputs or outputs of a description that are no states."""
    return [item for item in ends if item.get("role") != "state"]


def states_of(ends):
    """The states among the inputs or outputs of a description; both sides have one order."""
    return [item for item in ends if item.get("role") == "state"]
