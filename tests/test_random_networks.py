"""Random networks out of every kind of layer: each form is what Keras computes, or one sentence.

    RANDOM_NETWORKS=300 sh scripts/run test tests/test_random_networks.py -s

draws so many; a few without it.
"""
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.network.files.keras_file import read_keras
from kit.network.possible import why_not
from kit.record.samples import Samples, read_inputs
from kit.runtime.forms import several

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("RANDOM_NETWORKS", 6))
C, T = 3, 6
UNITS = st.integers(1, 5)
ACTS = st.sampled_from(["tanh", "sigmoid", "relu", "linear", "softsign", "swish", "gelu", "elu"])
GATES = st.sampled_from(["sigmoid", "hard_sigmoid"])

recurrent = st.fixed_dictionaries({
    "kind": st.sampled_from(["LSTM", "GRU", "SimpleRNN"]), "units": UNITS, "gate": GATES,
    "activation": st.sampled_from(["tanh", "relu", "sigmoid"]), "use_bias": st.booleans(),
    "go_backwards": st.sampled_from([False, False, False, True]),
    "around": st.sampled_from([None, None, "concat", "sum", "ave"])})
between = st.one_of(
    st.tuples(st.just("Dense"), UNITS, ACTS),
    st.tuples(st.just("Conv1D"), UNITS, st.integers(1, 3), st.integers(1, 2),
              st.sampled_from(["causal", "same", "valid"])),
    st.tuples(st.sampled_from(["BatchNormalization", "LayerNormalization", "LeakyReLU", "Dropout",
                               "MaxPooling1D", "AveragePooling1D", "UpSampling1D", "Skip",
                               "Masking", "ZeroPadding1D", "TimeDistributed"])))
ends = st.sampled_from(["last", "sequence", "flatten", "mean", "max", "attention", "two"])
networks = st.fixed_dictionaries({
    "before": st.lists(between, max_size=2), "first": recurrent,
    "middle": st.lists(between, max_size=2), "more": st.lists(recurrent, max_size=1),
    "end": ends, "seed": st.integers(0, 10 ** 6)})
CELLS = [("window", "float32"), ("step", "float32"), ("fused", "float32"), ("loop", "float32"),
         ("window", "int16x8"), ("loop", "int16x8"), ("window", "int8")]
seen = {"right": 0, "a sentence": 0, "coarse in 8 bits": 0}


def build(plan):
    """The Keras model of a plan."""
    from kit.network.files.build import ACTIVATIONS
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()
    tf.keras.backend.set_session(session())
    tf.compat.v1.set_random_seed(plan["seed"])
    with tf.keras.utils.custom_object_scope(ACTIVATIONS):
        x = tf.keras.layers.Input((T, C))
        value = x
        for item in plan["before"]:
            value = apply(tf.keras.layers, item, value)
        chain = [plan["first"]] + plan["more"]
        for number, item in enumerate(chain):
            last = number == len(chain) - 1 and plan["end"] == "last"
            value = recur(tf.keras.layers, item, value, not last)
            if number == 0 and not last:
                for between_item in plan["middle"]:
                    value = apply(tf.keras.layers, between_item, value)
        return tf.keras.Model(x, finish(tf.keras.layers, plan["end"], value))


def recur(layers, plan, value, sequences):
    options = dict(activation=plan["activation"], use_bias=plan["use_bias"],
                   return_sequences=sequences)
    if plan["kind"] != "SimpleRNN":
        options["recurrent_activation"] = plan["gate"]
    if plan["around"]:
        inner = getattr(layers, plan["kind"])(plan["units"], **options)
        return layers.Bidirectional(inner, merge_mode=plan["around"])(value)
    return getattr(layers, plan["kind"])(
        plan["units"], go_backwards=plan["go_backwards"], **options)(value)


def apply(layers, item, value):
    kind, *rest = item
    if kind == "Dense":
        return layers.Dense(rest[0], activation=rest[1])(value)
    if kind == "Conv1D":
        return layers.Conv1D(rest[0], rest[1], dilation_rate=rest[2], padding=rest[3])(value)
    if kind == "Skip":
        return layers.Add()([value, layers.Dense(int(value.shape[-1]))(value)])
    if kind == "TimeDistributed":
        return layers.TimeDistributed(layers.Dense(2, activation="relu"))(value)
    return getattr(layers, kind)(*{"Dropout": [0.5], "UpSampling1D": [2]}.get(kind, []))(value)


def finish(layers, end, value):
    if end == "flatten":
        return layers.Dense(2)(layers.Flatten()(value))
    if end == "mean":
        return layers.GlobalAveragePooling1D()(value)
    if end == "max":
        return layers.GlobalMaxPooling1D()(value)
    if end == "attention":
        return layers.Attention()([value, layers.Dense(int(value.shape[-1]))(value)])
    if end == "two":
        return [value, layers.Dense(2)(value)]
    return layers.Dense(2)(value)


@given(networks)
@settings(max_examples=COUNT, derandomize=True, deadline=None, database=None,
          phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_every_form_is_right_or_a_sentence(tmp_path_factory, plan):
    from kit.network.parity import OutsideBound, Reference

    try:
        model = build(plan)
    except (ValueError, TypeError, AttributeError):  # Keras itself does not build it
        return
    rng = np.random.Generator(np.random.PCG64(plan["seed"]))
    model.set_weights([w + np.abs(rng.normal(0, 0.1, w.shape)).astype(np.float32) if w.ndim == 1
                       else w for w in model.get_weights()])
    path = str(tmp_path_factory.mktemp("random") / "m.h5")
    model.save(path)
    try:
        file = read_keras(path)
        network = read_network(file)
    except UserError as error:
        return sentence(error)
    samples = read_inputs(None, None, network.inputs, network.steps)
    if isinstance(samples, Samples):  # one long record
        samples = samples._replace(sequences=samples.sequences[:, :400])
    job = convert.Job(path, network, network.steps, samples, Reference(file, samples), 1.0)
    for form, precision in CELLS:
        try:
            convert.convert(job, form, precision)
            seen["right"] += 1
        except OutsideBound:
            if precision != "int8" and not is_coarse(job, form):
                raise
            seen["coarse in 8 bits"] += 1
        except UserError as error:
            sentence(error)
    print(seen)


def is_coarse(job, form):
    """Whether weights that nobody trained leave int16x8 little: its outputs hardly differ, or it is a loop
    whose states grow without end along the record that its scales are of, and windows see little of them."""
    windows = several(job.reference.outputs("window"))
    if any(np.std(values) < 0.02 * np.abs(values).max() for values in windows):
        return True
    if form != "loop" or why_not(job.network, "step", job.steps):
        return False
    return any(np.std(along) > 20 * np.std(values) for along, values in zip(
        several(job.reference.outputs("step")), windows))


def sentence(error):
    """One line, for a person, and no cry of 1.15's converter."""
    assert "\n" not in str(error) and "converter refuses" not in str(error), error
    assert "Error" not in str(error), error
    seen["a sentence"] += 1
