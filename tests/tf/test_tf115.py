"""TensorFlow 1.15 as the kit imports it: one thread, the CPU, frozen graphs, nothing on stderr."""
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
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


def test_the_graph_optimizer_has_no_deadline():
    from kit.tf.tf115 import session, tf

    with session(tf.Graph()) as run:
        assert run._config.graph_options.rewrite_options.meta_optimizer_timeout_ms == -1


REASSOCIATED = """
from kit.tf.tf115 import session, tf

with tf.Graph().as_default():
    x = tf.compat.v1.placeholder(tf.float32, (4,))
    y = (x + [1.] * 4) + [2. ** -24] * 4  # the optimizer adds the constants first
    for run in (session(), tf.compat.v1.Session()):
        print(run.run(y, {x: [1e-7, 1., 2., 6e-8]}).tolist())
"""


@pytest.mark.skipif(not shutil.which("faketime"), reason="no faketime (Debian: faketime)")
def test_a_clock_that_runs_fast_changes_no_bits_and_would_with_the_deadline():
    def bits(*clock):
        return subprocess.check_output(
            clock + (sys.executable, "-c", REASSOCIATED), universal_newlines=True,
            env=dict(os.environ, PYTHONPATH=os.path.join(ROOT, "scripts"))).splitlines()

    ours, stock = bits()
    fast, late = bits("faketime", "-f", "+0dx10000000")
    assert ours == fast == stock
    assert late != stock
