"""RELU, RELU6 and LEAKY_RELU in operators that integer kernels have."""
import numpy as np

from kit.tflite.int8.graph import OPTIONS

RELUS = {"RELU": 1, "RELU6": 3}  # number of the fused activation


def fuse_relus(graph):
    """RELU and RELU6 as the activation of adding zero, as 1.15's own kernels of them are float;
    LEAKY_RELU as relu(x) - relu(-alpha x)."""
    found = []
    for operator in graph.operators:
        op_name = graph.op_name(operator)
        found += _both_sides(graph, operator) if op_name == "LEAKY_RELU" else [operator]
        if op_name in RELUS:
            zero = graph.add_tensor("zero", (), values=np.float32(0))
            operator.update(opcode_index=graph.opcode("ADD", 1), options_type=OPTIONS["ADD"],
                            options={"activation": RELUS[op_name]},
                            inputs=np.append(operator["inputs"], zero).astype(np.int32))
    graph.operators[:] = found


def _both_sides(graph, operator):
    (source,), (out,) = map(int, operator["inputs"]), map(int, operator["outputs"])
    alpha, (name, shape) = operator["options"].get("alpha", 0), (
        graph.tensors[out][key] for key in ("name", "shape"))
    if alpha < 0:  # nobody's: it stays float
        return [operator]
    above, below = (graph.add_tensor(name + side, shape) for side in ("_above", "_below"))
    zero = graph.add_tensor("zero", (), values=np.float32(0))
    slope = graph.add_tensor("slope", (), values=np.float32(-alpha))
    return [graph.operator("ADD", [source, zero], above, activation=RELUS["RELU"]),
            graph.operator("MUL", [source, slope], below, activation=RELUS["RELU"]),
            graph.operator("SUB", [above, below], out)]
