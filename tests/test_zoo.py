"""Small models of every supported kind, built, saved, converted to each form, and compared.

One TensorFlow process; small units and lengths. Each case says which forms cannot hold it.
"""
import numpy as np
import pytest

import convert
from kit.base.cli import UserError
from kit.network.description import read_network
from kit.network.files.keras_file import read_keras
from kit.record.samples import Samples, read_inputs
from kit.runtime.forms import FORMS

C, T = 3, 5
pytestmark = pytest.mark.slow


def layers():
    from kit.tf.tf115 import tf

    return tf.keras.layers


def sequential(*built, steps=T, channels=C):
    """A Sequential whose first layer takes (steps, channels)."""
    from kit.tf.tf115 import tf

    model = tf.keras.Sequential()
    model.add(tf.keras.layers.InputLayer((steps, channels)))
    for layer in built:
        model.add(layer)
    return model


def functional(*built, steps=T, channels=C):
    from kit.tf.tf115 import tf

    value = source = tf.keras.layers.Input((steps, channels))
    for layer in built:
        value = layer(value)
    return tf.keras.Model(source, value)


def v2(name):
    """A layer as tf.compat.v2 has it (its GRU resets after the product)."""
    from kit.tf.tf115 import tf

    return getattr(tf.compat.v2.keras.layers, name)


def lstm(units=5, **options):
    return layers().LSTM(units, **dict({"recurrent_activation": "sigmoid"}, **options))


def gru(units=5, **options):
    return layers().GRU(units, **dict({"recurrent_activation": "sigmoid"}, **options))


def rnn(units=5, **options):
    return layers().SimpleRNN(units, **options)


def dense(units=2, *args, **options):
    return layers().Dense(units, *args, **options)


ALL, NO_STEP, NO_FUSED, WINDOW = "all", "no step", "no fused", "window only"
SEQ = dict(return_sequences=True)

# name -> (which forms, how to build)
ZOO = {
    "lstm_dense": (ALL, lambda: sequential(lstm(), dense())),
    "lstm_open_time": (ALL, lambda: sequential(lstm(), dense(), steps=None)),
    "lstm_alone": (ALL, lambda: sequential(lstm())),
    "lstm_alone_sequences": (ALL, lambda: sequential(lstm(**SEQ))),
    "lstm_hard_sigmoid": (NO_FUSED, lambda: sequential(
        lstm(recurrent_activation="hard_sigmoid"), dense())),
    "lstm_keras_default": (NO_FUSED, lambda: sequential(layers().LSTM(6), dense())),
    "lstm_relu": (ALL, lambda: sequential(lstm(activation="relu"), dense())),
    "lstm_linear": (ALL, lambda: sequential(lstm(activation="linear"), dense())),
    "lstm_softsign": (NO_FUSED, lambda: sequential(lstm(activation="softsign"), dense())),
    "lstm_no_bias": (ALL, lambda: sequential(lstm(use_bias=False), dense(use_bias=False))),
    "lstm_one_unit": (ALL, lambda: sequential(lstm(1), dense(1))),
    "lstm_one_channel": (ALL, lambda: sequential(lstm(4), dense(1), channels=1)),
    "lstm_one_step": (ALL, lambda: sequential(lstm(4), dense(), steps=1)),
    "lstm_wide": (ALL, lambda: sequential(lstm(40), dense(3), channels=12)),
    "lstm_backwards": (NO_STEP, lambda: sequential(lstm(go_backwards=True), dense())),
    "lstm_backwards_sequences": (NO_STEP, lambda: sequential(
        lstm(go_backwards=True, **SEQ), lstm(), dense())),
    "lstm_dropout": (ALL, lambda: sequential(
        lstm(dropout=0.3, recurrent_dropout=0.2), layers().Dropout(0.5), dense())),
    "lstm_implementation_2": (ALL, lambda: sequential(lstm(implementation=2), dense())),
    "lstm_v2": (ALL, lambda: sequential(v2("LSTM")(5), dense())),
    "lstm_stateful": (ALL, lambda: stateful()),
    "lstm_time_major": (ALL, lambda: sequential(lstm(time_major=True), dense())),
    "lstm_unrolled": (ALL, lambda: sequential(lstm(unroll=True), dense())),
    "stack_2": (ALL, lambda: sequential(lstm(4, **SEQ), lstm(5), dense())),
    "stack_2_same": (ALL, lambda: sequential(lstm(4, **SEQ), lstm(4), dense())),
    "stack_3": (ALL, lambda: sequential(lstm(4, **SEQ), lstm(3, **SEQ), lstm(5), dense())),
    "stack_4": (ALL, lambda: sequential(
        *([lstm(4, **SEQ) for _ in range(3)] + [lstm(4), dense()]))),
    "stack_open_time": (ALL, lambda: sequential(
        lstm(4, **SEQ), layers().Dropout(0.2), lstm(5), dense(), steps=None)),
    "stack_mixed": (NO_FUSED, lambda: sequential(
        lstm(4, **SEQ), gru(3, **SEQ), rnn(5), dense())),
    "sequence_dense": (ALL, lambda: sequential(lstm(**SEQ), dense())),
    "sequence_time_distributed": (ALL, lambda: sequential(
        lstm(**SEQ), layers().TimeDistributed(dense(2, "tanh")))),
    "sequence_open_time": (ALL, lambda: sequential(lstm(**SEQ), dense(), steps=None)),
    "dense_before": (ALL, lambda: sequential(dense(4, "relu"), lstm(), dense())),
    "flatten_sequences": (NO_STEP, lambda: sequential(lstm(**SEQ), layers().Flatten(), dense())),
    "autoencoder": (NO_STEP, lambda: sequential(
        lstm(4), layers().RepeatVector(T), lstm(4, **SEQ), layers().TimeDistributed(dense(C)))),
    "autoencoder_deep": (NO_STEP, lambda: sequential(
        lstm(6, **SEQ), lstm(3), layers().RepeatVector(T), lstm(3, **SEQ), lstm(6, **SEQ),
        layers().TimeDistributed(dense(C)))),
    "autoencoder_relu": (NO_STEP, lambda: sequential(
        lstm(4, activation="relu"), layers().RepeatVector(T), lstm(4, activation="relu", **SEQ),
        layers().TimeDistributed(dense(C)))),
    "classifier_softmax": (ALL, lambda: sequential(lstm(), dense(4, "softmax"))),
    "classifier_sigmoid": (ALL, lambda: sequential(
        lstm(), dense(8, "relu"), layers().Dropout(0.3), dense(1, "sigmoid"))),
    "activations": (ALL, lambda: sequential(
        lstm(), dense(6, "elu"), dense(6, "selu"), dense(6, "softplus"), dense(6, "softsign"),
        dense(6, "hard_sigmoid"), dense(6, "exponential"), dense(3, "tanh"))),
    "activation_layers": (ALL, lambda: sequential(
        lstm(), dense(6), layers().LeakyReLU(0.1), dense(6), layers().ReLU(), dense(6),
        layers().ELU(), dense(6), layers().Activation("tanh"), dense(4), layers().Softmax())),
    "batch_norm": (ALL, lambda: sequential(
        lstm(), layers().BatchNormalization(), dense(4, "relu"), layers().BatchNormalization(),
        dense())),
    "batch_norm_between": (ALL, lambda: sequential(
        layers().BatchNormalization(), lstm(4, **SEQ), layers().BatchNormalization(scale=False),
        lstm(), dense())),
    "batch_norm_time_distributed": (ALL, lambda: sequential(
        lstm(4, **SEQ), layers().TimeDistributed(layers().BatchNormalization()), lstm(), dense())),
    "reshape_end": (ALL, lambda: sequential(lstm(), dense(6), layers().Reshape((2, 3)))),
    "reshape_open": (ALL, lambda: sequential(
        lstm(), dense(6), layers().Reshape((-1, 2)), layers().Flatten())),
    "gru": (NO_FUSED, lambda: sequential(gru(), dense())),
    "gru_keras_default": (NO_FUSED, lambda: sequential(layers().GRU(5), dense())),
    "gru_reset_after": (NO_FUSED, lambda: sequential(gru(reset_after=True), dense())),
    "gru_v2": (NO_FUSED, lambda: sequential(v2("GRU")(5), dense(), steps=None)),
    "gru_no_bias": (NO_FUSED, lambda: sequential(gru(use_bias=False), dense())),
    "gru_reset_after_no_bias": (NO_FUSED, lambda: sequential(
        gru(use_bias=False, reset_after=True), dense())),
    "gru_stack": (NO_FUSED, lambda: sequential(gru(4, **SEQ), gru(6), dense())),
    "gru_backwards": (WINDOW, lambda: sequential(gru(go_backwards=True), dense())),
    "gru_relu": (NO_FUSED, lambda: sequential(gru(activation="relu"), dense())),
    "rnn": (NO_FUSED, lambda: sequential(rnn(), dense())),
    "rnn_alone": (NO_FUSED, lambda: sequential(rnn(**SEQ))),
    "rnn_relu": (NO_FUSED, lambda: sequential(rnn(activation="relu"), dense())),
    "rnn_sigmoid_stack": (NO_FUSED, lambda: sequential(
        rnn(4, activation="sigmoid", **SEQ), rnn(4, use_bias=False), dense())),
    "bidirectional": (NO_STEP, lambda: sequential(layers().Bidirectional(lstm()), dense())),
    "bidirectional_sequences": (NO_STEP, lambda: sequential(
        layers().Bidirectional(lstm(4, **SEQ)), lstm(), dense())),
    "bidirectional_twice": (NO_STEP, lambda: sequential(
        layers().Bidirectional(lstm(4, **SEQ)), layers().Bidirectional(lstm(3)), dense())),
    "bidirectional_sum": (NO_STEP, lambda: sequential(
        layers().Bidirectional(lstm(), merge_mode="sum"), dense())),
    "bidirectional_mul_sequences": (NO_STEP, lambda: sequential(
        layers().Bidirectional(lstm(**SEQ), merge_mode="mul"))),
    "bidirectional_ave_gru": (WINDOW, lambda: sequential(
        layers().Bidirectional(gru(), merge_mode="ave"), dense())),
    "bidirectional_rnn": (WINDOW, lambda: sequential(
        layers().Bidirectional(rnn(**SEQ)), layers().Flatten(), dense())),
    "bidirectional_autoencoder": (NO_STEP, lambda: sequential(
        layers().Bidirectional(lstm(3)), layers().RepeatVector(T),
        layers().Bidirectional(lstm(3, **SEQ)), layers().TimeDistributed(dense(C)))),
    "hard_sigmoid_states": (NO_FUSED, lambda: sequential(
        lstm(4, activation="hard_sigmoid", **SEQ), rnn(4, activation="hard_sigmoid"), dense())),
    "hard_sigmoid_layer_last": (NO_FUSED, lambda: sequential(
        gru(4), layers().Activation("hard_sigmoid"))),
    "nested_autoencoder": (NO_STEP, lambda: functional(
        functional(lstm(4, name="lstm"), layers().RepeatVector(T)),
        functional(lstm(3, name="lstm", **SEQ), layers().TimeDistributed(dense(C)), channels=4))),
    "nested_twice": (ALL, lambda: sequential(partly_frozen(), lstm(), dense())),
    "functional": (ALL, lambda: functional(lstm(4, **SEQ), layers().Dropout(0.1), lstm(), dense())),
    "functional_open_time": (ALL, lambda: functional(lstm(), dense(), steps=None)),
    "functional_autoencoder": (NO_STEP, lambda: functional(
        lstm(4), layers().RepeatVector(T), lstm(4, **SEQ), layers().TimeDistributed(dense(C)))),
    "rnn_of_cell": (ALL, lambda: sequential(
        layers().RNN(layers().LSTMCell(4, recurrent_activation="sigmoid")), dense())),
}



def graph(build, *shapes, dtype=None):
    """A functional model: `build` makes outputs of inputs of these shapes."""
    from kit.tf.tf115 import tf

    inputs = [tf.keras.layers.Input(shape, dtype=dtype, name="in_%d" % k)
              for k, shape in enumerate(shapes)]
    return tf.keras.Model(inputs, build(*inputs))


def masked_attention(kind, x):
    """Query and value with masks of their own."""
    first, second = (layer("Masking", value)(x) for value in (0.0, -1.0))
    query = lstm(4, **SEQ)(first)
    found = layer(kind)([query, gru(4, **SEQ)(second)])
    return gru(3)(layer("Concatenate")([found, query]))


def layer(name, *args, **options):
    return getattr(layers(), name)(*args, **options)


def pair_of_lstms(x):
    both = [lstm(4, **SEQ)(x), dense(4)(x)]
    return dense()(lstm(3)(layer("Add")(both)))


def shared_lstm(a, b):
    shared = lstm(4)
    return dense()(layer("Concatenate")([shared(a), shared(b)]))


def encoder_decoder(a, b):
    _, h, c = lstm(4, return_state=True)(a)
    return dense()(lstm(4, **SEQ)(b, initial_state=[h, c]))


def states_in_and_out(x, h, c):
    y, h, c = lstm(4, return_state=True, **SEQ)(x, initial_state=[h, c])
    return [dense()(y), h, c]


def shared_nested(a, b):
    inner = functional(lstm(4), dense(3))
    return layer("Maximum")([inner(a), inner(b)])


def weighted_sequence(x):
    """Attention as it was written before Keras had a layer for it."""
    y = lstm(4, **SEQ)(x)
    weights = layer("Permute", (2, 1))(dense(T, "softmax")(layer("Permute", (2, 1))(y)))
    return dense()(layer("Flatten")(layer("Multiply")([y, weights])))


def tabular_beside(x, y):
    return dense()(layer("Concatenate")([lstm(4)(x), dense(3, "relu")(y)]))


SEVERAL = {
    "skip": (ALL, lambda: graph(pair_of_lstms, (T, C))),
    "tabular_beside": (ALL, lambda: graph(tabular_beside, (T, C), (6,))),
    "operators": (ALL, lambda: graph(lambda x: dense()((lstm(4, **SEQ)(
        1 - x * 2.0) + dense(4)(x))[:, -1, :]), (T, C))),
    "two_outputs": (ALL, lambda: graph(lambda x: [dense(3)(x), lstm(4)(x)], (T, C))),
    "shared_lstm": (ALL, lambda: graph(shared_lstm, (T, C), (T, C))),
    "shared_nested": (ALL, lambda: graph(shared_nested, (T, C), (T, C))),
    "encoder_decoder": (WINDOW, lambda: graph(encoder_decoder, (T, C), (3, 2))),
    "states_in_and_out": (NO_FUSED, lambda: graph(states_in_and_out, (1, C), (4,), (4,))),
    "return_state": (NO_FUSED, lambda: graph(
        lambda x: lstm(4, return_state=True)(x)[1:], (T, C))),
    "merges": (ALL, lambda: graph(lambda x: lstm(4)(layer("Average")([
        layer("Subtract")([dense(3)(x), x]), layer("Multiply")([dense(3)(x), x]),
        layer("Minimum")([dense(3)(x), x])])), (T, C))),
    "concatenate_steps": (NO_STEP, lambda: graph(
        lambda x: lstm(4)(layer("Concatenate", axis=1)([dense(3)(x), x])), (T, C))),
    "dot": (NO_STEP, lambda: graph(lambda x: dense()(layer("Dot", 1)(
        [lstm(4, **SEQ)(x), dense(3)(x)])), (T, C))),
    "dot_vectors": (NO_FUSED, lambda: graph(lambda x: layer("Dot", 1, normalize=True)(
        [gru(4)(x), gru(4)(x)]), (T, C))),
    "weighted_sequence": (NO_STEP, lambda: graph(weighted_sequence, (T, C))),
    "attention": (NO_STEP, lambda: graph(lambda x: layer("GlobalAveragePooling1D")(
        layer("Attention", use_scale=True)([lstm(4, **SEQ)(x), dense(4)(x)])), (T, C))),
    "attention_causal": (NO_STEP, lambda: graph(lambda x: layer("Attention", causal=True)(
        [lstm(4, **SEQ)(x), dense(4)(x)]), (T, C))),
    "attention_additive": (NO_STEP, lambda: graph(lambda x: layer("AdditiveAttention")(
        [lstm(4, **SEQ)(x), dense(4)(x)]), (T, C))),
    "attention_masked": (WINDOW, lambda: graph(lambda x: masked_attention("Attention", x), (T, C))),
    "attention_additive_masked": (WINDOW, lambda: graph(lambda x: masked_attention(
        "AdditiveAttention", x), (T, C))),
    "permute_crop_pad": (NO_STEP, lambda: sequential(
        layer("ZeroPadding1D", (1, 2)), lstm(4, **SEQ), layer("Cropping1D", (2, 1)),
        layer("Permute", (2, 1)), lstm(3))),
}
LAYERS = {
    "conv_causal": (ALL, lambda: sequential(
        layer("Conv1D", 6, 3, padding="causal", activation="relu"), lstm(), dense())),
    "conv_dilated": (ALL, lambda: sequential(
        layer("Conv1D", 4, 2, padding="causal", dilation_rate=2), lstm(), dense())),
    "conv_valid": (ALL, lambda: sequential(layer("Conv1D", 4, 3), lstm(), dense(), steps=9)),
    "conv_pointwise": (ALL, lambda: sequential(layer("Conv1D", 4, 1), lstm(), dense())),
    "conv_pool": (NO_STEP, lambda: sequential(
        layer("Conv1D", 6, 3, padding="same", activation="relu"), layer("MaxPooling1D", 2),
        layer("Conv1D", 4, 3, strides=2), layer("AveragePooling1D", 2, padding="same"), lstm(),
        dense(), steps=12)),
    "pooling_twice": (ALL, lambda: sequential(
        lstm(3, **SEQ), layer("AveragePooling1D", 2), layer("MaxPooling1D", 2), dense(), steps=12)),
    "conv_strided": (ALL, lambda: sequential(
        layer("Conv1D", 4, 3, strides=2, padding="causal", activation="relu"), lstm(4, **SEQ),
        lstm(), dense(), steps=12)),
    "conv_strided_valid": (ALL, lambda: sequential(
        layer("Conv1D", 4, 3, padding="causal"), layer("MaxPooling1D", 2), lstm(4, **SEQ),
        layer("Conv1D", 3, 3, strides=2), layer("AveragePooling1D", 2, strides=1), lstm(), dense(),
        steps=24)),
    "conv_of_one": (ALL, lambda: sequential(
        lstm(4, **SEQ), layer("Conv1D", 3, 1, padding="same"), dense())),
    "bidirectional_conv_of_one": (NO_STEP, lambda: sequential(
        layer("Conv1D", 4, 1, activation="relu"), layer("Bidirectional", lstm(3)), dense())),
    "conv_separable": (ALL, lambda: sequential(
        layer("SeparableConv1D", 5, 3, padding="valid", depth_multiplier=2), lstm(), dense())),
    "conv_after": (NO_STEP, lambda: sequential(
        lstm(4, **SEQ), layer("Conv1D", 3, 3, activation="hard_sigmoid"), layer("UpSampling1D", 2),
        layer("GlobalMaxPooling1D"), dense())),
    "global_average": (NO_STEP, lambda: sequential(
        lstm(4, **SEQ), layer("GlobalAveragePooling1D"), dense())),
    "crnn": (NO_STEP, lambda: image(
        layer("Conv2D", 4, 3, padding="same", activation="relu"), layer("MaxPooling2D", 2),
        layer("Reshape", (4, 12)), lstm(), dense())),
    "time_distributed_conv": (ALL, lambda: image(
        layer("TimeDistributed", layer("Conv1D", 3, 2)), layer("TimeDistributed", layer("Flatten")),
        lstm(), dense())),
    "time_distributed_model": (ALL, lambda: frames()),
    "depthwise": (NO_STEP, lambda: image(
        layer("DepthwiseConv2D", 3, depth_multiplier=2, activation="relu"),
        layer("AveragePooling2D", (2, 1)), layer("SeparableConv2D", 3, 2),
        layer("GlobalAveragePooling2D"), layer("RepeatVector", 3), lstm())),
    "conv_lstm": (NO_FUSED, lambda: video(
        layer("ConvLSTM2D", 3, 3, padding="same", return_sequences=True),
        layer("ConvLSTM2D", 2, 2), layer("BatchNormalization"), layer("Flatten"), dense())),
    "embedding": (ALL, lambda: words(layer("Embedding", 20, 4), lstm(), dense())),
    "embedding_open": (NO_FUSED, lambda: words(
        layer("Embedding", 20, 4), gru(), dense(), steps=None)),
    "embedding_masked": (NO_FUSED, lambda: words(
        layer("Embedding", 5, 4, mask_zero=True), lstm(4, **SEQ), lstm(), dense())),
    "masking": (NO_FUSED, lambda: sequential(
        layer("Masking"), lstm(4, **SEQ), layer("Dropout", .1), gru(3), dense())),
    "masking_other_value": (NO_FUSED, lambda: sequential(
        layer("Masking", -1.0), dense(4), lstm(4, **SEQ), dense())),
    "masking_average": (WINDOW, lambda: sequential(
        layer("Masking"), lstm(4, **SEQ), layer("GlobalAveragePooling1D"), dense(), steps=12)),
    "masking_max": (WINDOW, lambda: sequential(
        layer("Masking"), layer("Bidirectional", lstm(4, **SEQ)), layer("GlobalMaxPooling1D"), dense())),
    "embedding_tags": (NO_STEP, lambda: words(
        layer("Embedding", 20, 4, embeddings_initializer="glorot_uniform"),
        layer("Bidirectional", lstm(3, **SEQ)), dense())),
    "embedding_masked_tags": (NO_FUSED, lambda: words(
        layer("Embedding", 5, 4, mask_zero=True), lstm(4, **SEQ), dense())),
    "embedding_masked_max": (WINDOW, lambda: words(
        layer("Embedding", 5, 4, mask_zero=True), layer("Bidirectional", lstm(3, **SEQ)),
        layer("GlobalMaxPooling1D"), dense())),
    "masking_convolution": (ALL, lambda: sequential(
        layer("Masking", -1.0), layer("Conv1D", 3, 2), lstm(4), dense(), steps=12)),
    "masking_bidirectional": (WINDOW, lambda: sequential(
        layer("Masking"), layer("Bidirectional", lstm(4, **SEQ)), layer("Bidirectional", gru(3)))),
    "embedding_bidirectional": (NO_STEP, lambda: words(
        layer("Embedding", 20, 4), layer("Bidirectional", lstm(3)), dense())),
    "embedding_masked_bidirectional": (WINDOW, lambda: words(
        layer("Embedding", 5, 4, mask_zero=True), layer("Bidirectional", lstm(3)), dense())),
    "masking_backwards": (WINDOW, lambda: sequential(
        layer("Masking"), dense(4), lstm(3, go_backwards=True), dense())),
    "masking_zero_output": (NO_FUSED, lambda: sequential(
        layer("Masking"), lstm(4, zero_output_for_mask=True, **SEQ), dense())),
    "masking_one_bidirectional": (WINDOW, lambda: sequential(
        layer("Masking"), layer("Bidirectional", lstm(4, **SEQ)), dense())),
    "layer_norm": (ALL, lambda: sequential(
        layer("LayerNormalization"), lstm(4, **SEQ), layer("LayerNormalization", scale=False),
        lstm(), layer("LayerNormalization"), dense())),
    "more_activations": (ALL, lambda: sequential(
        lstm(), dense(6), layer("PReLU"), dense(6), layer("ThresholdedReLU", 0.1), dense(6),
        layer("ReLU", 0.5, negative_slope=.1, threshold=.05), dense(6), layer("ELU", 0.3),
        dense(3))),
    "named_activations": (ALL, lambda: sequential(
        lstm(), *[dense(6, name) for name in NAMED], dense(2))),
    "prelu_shared": (ALL, lambda: sequential(lstm(4, **SEQ), layer("PReLU", shared_axes=[1]),
                                             lstm(3))),
    "prelu_steps": (NO_STEP, lambda: sequential(lstm(4, **SEQ), layer("PReLU"), lstm(3))),
    "stacked_cells": (ALL, lambda: sequential(layer("RNN", [
        layer("LSTMCell", 4, recurrent_activation="sigmoid"),
        layer("LSTMCell", 3, recurrent_activation="sigmoid")]), dense())),
    "backward_layer": (NO_STEP, lambda: sequential(layer("Bidirectional", lstm(
        4, **SEQ), backward_layer=lstm(3, activation="relu", go_backwards=True, **SEQ)), dense())),
    "bidirectional_both": (WINDOW, lambda: graph(lambda x: layer("Bidirectional", gru(
        3, return_state=True), merge_mode=None)(x), (T, C))),
    "reshape_first": (ALL, lambda: vector(layer("Reshape", (6, 1)), lstm(), dense())),
    "reshape_image": (ALL, lambda: image(layer("Reshape", (8, 6)), lstm(), dense())),
}
ZOO.update(SEVERAL)
ZOO.update(LAYERS)
NAMED = ("swish", "gelu", "mish", "hard_swish", "hard_tanh", "leaky_relu", "hard_sigmoid_3")


def image(*built):
    return first_of((8, 6, 1), *built)


def video(*built):
    return first_of((3, 6, 5, 2), *built)


def vector(*built):
    return first_of((6,), *built)


def words(*built, steps=T):
    return first_of((steps,), *built)


def first_of(shape, *built):
    from kit.tf.tf115 import tf

    model = tf.keras.Sequential([tf.keras.layers.InputLayer(shape)])
    for item in built:
        model.add(item)
    return model


def frames():
    inner = first_of((6, 1), layer("Conv1D", 3, 2), layer("BatchNormalization"),
                     layer("GlobalMaxPooling1D"), dense(4, "relu"))
    return image(layer("TimeDistributed", inner), lstm(), dense())


# of these int8 is tried too
INT8 = ["lstm_dense", "lstm_alone", "lstm_hard_sigmoid", "lstm_no_bias", "stack_2", "stack_4",
        "stack_mixed", "sequence_time_distributed", "autoencoder", "classifier_softmax",
        "batch_norm_between", "gru", "gru_reset_after", "rnn_alone", "rnn_relu", "bidirectional",
        "bidirectional_sequences", "bidirectional_ave_gru", "lstm_relu", "dense_before",
        "lstm_backwards_sequences", "hard_sigmoid_states", "nested_twice", "skip", "tabular_beside",
        "two_outputs", "states_in_and_out", "conv_causal", "conv_dilated", "conv_pool", "crnn",
        "global_average", "depthwise", "time_distributed_model",
        "stacked_cells", "backward_layer", "reshape_first", "conv_after", "conv_lstm",
        "embedding_masked", "embedding_tags", "embedding_masked_tags", "masking", "masking_other_value",
        "masking_average",
        "masking_max", "masking_bidirectional", "masking_one_bidirectional", "embedding_masked_bidirectional",
        "layer_norm",
        "pooling_twice", "conv_strided", "conv_strided_valid", "attention", "attention_causal",
        "attention_masked",
        "weighted_sequence", "dot_vectors", "merges", "activation_layers", "named_activations",
        "lstm_softsign"]


def stateful():
    from kit.tf.tf115 import tf

    return tf.keras.Sequential([
        lstm(stateful=True, batch_input_shape=(1, T, C)), dense()])


def partly_frozen():
    """A model in a model; of its arrays the trainable ones come first, then all others."""
    inner = sequential(layers().BatchNormalization(), lstm(4, **SEQ))
    inner.layers[1].trainable = False
    return sequential(inner, dense(4, "relu"), layers().BatchNormalization())


def forms(which):
    return {ALL: ("window", "step", "fused"), NO_STEP: ("window", "fused"),
            NO_FUSED: ("window", "step"), WINDOW: ("window",)}[which]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """name -> path of the .h5, with weights that are not the initial zeros and ones."""
    folder, known = tmp_path_factory.mktemp("zoo"), {}

    def save(name):
        if name not in known:
            from kit.tf.tf115 import session, tf

            tf.keras.backend.clear_session()
            tf.keras.backend.set_session(session())
            tf.compat.v1.set_random_seed(1)
            from kit.network.files.build import ACTIVATIONS

            with tf.keras.utils.custom_object_scope(ACTIVATIONS):
                model = ZOO[name][1]()
            rng = np.random.Generator(np.random.PCG64(len(name)))
            model.set_weights([
                w + np.abs(rng.normal(0, 0.1, w.shape)).astype(np.float32) if w.ndim == 1
                else w.astype(np.float32) for w in model.get_weights()])
            known[name] = str(folder / (name + ".h5"))
            model.save(known[name])
        return known[name]
    return save


def job(path, known):
    """Random walks that come back to zero, as data; the reference is computed once per model."""
    if path not in known:
        from kit.network.parity import Reference

        file = read_keras(path)
        network = read_network(file)
        samples = read_inputs(None, None, network.inputs, network.steps or T)
        samples = walks(network) if isinstance(samples, Samples) else samples
        known[path] = convert.Job(path, network, T if network.open else None, samples,
                                  Reference(file, samples), 2.0)
    return known[path]


def walks(network):
    rng = np.random.Generator(np.random.PCG64(3))
    walk = rng.standard_normal((1, 400, network.inputs[0].shape[-1]), np.float32)
    for t in range(1, walk.shape[1]):
        walk[:, t] += np.float32(0.8) * walk[:, t - 1]
    for layer in network.layers:
        if layer.class_name == "Masking":
            walk[:, rng.random(400) < 0.3] = layer.options["value"]
    return Samples(walk, network.steps or T, False)


@pytest.fixture(scope="module")
def known_jobs():
    return {}


CASES = [(name, form, "float32") for name in ZOO for form in forms(ZOO[name][0])]
NO_KERNEL = {("lstm_relu", "fused", "int8"): "another activation than tanh",
             ("backward_layer", "fused", "int8"): "another activation than tanh",
             ("lstm_dense", "fused", "int16x8"): "use the loop form"}
CASES += [(name, form, precision) for name in INT8 for form in forms(ZOO[name][0])
          for precision in ("int8", "int16x8") if (form, precision) != ("fused", "int16x8")
          and (name, form, precision) not in NO_KERNEL]
CASES += [(name, form, "dynamic") for name in ("lstm_wide", "stack_2", "gru")
          for form in forms(ZOO[name][0])]
# Those that are loops; the pieces of several stand in the first lines.
LOOPS = ["lstm_backwards", "lstm_backwards_sequences", "flatten_sequences", "autoencoder",
         "autoencoder_deep", "bidirectional", "bidirectional_sequences", "bidirectional_twice",
         "bidirectional_sum", "bidirectional_mul_sequences", "bidirectional_ave_gru",
         "bidirectional_rnn", "bidirectional_autoencoder", "nested_autoencoder",
         "functional_autoencoder", "gru_backwards",
         "lstm_dense", "lstm_open_time", "lstm_alone", "lstm_alone_sequences", "lstm_hard_sigmoid",
         "lstm_one_step", "stack_2", "stack_mixed", "sequence_time_distributed", "dense_before",
         "classifier_softmax", "batch_norm_between", "reshape_end", "gru", "gru_reset_after",
         "rnn_alone", "nested_twice", "lstm_time_major", "conv_lstm", "conv_causal", "embedding",
        "embedding_masked", "masking", "masking_other_value", "time_distributed_conv",
        "reshape_first", "backward_layer", "bidirectional_conv_of_one",
        "embedding_bidirectional", "embedding_masked_bidirectional", "masking_backwards",
        "masking_one_bidirectional", "masking_zero_output",
        # graphs
        "masking_max", "embedding_masked_max", "embedding_tags", "embedding_masked_tags",
        "attention", "attention_causal", "weighted_sequence", "concatenate_steps", "crnn", "conv_pool",
        "conv_valid", "conv_after", "global_average"]
CASES += [(name, "loop", "float32") for name in LOOPS]
CASES += [(name, "loop", "int8") for name in LOOPS if name in INT8]
CASES += [(name, form, "float16") for name in ("lstm_dense", "masking") for form in ("loop", "step")]
REFUSED = [(name, form) for name in ZOO for form in ("step", "fused")
           if form not in forms(ZOO[name][0])]


@pytest.mark.slow
@pytest.mark.parametrize("name, form, precision", sorted(NO_KERNEL))
def test_what_no_integer_kernel_holds_is_named(saved, known_jobs, name, form, precision):
    words = NO_KERNEL[name, form, precision]
    with pytest.raises(UserError, match="no %s (fused )?form: .*%s" % (precision, words)):
        convert.convert(job(saved(name), known_jobs), form, precision)


@pytest.mark.parametrize("name,form,precision", CASES)
def test_converted_model_computes_what_keras_computes(saved, known_jobs, name, form, precision):
    """convert() raises when the difference is outside its bound: 1e-5 for float."""
    case = job(saved(name), known_jobs)
    if precision == "int16x8":
        case = case._replace(bound_factor=1.0)  # its own is narrow enough
    data, facts = convert.convert(case, form, precision)
    assert facts["parity"]["count"] >= 100
    assert facts["parity"]["output_std"] > 1e-3  # a constant output would prove nothing
    data = [item["name"] for item in facts["inputs"] if item["role"] == "data"]
    only = FORMS[form].first_input
    assert data == [only] if len(data) == 1 else data == ["in_%d" % k for k in range(len(data))]


@pytest.mark.parametrize("name,form", REFUSED)
def test_form_that_cannot_be_says_which_would_work(saved, known_jobs, name, form):
    both = form == "fused" and "step" in forms(ZOO[name][0])
    way = "use the window or the step form" if both else "use the window form"
    with pytest.raises(UserError, match="no %s form: layer '.*%s" % (form, way)) as error:
        convert.convert(job(saved(name), known_jobs), form, "float32")
    assert "\n" not in str(error.value)
