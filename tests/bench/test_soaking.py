"""A soak a piece at a time, asked as a worker asks: what comes of it is what comes of a Soak."""
import io
import json

import numpy as np
import pytest

import step_models
from keras_models import walk
from kit.bench import worker
from kit.runtime.endurance import PHASES, Soak
from kit.runtime.interpreter import Model

RUNTIME, TOTAL = "tflite_runtime", 200


@pytest.fixture
def files(tmp_path):
    """Paths of an int8 step file, the float file of other weights, and a record."""
    for name, dtype in (("model", "int8"), ("reference", "float32")):
        (tmp_path / name).write_bytes(step_models.gru(dtype))
    np.save(str(tmp_path / "record.npy"), walk(300, 2))
    return {name: str(tmp_path / name) for name in ("model", "reference", "record.npy")}


def answers(*questions):
    """What the commands of the module answer, through JSON."""
    out = io.StringIO()
    worker.serve("kit.bench.soaking", [json.dumps(question) for question in questions], out)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [error for _, error in found] == [None] * len(found)
    return [answer for answer, _ in found]


def test_pieces_go_through_the_phases_and_give_what_a_soak_gives(files):
    soak = Soak(Model(files["model"], RUNTIME), Model(files["reference"], RUNTIME),
                np.load(files["record.npy"]), TOTAL)
    begin = ["begin", dict(runtime=RUNTIME, model=files["model"], reference=files["reference"],
                           record=files["record.npy"], total=TOTAL)]
    pieces, *phases, found = answers(begin, *[["piece", {}]] * soak.pieces, ["found", {}])
    assert pieces == soak.pieces and phases == [soak.piece() for _ in range(soak.pieces)]
    assert sorted(set(phases), key=PHASES.index) == list(PHASES)
    assert found == soak.found() and found["samples"] == TOTAL


def test_a_second_file_begins_anew(files):
    begin = ["begin", dict(runtime=RUNTIME, model=files["reference"], reference=files["reference"],
                           record=files["record.npy"], total=TOTAL)]
    found = answers(begin, ["piece", {}], begin, *[["piece", {}]] * 10, ["found", {}])[-1]
    assert set(found["error_of_std"].values()) == {0}, "a file is its own reference"
