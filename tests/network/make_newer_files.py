"""Make tests/network/newer_files.zip: small models as newer Kerases write them, and what those compute.

    for keras in 2 3; do .venv-peers/bin/python tests/network/make_newer_files.py $keras FOLDER; done
    (cd FOLDER && zip -qr -X - .) > tests/network/newer_files.zip

2 is tf_keras, which writes what TensorFlow 2.3 to 2.15 wrote; 3 is Keras 3. Beside the files stands
FOLDER/<keras>.npz: the inputs of each model as <model>.x and its outputs as <model>.y.
"""
import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import numpy as np  # noqa: E402

if sys.argv[1] == "3":
    import keras
else:
    import tf_keras as keras

L, T, C = keras.layers, 6, 3
SEQ = {"return_sequences": True}
EVERYWHERE = ("functional", "nested")  # in every format; the others as a whole model


def sequential(*layers, shape=(T, C)):
    return keras.Sequential([keras.Input(shape)] + list(layers))


def functional(connect, shape=(T, C)):
    source = keras.Input(shape, name="sensors")
    return keras.Model(source, connect(source))


class Odd(keras.constraints.Constraint):
    """Does nothing, under a name that no other program knows."""

    def __call__(self, w):
        return w


def odd_loss(true, predicted):
    return abs(true - predicted)


def deep(x):
    h = L.LSTM(4, dropout=0.2, name="first", **SEQ)(x)
    h = L.BatchNormalization(name="norm")(L.Dropout(0.3)(h))
    h = L.GRU(3, recurrent_dropout=0.1, name="second")(h)
    return L.Dense(2, kernel_constraint=Odd(), kernel_regularizer="l2", name="out")(h)


def nested():
    inner = sequential(L.BatchNormalization(), L.LSTM(4, **SEQ))
    inner.layers[-1].trainable = False
    return sequential(inner, L.Bidirectional(L.GRU(3)), L.RepeatVector(T), L.LSTM(4, **SEQ),
                      L.TimeDistributed(L.Dense(C)))


def arithmetic(x):
    h = L.LSTM(3, **SEQ)(2.0 * x - 0.5)
    return L.LSTM(2)(h + x / 4.0)


def last_step(x):
    return L.Dense(2)(L.Dropout(0.1)(L.LSTM(4, **SEQ)(x))[:, -1, :])


def masked(x):
    h = L.Masking(-1.0)(x)
    h = L.Add()([L.Dense(4)(h), L.LSTM(4, **SEQ)(h)])
    h = L.Bidirectional(L.GRU(3, **SEQ))(h)
    return L.concatenate([L.LSTM(3)(h), L.GlobalMaxPooling1D()(h)])


def normalised():
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(1).normal(3, 2, (50, T, C)))
    return sequential(layer, L.Rescaling(0.5, offset=0.1), L.LSTM(4))


MODELS = {
    "functional": lambda: functional(deep),
    "nested": nested,
    "lstm": lambda: sequential(L.LSTM(4, **SEQ), L.LSTM(3), L.Dense(2)),
    "gru": lambda: sequential(L.GRU(4), L.Dense(2, activation="relu")),
    "gru_before": lambda: sequential(L.GRU(4, reset_after=False), L.Dense(2)),
    "rnn": lambda: sequential(L.SimpleRNN(4, **SEQ), L.TimeDistributed(L.Dense(2)), L.LeakyReLU()),
    "bidirectional": lambda: sequential(L.Bidirectional(L.LSTM(3, **SEQ), merge_mode="sum"),
                                        L.LSTM(3)),
    "hard_sigmoid": lambda: sequential(L.LSTM(4, recurrent_activation="hard_sigmoid"),
                                       L.Dense(3, activation="hard_sigmoid")),
    "cells": lambda: sequential(L.RNN(L.GRUCell(3)), L.Dense(2)),
    "activations": lambda: sequential(
        L.LSTM(4), L.Dense(4, activation="swish"), L.Dense(4, activation="gelu"),
        L.Dense(4, activation="elu"), L.Activation("relu")),
    "stacked_cells": lambda: sequential(L.RNN([L.LSTMCell(3), L.GRUCell(4)]), L.Dense(2)),
    "convolution": lambda: sequential(L.Conv1D(4, 2, padding="causal"), L.LayerNormalization(),
                                      L.LSTM(3)),
    "embedding": lambda: keras.Sequential([keras.Input((T,)), L.Embedding(20, 4), L.LSTM(3)]),
    "arithmetic": lambda: functional(arithmetic),
    "normalised": normalised,
    "last_step": lambda: functional(last_step),
    "masked": lambda: functional(masked),
}


def main(which, folder):
    os.makedirs(folder, exist_ok=True)
    rng, computed = np.random.default_rng(0), {}
    for name, make in MODELS.items():
        keras.backend.clear_session()
        model = make()
        if name != "normalised":
            model.set_weights([np.abs(w + rng.normal(0, 0.2, w.shape)) if "variance" in v.name
                               else w + rng.normal(0, 0.2, w.shape)
                               for w, v in zip(model.get_weights(), model.weights)])
        model.compile("adam", odd_loss)
        x = rng.normal(0, 1, (5, T, C)) if name != "embedding" else rng.integers(0, 20, (5, T))
        if name == "masked":
            x[:3, 4:] = x[1, 0] = -1
        computed[name + ".x"] = x.astype(np.float32)
        computed[name + ".y"] = np.asarray(model(computed[name + ".x"]))
        save(model, os.path.join(folder, "%s_%s" % (which, name)), which, name in EVERYWHERE)
    np.savez(os.path.join(folder, which + ".npz"), **computed)


def save(model, path, which, everywhere):
    model.save(path + (".keras" if which == "3" or everywhere else ".h5"))
    if not everywhere:
        return
    model.save(path + ".h5")
    model.save_weights(path + ".weights.h5")
    with open(path + ".json", "w") as file:
        file.write(model.to_json())
    json.loads(model.to_json())
    if which == "2":
        model.save_weights(path + "_flat.h5", save_format="h5")
        model.save_weights(path + "_checkpoint", save_format="tf")
        model.save(path + "_saved_model", save_format="tf")
        # half a megabyte of traced functions, which are not read
        os.remove(os.path.join(path + "_saved_model", "saved_model.pb"))


if __name__ == "__main__":
    main(*sys.argv[1:])
