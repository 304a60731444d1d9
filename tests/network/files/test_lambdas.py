"""What stands for a Lambda layer is what the person says; its code is never run."""
import pytest

from kit.base.cli import UserError
from kit.network.files.lambdas import arithmetic, replacements
from keras_files import C, entry, layer


@pytest.mark.parametrize("text, expected", [
    ("x", (1, 0)), ("x / 255", (1 / 255, 0)), ("2 * x - 1", (2, -1)), ("-(x + 1) * 3", (-3, -3)),
    ("0.5", (0, 0.5)), ("1 - x", (-1, 1))])
def test_arithmetic_of_a_lambda(text, expected):
    assert arithmetic(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["x * x", "1 / x", "f(x)", "x[0]", "x[:, 0]", "x +", "x / 0",
                                  "__import__('os')"])
def test_lambda_that_is_no_line_is_refused_and_never_run(text):
    with pytest.raises(UserError, match="an activation's name, a number, "):
        arithmetic(text)


@pytest.mark.parametrize("text", ["x[:, -1, :]", "x[:,-1]", "x[:, -1, ...]"])
def test_lambda_that_takes_the_last_step(text):
    assert entry(layer("Lambda"), lambdas={"odd": text})["class_name"] == "LastStep"


def test_lambda_is_what_the_person_says():
    assert entry(layer("Lambda"), lambdas=replacements(["odd=tanh"])) == {
        "class_name": "Activation", "config": {"name": "odd", "activation": "tanh",
                                               "dtype": "float32"}}
    config = entry(layer("Lambda", batch_input_shape=[None, 5, C]), lambdas={"odd": "0.5"})["config"]
    assert (config["scale"], config["offset"], config["batch_input_shape"]) == (
        0.5, 0, [None, 5, C])
    with pytest.raises(UserError, match="give NAME=WHAT"):
        replacements(["odd"])
