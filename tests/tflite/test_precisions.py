"""A model of each precision: its types, and a computation near that of the graph."""
import numpy as np
import pytest

from kit.record.samples import Samples
from kit.runtime import flatbuffer
from kit.runtime.interpreter import Model
from kit.runtime.precisions import PRECISIONS, of_types
from keras_models import walk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list(PRECISIONS))
def test_a_model_has_the_types_of_its_precision_and_computes_what_the_graph_does(graph, name):
    from kit.tflite import toco
    from kit.tflite.precisions import MAKERS

    case, stream = graph("step"), walk(2000)
    calibration = Samples(stream[None], 6, False) if PRECISIONS[name].calibrated else None
    data = toco.packed(MAKERS[name](case.path, case.signature, calibration), case.signature)
    inner, = flatbuffer.read(data)["subgraphs"]
    types = {tensor.get("type", 0) for tensor in inner["tensors"]}
    if name != "dynamic":  # whose converter packs no matrix as small as these
        assert of_types(inner["tensors"][inner["outputs"][0]].get("type", 0), types).name == name
    found, expected = Model(data).stream(stream[:200]), case.frozen.stream(stream[:200])
    error = np.abs(found - expected).mean() / expected.std()
    assert error < {"float32": 1e-6, "float16": 1e-3, "dynamic": 1e-2, "int8": 0.05, "int16x8": 0.02}[name]
    assert (error > 1e-5) == (name not in ("float32", "dynamic"))


def test_large_matrices_of_dynamic_are_int8(tmp_path):
    from kit.network.description import path_of
    from kit.network.forms import frozen
    from kit.tflite.precisions import MAKERS
    from layer_graphs import C, lstm

    made = frozen(path_of([lstm(40)], (None, C)), "step", None)
    (tmp_path / "m.pb").write_bytes(made.bytes)
    (tmp_path / "m.h5").write_bytes(b"")
    model = MAKERS["dynamic"](str(tmp_path / "m.pb"), made.signature(str(tmp_path / "m.h5")), None)
    inner, = model["subgraphs"]
    types = {tensor.get("type", 0) for tensor in inner["tensors"]}
    assert of_types(inner["tensors"][inner["outputs"][0]].get("type", 0), types).name == "dynamic"
