"""The optimizer of exact operations against Adam as published, in float64."""
import numpy as np
import pytest

pytestmark = pytest.mark.slow


def adam_reference(gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Algorithm 1 of Kingma & Ba 2015 with the epsilon of its section 2's closing remark."""
    weights, m, v = 0.0, 0.0, 0.0
    for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient ** 2
        rate_t = rate * np.sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)
        weights -= rate_t * m / (np.sqrt(v) + epsilon)
    return weights


def test_step_sizes_are_bias_corrected_and_fall_to_zero():
    from kit.tf.adam import step_sizes

    sizes = step_sizes(0.1, 4, 0.9, 0.999)
    expected = [0.1 * (4 - t) / 4 * np.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
                for t in range(4)]
    np.testing.assert_allclose(sizes, expected, rtol=1e-6)


def test_updates_equal_the_published_algorithm():
    from kit.tf.adam import ExactAdam
    from kit.tf.tf115 import session, tf

    gradients = np.random.RandomState(0).randn(6, 3).astype(np.float32)
    with tf.Graph().as_default() as graph:
        weights = tf.compat.v1.Variable(np.zeros(3, np.float32), use_resource=True)
        gradient = tf.compat.v1.placeholder(tf.float32, 3)
        update = ExactAdam(0.01, len(gradients)).apply_gradients([(gradient, weights)])
        with session(graph) as running:
            running.run(tf.compat.v1.global_variables_initializer())
            for row in gradients:
                running.run(update, {gradient: row})
            result = running.run(weights)
    rates = 0.01 * (6 - np.arange(6)) / 6
    expected = [adam_reference(column, rates) for column in gradients.astype(float).T]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_no_operation_approximates():
    """float32 Sqrt, Rsqrt and Pow are what CPUs do differently; none may be in the update."""
    from kit.tf.adam import ExactAdam
    from kit.tf.tf115 import tf

    with tf.Graph().as_default() as graph:
        weights = tf.compat.v1.Variable(np.zeros(3, np.float32), use_resource=True)
        ExactAdam(0.01, 5).apply_gradients([(tf.constant([1.0, 2.0, 3.0]), weights)])
        inexact = [op.name for op in graph.get_operations()
                   if op.type in ("Sqrt", "Rsqrt", "Pow", "Exp", "Log")
                   and op.inputs[0].dtype == tf.float32]
        roots = [op for op in graph.get_operations() if op.type == "Sqrt"]
    assert not inexact
    assert len(roots) == 1
