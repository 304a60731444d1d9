"""What a detector remembers comes back from a file to the bit, for the same files alone."""
import json

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.detection import memory


class Part:
    def __init__(self, state):
        self.state = state


STATE = {"arrays": [np.array([[0.1, np.nan], [-np.inf, 1e-45]], np.float32), np.float64(1 / 3)],
         "n": 7, "none": None, "word": "a", "empty": np.zeros((0, 3), np.int8), "pair": (1, True)}


def same(one, other):
    if isinstance(other, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in other)
    if isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(other, (np.ndarray, np.generic)):
        one, other = np.asarray(one), np.asarray(other)
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return one == other and type(one) is type(other)


@pytest.fixture
def files(tmp_path):
    """Two files that a state belongs to, and the place of the state."""
    for name in ("model", "scaler"):
        (tmp_path / name).write_text(name)
    return [str(tmp_path / name) for name in ("model", "scaler")], str(tmp_path / "state.json")


def test_numbers_come_back_to_the_bit_through_json():
    assert same(memory.unpacked(json.loads(json.dumps(memory.packed(STATE)))),
                dict(STATE, pair=[1, True]))


def test_an_array_that_came_back_can_be_written_to():
    memory.unpacked(memory.packed(np.zeros(3)))[0] = 1


def test_objects_get_their_states_back_and_the_rest_is_returned(files):
    of, path = files
    parts = {"one": Part({"h": np.arange(3.0)}), "two": Part([1])}
    memory.save(path, dict(parts, row=5, log="plant.csv"), of)
    again = {name: Part(None) for name in parts}
    assert memory.load(path, again, of) == {"row": 5, "log": "plant.csv"}
    assert all(same(again[name].state, parts[name].state) for name in parts)


def test_a_state_of_other_files_is_refused(files):
    of, path = files
    memory.save(path, {"row": 5}, of)
    for others in (of[::-1], of[:1]):
        with pytest.raises(UserError, match="state.json is of another model, detector or scaler"):
            memory.load(path, {}, others)
    with open(of[0], "a") as file:
        file.write("!")
    with pytest.raises(UserError, match="is of another model"):
        memory.load(path, {}, of)


@pytest.mark.parametrize("change, words", [
    (lambda content: [], "is damaged"), (lambda content: {"of": content["of"]}, "is damaged .*state"),
    (lambda content: dict(content, state={}), "is damaged .*one.*; remove it to begin anew"),
    (lambda content: dict(content, state={"one": {"dtype": "<f8", "shape": [9], "bytes": "AAA="}}),
     "is damaged"),
    (lambda content: dict(content, state=7), "is damaged")])
def test_a_damaged_state_is_one_sentence(files, change, words):
    of, path = files
    memory.save(path, {"one": Part(1)}, of)
    with open(path) as file:
        content = change(json.load(file))
    with open(path, "w") as file:
        json.dump(content, file)
    with pytest.raises(UserError, match="state.json " + words) as error:
        memory.load(path, {"one": Part(None)}, of)
    assert "\n" not in str(error.value)
