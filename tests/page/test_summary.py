"""The sentences that a reader takes away, computed from the results."""
import numpy as np
import pytest

from kit.page.plots import Scored
from kit.page.summary import detected, float_form, quantized, rivals, seconds_per_sample, sized, summary

METRICS = {
    "step_int8": {"vus_pr": 0.7, "event_recall": 2 / 3, "false_alarms_per_day": 0.456,
                  "median_delay_s": 120.0},
    "linear_forecaster": {"vus_pr": 0.55}, "global_max_z": {"vus_pr": 0.1},
    "floor_all": {"vus_pr": 0.06}, "floor_random": {"vus_pr": 0.05}}
MODELS = {form + "_" + precision: {"form": form, "precision": precision, "size_bytes": size}
          for form, precision, size in (("step", "int8", 20000), ("step", "float32", 70000),
                                        ("window", "float32", 100000))}


def scored(events=3, alarms=1, rows=2881):
    """Two days of a sample a minute."""
    time = np.datetime64("2020-01-01T00:00:00", "s") + 60 * np.arange(rows)
    return Scored(time, [], np.empty((rows, 0)), np.zeros(rows), 1.0, np.zeros((alarms, 2), int),
                  [(0, 1, "spike", [])] * events)


def test_what_was_found_stands_beside_the_best_baseline_and_the_best_floor():
    assert detected("step_int8", METRICS, scored()) == (
        "step_int8 found 2 of 3 events in 2.0 days of test record, with 0.46 false alarms per day and "
        "a median delay of 120 s; its VUS-PR of 0.700 stands beside 0.550 of the best baseline "
        "(linear_forecaster) and 0.060 of the best floor (floor_all).")
    without = dict(METRICS, step_int8=dict(METRICS["step_int8"], median_delay_s=None))
    assert "per day; its VUS-PR" in detected("step_int8", without, scored())
    assert rivals({"keras": METRICS["step_int8"]}) == ["none"]


@pytest.mark.parametrize("alarms, words", [(1, "1 alarm in"), (4, "4 alarms in")])
def test_without_labels_nobody_can_say_which_alarms_are_right(alarms, words):
    said = detected("step_int8", {"step_int8": {}}, scored(alarms=alarms))
    assert said.startswith("step_int8 raised " + words) and "without labels nobody can say" in said


def test_what_quantization_cost():
    parity = {"step_int8": {"forecast_mean_abs_diff": 0.01, "output_std": 0.5}}
    costs = {"step_int8": {"reference": "step_float32", "decisions_changed": 0.001,
                           "vus_pr_change": -0.0123}}
    first = "Its forecasts differ from those of Keras by 2 % of their standard deviation on average"
    assert quantized("step_int8", parity, {}) == first + "."
    assert quantized("step_int8", parity, costs) == (
        first + "; against step_float32, 0.1 % of the decisions changed and VUS-PR moved by -0.0123.")
    parity["step_int8"].update(alarms_same=36, alarms_gained=3, alarms_lost=2)
    assert quantized("step_int8", parity, costs).endswith(
        "-0.0123. Of the 38 alarms of Keras, it raises 36; it loses 2 and gains 3.")
    assert quantized("step_int8", parity, {}).endswith("it loses 2 and gains 3.")
    del costs["step_int8"]["vus_pr_change"], parity["step_int8"]["alarms_same"]
    assert quantized("step_int8", parity, costs).endswith("0.1 % of the decisions changed.")
    assert quantized("keras", parity, costs) is None


def test_how_large_the_file_is():
    assert sized("step_int8", MODELS) == (
        "The file step_int8.tflite has 20,000 bytes, 3.5 times fewer than step_float32 (70,000); the "
        "largest is window_float32 with 100,000.")
    assert sized("window_float32", MODELS) == "The file window_float32.tflite has 100,000 bytes."
    assert sized("step_int8", {"step_int8": MODELS["step_int8"]}) == (
        "The file step_int8.tflite has 20,000 bytes.")
    assert sized("keras", MODELS) is None
    assert (float_form(MODELS, "step"), float_form(MODELS, "fused")) == ("step_float32", None)


def test_the_spacing_of_samples():
    assert seconds_per_sample(scored().time) == 60
    assert seconds_per_sample(scored(rows=1).time) == 0


def test_what_is_not_known_is_left_out():
    assert len(summary("step_int8", METRICS, MODELS, scored(), {}, {})) == 2
    assert summary(None, {}, {}, scored(), {}, {}) == []
