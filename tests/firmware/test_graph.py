"""What a step file holds, and what C cannot hold."""
import pytest

import step_models
from kit.base.cli import UserError
from kit.firmware.graph import read_step


def test_split_gates_and_reshapes_are_places_in_a_vector():
    step = read_step(step_models.lstm("int8", units=5), "lstm")
    gates = [place for place, (_, first) in step.views.items() if first]
    assert [step.place(place)[1] for place in gates] == [5, 10, 15]
    assert len({step.place(place)[0].number for place in gates}) == 1
    assert "SPLIT" not in [op.op_name for op in step.ops]


def broken(change):
    builder = step_models.Builder("int8", 1)
    x, h = builder.vector(2, 0.05, 0, "sample"), builder.vector(2, 0.05, 0, "state_0_h")
    return builder.save(*change(builder, x, h))


@pytest.mark.parametrize("change, sentence", [
    (lambda b, x, h: ([x, h], [b.op("MEAN", [x], b.vector(2, 0.05, 0, "dense/mean")), h]),
     "C does not hold the operator MEAN at 'dense/mean' yet"),
    (lambda b, x, h: ([h, x], [b.op("ADD", [x, h], b.vector(2, 0.05)), h]),
     "the first input is 'state_0_h', not 'sample'"),
    (lambda b, x, h: ([x, h], [b.op("ADD", [x, h], b.vector(2, 0.05, 0, "sum"), activation=2), h]),
     "C does not hold the activation RELU_N1_TO_1 of ADD at 'sum' yet"),
    (lambda b, x, h: ([x, h], [b.op("ADD", [x, h], b.tensor([1, 2], dtype="float32")), h]),
     "mixes float32 and int8: convert it in float32, int8 or int16x8"),
])
def test_a_file_that_c_cannot_hold_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(UserError, match="^m.* ?" + sentence) as error:
        read_step(broken(change), "m")
    assert "\n" not in str(error.value)
