"""Convolutions, pooling and borders by loops in numpy; what has a step form carries its samples."""
import itertools

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.network.handlers import HANDLERS
from kit.network.layers.convolution import length
from layer_graphs import check, no_step, random, read, shape_of, step, window


def conv(kernel, bias=None, padding="valid", **config):
    arrays = [kernel] if bias is None else [kernel, bias]
    return read("Conv%dD" % (kernel.ndim - 2), arrays, kernel_size=list(kernel.shape[:-2]),
                filters=kernel.shape[-1], activation="linear", padding=padding,
                **config)


def padded(x, kernel, stride, gap, padding):
    """x (n, T, C) with the zeros that Keras puts around."""
    reach = (kernel - 1) * gap
    missing = max((-(-x.shape[1] // stride) - 1) * stride + reach + 1 - x.shape[1], 0)
    left, right = {"valid": (0, 0), "causal": (reach, 0),
                   "same": (missing // 2, missing - missing // 2)}[padding]
    return np.pad(x, [(0, 0), (left, right), (0, 0)])


def by_hand(x, kernel, stride=1, gap=1, padding="valid"):
    x = padded(x, len(kernel), stride, gap, padding)
    starts = range(0, x.shape[1] - (len(kernel) - 1) * gap, stride)
    return np.stack([sum(x[:, start + k * gap] @ kernel[k] for k in range(len(kernel)))
                     for start in starts], 1)


@pytest.mark.slow
@pytest.mark.parametrize("size, stride, gap, padding", [
    (1, 1, 1, "valid"), (3, 1, 1, "valid"), (3, 2, 1, "valid"), (2, 1, 3, "valid"), (3, 1, 1, "same"),
    (3, 2, 1, "same"), (4, 3, 1, "same"), (3, 1, 2, "causal"), (3, 2, 1, "causal")])
def test_convolutions_along_the_steps(size, stride, gap, padding):
    x, kernel, bias = random(2, 8, 3), random(size, 3, 4, seed=1), random(4, seed=2)
    layer = conv(kernel, bias, padding, strides=[stride], dilation_rate=gap)
    found = window(layer, x)
    np.testing.assert_allclose(found, by_hand(x, kernel, stride, gap, padding) + bias, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size, gap", [(1, 1), (3, 1), (2, 3)])
def test_the_step_form_carries_the_samples_that_it_needs(size, gap):
    """From the zero state: as if zeros came before, which is what causal means."""
    x, kernel = random(9, 3), random(size, 3, 4, seed=1)
    layer = conv(kernel, padding="causal", dilation_rate=gap)
    expected = by_hand(x[None], kernel, 1, gap, "causal")[0]
    np.testing.assert_allclose(step([layer, read("LastStep")], x), expected, atol=1e-5)
    states = HANDLERS["Conv1D"].states(layer, (3,))
    assert states == ([("samples", (3 * (size - 1) * gap,))] if size > 1 else [])


@pytest.mark.slow
def test_two_kernels_one_after_the_other_are_one():
    x, depth, point = random(2, 8, 3), random(3, 3, 2, seed=1), random(1, 6, 4, seed=2)
    layer = read("SeparableConv1D", [depth, point], kernel_size=[3], filters=4, activation="linear",
                 padding="valid")
    parts = np.stack([sum(x[:, t + k, :, None] * depth[k] for k in range(3)) for t in range(6)], 1)
    np.testing.assert_allclose(window(layer, x), parts.reshape(2, 6, 6) @ point[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size, stride, padding", [(2, 2, "valid"), (3, 1, "valid"), (3, 2, "same")])
def test_pooling_along_the_steps(size, stride, padding):
    x, config = random(2, 8, 3), dict(pool_size=size, strides=stride, padding=padding)
    edges = padded(np.ones_like(x), size, stride, 1, padding)
    for kind, function in (("MaxPooling1D", lambda part, there: np.where(there, part, -9).max(1)),
                           ("AveragePooling1D", lambda part, there: part.sum(1) / there.sum(1))):
        around = padded(x, size, stride, 1, padding)
        expected = [function(around[:, t:t + size], edges[:, t:t + size] == 1)
                    for t in range(0, around.shape[1] - size + 1, stride)]
        np.testing.assert_allclose(window(read(kind, **config), x), np.stack(expected, 1), atol=1e-6)


@pytest.mark.slow
def test_over_all_steps_or_all_rows_and_columns():
    for x, axes, ending in ((random(2, 8, 3), 1, "1D"), (random(2, 4, 5, 3), (1, 2), "2D")):
        mean, largest = (window(read("Global%sPooling%s" % (kind, ending)), x)
                         for kind in ("Average", "Max"))
        np.testing.assert_allclose(mean, x.mean(axes), atol=1e-6)
        np.testing.assert_array_equal(largest, x.max(axes))


@pytest.mark.slow
def test_steps_repeated_put_around_and_cut_off():
    x = random(2, 5, 3)
    image = x[..., None]
    for layer, given, expected in (
            (read("UpSampling1D", size=2), x, np.repeat(x, 2, 1)),
            (read("ZeroPadding1D", padding=[1, 2]), x, np.pad(x, [(0, 0), (1, 2), (0, 0)])),
            (read("ZeroPadding1D", padding=1), x, np.pad(x, [(0, 0), (1, 1), (0, 0)])),
            (read("Cropping1D", cropping=[2, 1]), x, x[:, 2:-1]),
            (read("ZeroPadding2D", padding=[[0, 2], [1, 0]]), image,
             np.pad(image, [(0, 0), (0, 2), (1, 0), (0, 0)])),
            (read("Cropping2D", cropping=1), image, image[:, 1:-1, 1:-1])):
        np.testing.assert_array_equal(window(layer, given), expected)


def flat_2d(x, kernel, stride=(1, 1)):
    """A valid convolution of (n, rows, columns, C), tap by tap."""
    rows, columns = (1 + (x.shape[k + 1] - kernel.shape[k]) // stride[k] for k in (0, 1))
    return sum(x[:, i:i + (rows - 1) * stride[0] + 1:stride[0],
                 j:j + (columns - 1) * stride[1] + 1:stride[1]] @ kernel[i, j]
               for i, j in itertools.product(*map(range, kernel.shape[:2])))


@pytest.mark.slow
def test_convolutions_of_rows_and_columns():
    x, kernel, bias = random(2, 5, 6, 3), random(2, 3, 3, 4, seed=1), random(4, seed=2)
    np.testing.assert_allclose(window(conv(kernel, bias), x), flat_2d(x, kernel) + bias, atol=1e-5)
    layer = conv(kernel, padding="same", strides=[1, 1])
    around = np.pad(x, [(0, 0), (0, 1), (1, 1), (0, 0)])
    np.testing.assert_allclose(window(layer, x), flat_2d(around, kernel), atol=1e-5)
    layer = conv(kernel, strides=[2, 3])
    np.testing.assert_allclose(window(layer, x), flat_2d(x, kernel, (2, 3)), atol=1e-5)


@pytest.mark.slow
def test_convolutions_channel_by_channel():
    x, depth, point = random(2, 5, 6, 3), random(2, 3, 3, 2, seed=1), random(1, 1, 6, 4, seed=2)
    apart = np.stack([flat_2d(x[..., c:c + 1], depth[:, :, c:c + 1]) for c in range(3)], -2)
    config = dict(kernel_size=[2, 3], activation="linear", padding="valid")
    found = window(read("DepthwiseConv2D", [depth], depth_multiplier=2, **config), x)
    apart = apart.reshape(found.shape)
    np.testing.assert_allclose(found, apart, atol=1e-5)
    found = window(read("SeparableConv2D", [depth, point], filters=4, **config), x)
    np.testing.assert_allclose(found, apart @ point[0, 0], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("sequences", [False, True])
def test_an_lstm_whose_products_are_convolutions(sequences):
    x, bias = random(2, 3, 4, 5, 2), random(12, seed=3)
    kernel, recurrent = 0.3 * random(1, 1, 2, 12, seed=1), 0.3 * random(1, 1, 3, 12, seed=2)
    layer = read("ConvLSTM2D", [kernel, recurrent, bias], filters=3, kernel_size=[1, 1],
                 padding="valid", activation="tanh", recurrent_activation="sigmoid",
                 return_sequences=sequences)
    h = c = np.zeros((2, 4, 5, 3))
    found = []
    for t in range(3):
        i, f, g, o = np.split(x[:, t] @ kernel[0, 0] + h @ recurrent[0, 0] + bias, 4, -1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        found.append(h)
    expected = np.stack(found, 1) if sequences else h
    np.testing.assert_allclose(window(layer, x), expected, atol=1e-5)


@pytest.mark.parametrize("size, kernel, stride, gap, padding, expected", [
    (8, 3, 1, 1, "valid", 6), (8, 3, 2, 1, "valid", 3), (8, 3, 1, 2, "valid", 4), (8, 3, 1, 1, "same", 8),
    (8, 3, 3, 1, "same", 3), (7, 3, 1, 4, "causal", 7), (None, 3, 1, 1, "same", None),
    (None, 3, 1, 1, "valid", None)])
def test_how_many_outputs_there_are(size, kernel, stride, gap, padding, expected):
    assert length(size, kernel, stride, gap, padding) == expected


K = random(3, 3, 4)
POOL = read("MaxPooling1D", pool_size=2, padding="valid")


@pytest.mark.parametrize("layer, shape, expected", [
    (conv(K), (8, 3), (6, 4)), (conv(K, padding="same"), (None, 3), (None, 4)), (POOL, (8, 3), (4, 3)),
    (read("GlobalMaxPooling2D"), (4, 5, 3), (3,)), (read("UpSampling1D", size=3), (None, 3), (None, 3)),
    (read("Cropping2D", cropping=[[1, 1], [2, 0]]), (4, 5, 3), (2, 3, 3))])
def test_shapes(layer, shape, expected):
    assert shape_of(layer, shape) == expected
    check(layer, shape)


@pytest.mark.parametrize("layer, shape, said", [
    (conv(K), (8,), "gets .8,. per item; it takes .steps, channels."),
    (conv(K), (8, 2), "do not have the shapes"), (POOL, (8,), "it takes .steps, channels."),
    (read("GlobalMaxPooling2D"), (8, 3), "it takes .rows, columns, channels."),
    (read("Cropping2D", cropping=1), (8, 3), "it takes .rows, columns, channels.")])
def test_what_they_cannot_take_is_named(layer, shape, said):
    with pytest.raises(UserError, match="layer 'odd' .*" + said):
        check(layer, shape)


@pytest.mark.parametrize("kind", ["Conv1D", "MaxPooling1D", "GlobalAveragePooling2D", "Conv2D",
                                  "ConvLSTM2D", "ZeroPadding2D"])
def test_channels_first_are_refused(kind):
    with pytest.raises(UserError, match="layer 'odd' has its channels first; .*'channels_last'"):
        read(kind, data_format="channels_first")


def test_which_convolutions_have_a_step_form():
    assert no_step(conv(K, padding="causal")) is None and no_step(conv(K)) is None
    assert "padding='same', which looks ahead" in no_step(conv(K, padding="same"))
    assert no_step(conv(K[:1], padding="same")) is None
    assert no_step(conv(K, strides=2)) is None
    assert no_step(conv(K, strides=2), timed=False) is None
    assert no_step(POOL) is None
    same = read("MaxPooling1D", pool_size=2, strides=2, padding="same")
    assert "is MaxPooling1D over the steps" in no_step(same)


@pytest.mark.parametrize("layer, pace", [
    (conv(K), (0, 1)), (conv(K, strides=2, padding="causal"), (0, 2)),
    (conv(K, strides=3), (len(K) - 1, 3)),
    (read("AveragePooling1D", pool_size=4, strides=3, padding="valid"), (3, 3))])
def test_a_state_counts_the_calls_to_the_next_output(layer, pace):
    kind = HANDLERS[layer.class_name]
    assert kind.pace(layer) == pace
    if pace == (0, 1):
        return
    (first, every), (matrix, start) = pace, kind.onward(layer)
    count, found = np.zeros(first + every), []
    for _ in range(20):
        count = count @ matrix + start
        assert sorted(count) == [0] * (first + every - 1) + [1]
        found.append(count[first])
    assert np.flatnonzero(found).tolist() == list(range(first, 20, every))


@pytest.mark.slow
def test_strides_in_a_stream_give_what_they_give_along_the_steps():
    """Two of them one after the other, the second of which waits for the outputs of the first."""
    x = random(1, 40, 3)
    first = conv(random(3, 3, 2, seed=1), strides=2)
    pool = read("MaxPooling1D", pool_size=2, strides=3, padding="valid")
    lstm = read("LSTM", [random(2, 8, seed=2), random(2, 8, seed=3), random(8, seed=4)], units=2,
                activation="tanh", recurrent_activation="sigmoid", return_sequences=True)
    whole, found = window([first, pool, lstm], x)[0], step([first, pool, lstm], x[0])
    starts = 2 + 2 * 1, 2 * 3  # the first has its first output at call 2, the second after one more
    assert (found[:starts[0]] == 0).all()
    wanted = np.repeat(whole, starts[1], 0)[:len(found) - starts[0]]
    assert found[starts[0]:][:len(wanted)] == pytest.approx(wanted, abs=1e-6)
