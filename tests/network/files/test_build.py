"""Models as Keras 2 and 3 write them, built in 1.15, against what those compute."""
import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.files.keras_file import read_keras
from keras_files import WEIGHTS, dense, lstm, write
from network.newer_files import FORMATS, WHOLE, opened

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", WHOLE + FORMATS)
def test_model_built_in_1_15_computes_what_its_keras_computed(folder, name):
    from kit.network.files.build import built

    file, x, y = opened(folder, name)
    assert y.std() > 0.01
    assert np.abs(built(file).predict(x) - y).max() < 1e-6


@pytest.mark.parametrize("name, expected", [
    ("relu6", [0, 0, 6]), ("swish", [-0.238406, 0, 7.997318]), ("hard_sigmoid_3", [1 / 6, 0.5, 1]),
    ("hard_swish", [-1 / 3, 0, 8]), ("hard_tanh", [-1, 0, 1]), ("gelu", [-0.045500, 0, 8]),
    ("mish", [-0.252501, 0, 7.999998]), ("leaky_relu", [-0.4, 0, 8])])
def test_activations_that_1_15_has_not(name, expected):
    """At -2, 0 and 8; those of exponentials by numpy in float64."""
    from kit.network.files.build import ACTIVATIONS
    from kit.tf.tf115 import session, tf

    with tf.Graph().as_default(), session() as run:
        found = run.run(ACTIVATIONS[name](tf.constant([-2.0, 0.0, 8.0])))
    assert found == pytest.approx(expected, abs=2e-6)


def test_what_1_15_cannot_build_is_one_sentence(tmp_path):
    from kit.network.files.build import built

    weights = dict(WEIGHTS, dense=[(7, 2), (2,)])
    file = read_keras(write(tmp_path / "m.h5", [lstm(), dense()], weights=weights))
    with pytest.raises(UserError, match="m.h5: TensorFlow 1.15 cannot build this model: .*shape") as error:
        built(file)
    assert "\n" not in str(error.value)


def test_leaves_of_a_built_model_have_the_paths_of_its_description():
    from kit.network.files.build import leaves
    from kit.tf.tf115 import tf

    keras = tf.keras
    inner = keras.Sequential([keras.layers.LSTM(3, input_shape=(4, 2), name="l")], name="inner")
    around = keras.layers.TimeDistributed(
        keras.Sequential([keras.layers.Dense(2, input_shape=(3,), name="d")], name="nested"), name="t")
    model = keras.Sequential([keras.layers.TimeDistributed(inner, input_shape=(5, 4, 2), name="s"), around])
    assert [path for path, _ in leaves(model, "")] == ["s/inner/l", "t/nested/d"]
