"""What graphs are made of, against numpy; sequences as lists of steps and back."""
import numpy as np
import pytest

from layer_graphs import random

pytestmark = pytest.mark.slow


@pytest.fixture
def ops():
    from kit.network import ops

    return ops


@pytest.fixture
def run(ops):
    """Runs a function of the tensors of arrays in a graph of its own."""
    from kit.tf.tf115 import session

    def run(build, *values):
        tf = ops.tf
        with tf.Graph().as_default() as graph, session(graph=graph) as running:
            tensors = [tf.compat.v1.placeholder(tf.float32, (None,) + value.shape[1:]) for value in values]
            return running.run(build(*tensors), dict(zip(tensors, values)))
    return run


@pytest.mark.parametrize("activation, formula", [
    ("linear", lambda z: z), ("relu", lambda z: np.maximum(z, 0)), ("tanh", np.tanh),
    ("hard_sigmoid", lambda z: np.clip(0.2 * z + 0.5, 0, 1))])
def test_products(ops, run, activation, formula):
    x, kernel, bias = 3 * random(5, 3), random(3, 2, seed=1), random(2, seed=2)
    found = run(lambda value: ops.linear(kernel, bias, activation, "one")(value), x)
    np.testing.assert_allclose(found, formula(x @ kernel + bias), atol=1e-5)


def test_a_hard_sigmoid_has_no_minimum_and_no_maximum(ops):
    with ops.tf.Graph().as_default() as graph:
        x = ops.tf.compat.v1.placeholder(ops.tf.float32, (None, 3))
        ops.linear(np.eye(3), np.zeros(3), "hard_sigmoid", "one")(x)
    assert not {node.op for node in graph.as_graph_def().node} & {"Minimum", "Maximum"}


@pytest.mark.parametrize("item", [(3,), (2, 4)])
@pytest.mark.parametrize("length", [1, 5])
def test_a_sequence_as_a_list_of_steps_and_back(ops, run, item, length):
    x = random(2, length, *item)
    shape = (length,) + item
    for step, found in enumerate(run(lambda value: ops.steps(value, shape), x)):
        np.testing.assert_array_equal(found, x[:, step])
    np.testing.assert_array_equal(run(lambda value: ops.joined(ops.steps(value, shape), shape), x), x)


def test_what_is_a_list_or_a_tensor_already_stays(ops):
    assert ops.steps(["a", "b"], (2, 3)) == ["a", "b"] and ops.joined("tensor", (2, 3)) == "tensor"


def test_each_step_is_built_in_its_scope_and_noted(ops):
    tf = ops.tf
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 3, 2))
        with tf.name_scope("odd/"):
            found = ops.each_step(x, (3, 2), lambda one: tf.negative(one, name="turned"))
    assert [tensor.op.name for tensor in found] == ["odd/t%04d/turned" % t for t in range(3)]
    assert graph.get_collection("steps") == [{"scopes": ["odd/t%04d/" % t for t in range(3)]}]


def test_one_step_alone_is_the_function(ops):
    assert ops.each_step(2, (3,), lambda one: one + 1) == 3


@pytest.mark.parametrize("start, count, stride", [(0, 8, 1), (2, 3, 1), (1, 3, 2), (0, 3, 3)])
def test_a_part_of_the_steps(ops, run, start, count, stride):
    x = random(2, 8, 3)
    found = run(lambda value: ops.part(value, start, count, stride), x)
    np.testing.assert_array_equal(found, x[:, start::stride][:, :count])


def test_along_the_last_axis_of_any_rank(ops, run):
    kernel = random(3, 2)
    for shape in ((3,), (4, 3), (4, 5, 3)):
        x = random(2, *shape)
        found = run(lambda value, shape=shape: ops.over_last_axis(
            lambda rows: ops.tf.matmul(rows, kernel), value, shape, shape[:-1] + (2,)), x)
        np.testing.assert_allclose(found, x @ kernel, atol=1e-5)


def test_an_activation_may_be_a_layer(ops, run):
    from layer_graphs import read

    x = random(4, 3)
    leaky = read("LeakyReLU", alpha=0.5)
    np.testing.assert_allclose(run(lambda value: ops.activate(value, leaky, "a"), x),
                               np.where(x > 0, x, 0.5 * x), rtol=1e-6)


@pytest.mark.parametrize("turn_x, turn_y", [(False, False), (True, False), (False, True), (True, True)])
def test_products_of_two_sequences(ops, run, turn_x, turn_y):
    x, y = random(2, 3, 4), random(2, 4, 5, seed=1)
    given = (x.swapaxes(1, 2) if turn_x else x, y.swapaxes(1, 2) if turn_y else y)
    found = run(lambda a, b: ops.batch_product(a, b, turn_x, turn_y), *map(np.ascontiguousarray, given))
    np.testing.assert_allclose(found, x @ y, atol=1e-5)


def test_a_row_is_as_wide_as_what_it_goes_with(ops, run):
    assert run(lambda value: ops.row(value, 7), random(2, 4, 3)).tolist() == [7, 7, 7]
