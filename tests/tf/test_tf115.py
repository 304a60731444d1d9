"""TensorFlow 1.15 as the kit imports it: one thread, the CPU, frozen graphs, nothing on stderr."""
import os

import numpy as np
import pytest

from kit.base.cli import UserError

pytestmark = pytest.mark.slow


def test_a_frozen_graph_runs_from_its_bytes():
    from kit.tf.tf115 import frozen_session, tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (2,), "x")
        tf.multiply(x, tf.constant(3.0), name="y")
    with frozen_session(graph.as_graph_def().SerializeToString()) as run:
        assert run.run("y:0", {"x:0": [1, 2]}).tolist() == [3, 6]


def test_a_model_that_keras_cannot_load_is_named(tmp_path):
    from kit.tf.tf115 import load_keras

    (tmp_path / "model.h5").write_bytes(b"no model")
    with pytest.raises(UserError, match="model.h5: TensorFlow 1.15 cannot load this model"):
        load_keras(str(tmp_path / "model.h5"))


def test_what_c_code_writes_is_kept_from_the_terminal(capfd):
    from kit.tf.tf115 import quiet_stderr

    with quiet_stderr() as log:
        os.write(2, b"a wall of text")
        log.seek(0)
        assert log.read() == b"a wall of text"
    os.write(2, b"a word")
    assert capfd.readouterr().err == "a word"


def test_a_session_keeps_to_the_cpu():
    from kit.tf.tf115 import session, tf

    with session(tf.Graph()) as run:
        assert {device.device_type for device in run.list_devices()} <= {"CPU", "XLA_CPU"}
    assert np.__version__.startswith("1.18")
