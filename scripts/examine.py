"""Look at a .tflite file before it is flashed: what it is, what is wrong with it, what runs it.

    sh scripts/run examine models/convert/step_int8.tflite
    sh scripts/run examine somebody_elses.tflite

In:  any .tflite file; where a .json of the convert script lies beside it, its claim is checked.
Out: inputs and outputs, operators with their versions, the runtimes that have a kernel of each; then
     a line for each problem (offsets, shapes, scales, order, biases, states), and status 1.

It reads the bytes alone; no runtime is started. What `runtimes` computes with a file is the proof.
"""
import collections

from kit.base.cli import UserError, counted, parser, run
from kit.base.digest import sha256_of
from kit.runtime import flatbuffer, verifier
from kit.runtime.forms import by_first_input
from kit.runtime.precisions import PRECISIONS, of_types
from kit.runtime.runtimes import RUNTIMES


def main(argv):
    p = parser(__doc__)
    p.add_argument("file", help=".tflite file")
    path = p.parse_args(argv).file
    data, described = verifier.model_file(path)
    try:
        model = flatbuffer.read(data)
    except UserError as error:
        raise UserError("%s: %s" % (path, error))
    found = verifier.problems(model)
    print("%s: %d bytes, sha256 %s%s" % (path, len(data), sha256_of(data), "" if not described else
                                         "\nthe .json beside it describes these bytes"))
    for line in found or lines(model):
        print(line)
    if found:
        raise UserError("%s: %s" % (path, counted(len(found), "problem")))


def lines(model):
    """What a sound file holds."""
    for number, graph in enumerate(model["subgraphs"]):
        name = "" if len(model["subgraphs"]) == 1 else "graph %d " % number
        for end in ("inputs", "outputs"):
            yield from ("%s%s  %s" % (name, end[:-1].ljust(6), tensor_line(graph["tensors"][place]))
                        for place in graph[end])
    for (operator, version), times in sorted(operators(model).items()):
        yield "%4d × %s version %d" % (times, operator, version)
    for runtime, lacking in verifier.lacking(operators(model)).items():
        refused = refusal(model, runtime)
        yield "%s: %s" % (runtime, "lacks " + ", ".join(lacking) if lacking else refused or
                          "has a kernel of each operator")
    yield "no problem found"


def refusal(model, runtime):
    """Why a runtime is known to refuse a file of these types; None where it is not."""
    graph = model["subgraphs"][0]
    types = {tensor.get("type", flatbuffer.FLOAT32) for part in model["subgraphs"]
             for tensor in part["tensors"]}
    output = graph["tensors"][graph["outputs"][0]].get("type", flatbuffer.FLOAT32)
    known = next((item for item in RUNTIMES.values() if item.name == runtime), None)
    form = by_first_input(graph["tensors"][graph["inputs"][0]].get("name"))
    if known is None or output not in {precision.ends for precision in PRECISIONS.values()}:
        return None
    why = known.why_not(form and form.name, of_types(output, types).name)
    return why and "refuses it: " + why


def operators(model):
    """{(name, version): how often} in all graphs."""
    codes = model["operator_codes"]
    return collections.Counter(
        (verifier.operator_name(code), code.get("version", 1))
        for graph in model["subgraphs"] for operator in graph["operators"]
        for code in [codes[operator.get("opcode_index", 0)]])


def tensor_line(tensor):
    """sample int8 [1, 7] scale 0.063 zero point -1"""
    number_type = flatbuffer.TYPES.get(tensor.get("type", 0), "?")
    name = tensor.get("name") or "(no name)"
    words = [name if name.isprintable() else ascii(name), number_type, str(verifier.shape_of(tensor))]
    if tensor.get("quantization", {}).get("scale") is not None:
        words.append("scale %.9g zero point %d" % verifier.scale_of(tensor))
    return " ".join(words)


if __name__ == "__main__":
    run(main)
