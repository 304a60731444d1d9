"""Sensors in lock step have the bits that each has alone."""
import numpy as np
import pytest

from fleets import FILES, built
from kit.base.cli import UserError
from kit.fleet import batch
from kit.fleet.batch import Batch, Slot
from kit.runtime.interpreter import Model

pytestmark = built


def alone(model, samples, begins):
    edges = [0] + [row for row in begins if row] + [len(samples)]
    found = []
    for start, stop in zip(edges, edges[1:]):
        if start in begins:
            model.reset()
        found.append(model.stream(samples[start:stop]))
    return np.concatenate(found)


@pytest.mark.parametrize("precision", ["float32", "dynamic", "int8"])
@pytest.mark.parametrize("sensors", [1, 2, 5, 17])
def test_each_has_its_own_bits_and_states(precision, sensors):
    path = FILES[0].replace("int8", precision)
    rng = np.random.default_rng(sensors)
    both, models = Batch(path), [Model(path) for _ in range(sensors)]
    slots = [Slot(both) for _ in range(sensors)]
    for lengths in (rng.integers(1, 60, sensors), rng.integers(1, 60, sensors)):
        samples = [rng.standard_normal((length, 7)).astype(np.float32) for length in lengths]
        begins = [[int(rng.integers(length))] if number % 2 else []
                  for number, length in enumerate(lengths)]
        found = both.step(samples, slots, begins)
        for number, model in enumerate(models):
            assert found[number].tobytes() == alone(model, samples[number], begins[number]).tobytes()
            for mine, own in zip(slots[number].state, model.state):
                assert mine.tobytes() == own.tobytes()


def test_fewer_sensors_take_a_narrower_model_or_empty_slots():
    both = Batch(FILES[0])
    slots = [Slot(both) for _ in range(8)]
    rows = np.ones((3, 7), np.float32)
    for sensors, width in ((8, 8), (7, 8), (5, 5), (6, 6)):
        both.step([rows] * sensors, slots[:sensors], [[]] * sensors)
        assert both._model.streams == width


def test_a_runtime_that_is_not_the_same_in_every_width_is_refused(monkeypatch):
    class Other(Model):
        def stream(self, samples):
            return super().stream(samples) * np.float32(1 + (self.streams > 1) * 1e-6)

    monkeypatch.setattr(batch, "Model", Other)
    both = Batch(FILES[0].replace("int8", "float32"))
    with pytest.raises(UserError, match="other bits among 4 than alone"):
        both.step([np.ones((3, 7), np.float32)] * 4, [Slot(both) for _ in range(4)], [[]] * 4)
