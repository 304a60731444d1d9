"""RELU and RELU6 as an activation that an integer kernel has."""
import numpy as np

from kit.tflite.int8.graph import OPTIONS

RELUS = {"RELU": 1, "RELU6": 3}  # number of the fused activation


def fuse_relus(graph):
    """RELU and RELU6 as the activation of adding zero: 1.15's own kernels of them are float."""
    for operator in graph.operators:
        op_name = graph.op_name(operator)
        if op_name in RELUS:
            zero = graph.add_tensor("zero", (), values=np.float32(0))
            operator.update(opcode_index=graph.opcode("ADD", 1), options_type=OPTIONS["ADD"],
                            options={"activation": RELUS[op_name]},
                            inputs=np.append(operator["inputs"], zero).astype(np.int32))
