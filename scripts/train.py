"""Fits a tf.keras LSTM that forecasts the next sample of a normal record.

    sh scripts/run train --params params.yaml --train data/generate/train.csv \\
        --validation data/generate/validation.csv --model models/train/keras_model.h5 \\
        --scaler models/train/scaler.json --history models/train/history.csv

In:  the train and validation parts. Out: the model, the scaler of its inputs, and the losses of
each epoch. The time axis of the model is undefined: it takes windows of any length.
"""
import os
import sys

import numpy as np

from kit.base.cli import json_text, parser, run, write_together
from kit.base.params import load_params
from kit.record.records import read_record
from kit.record.windows import fit_scaler, model_input, scaler_to_json, windows_and_next

PREDICTED = 4096  # windows at once


def build_model(units, n_channels, seed):
    """LSTM and Dense on (batch, any length, C) -> (batch, C), the forecast of the next sample."""
    from kit.tf.tf115 import tf

    def glorot(offset):
        # Keras' orthogonal default sums in an order that depends on the CPU's cache.
        return tf.keras.initializers.glorot_uniform(seed + offset)

    return tf.keras.Sequential([
        tf.keras.layers.LSTM(
            units, input_shape=(None, n_channels),
            # 1.15's default, hard_sigmoid, has no fused form.
            recurrent_activation="sigmoid",
            # One product for the four gates: half the time of 1.15's default on one thread.
            implementation=2,
            kernel_initializer=glorot(0), recurrent_initializer=glorot(1)),
        tf.keras.layers.Dense(n_channels, kernel_initializer=glorot(2)),
    ])


def fit(model, params, train, validation):
    """Fit on (windows, next samples); returns {metric: [value per epoch]}."""
    from kit.tf.adam import ExactAdam

    batches_per_epoch = -(-len(train[0]) // params["batch_size"])
    n_steps = batches_per_epoch * params["epochs"]
    model.compile(ExactAdam(params["learning_rate"], n_steps), loss="mse", metrics=["mae"])
    history = model.fit(
        *train, validation_data=validation, batch_size=params["batch_size"],
        epochs=params["epochs"], verbose=1 if os.isatty(1) else 2)
    return history.history


def history_csv(history):
    """One row per epoch, losses with 6 significant digits."""
    names = ["loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"]
    columns = [["%.6g" % value for value in history[name]] for name in names]
    rows = ["%d,%s" % (epoch + 1, ",".join(row)) for epoch, row in enumerate(zip(*columns))]
    return "\n".join(["epoch,mse,mae,validation_mse,validation_mae"] + rows) + "\n"


def saved(model):
    """The .h5 of a model without the optimizer, and without the times that HDF5 stamps on datasets.

    Made in memory: HDF5 ends its process where a disk is full.
    """
    import h5py

    stamped = h5py.Group.create_dataset

    def unstamped(group, *args, **kwargs):
        return stamped(group, *args, track_times=False, **kwargs)

    h5py.Group.create_dataset = unstamped
    try:
        with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
            model.save(file, include_optimizer=False, save_format="h5")
            file.flush()
            return file.id.get_file_image()
    finally:
        h5py.Group.create_dataset = stamped


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--params", default="params.yaml", help="every stage's parameters")
    p.add_argument("--train", required=True, help="record to fit on (CSV)")
    p.add_argument("--validation", required=True, help="record to watch the loss on (CSV)")
    p.add_argument("--model", required=True, help="Keras model to write (.h5)")
    p.add_argument("--scaler", required=True, help="mean and std per channel (.json)")
    p.add_argument("--history", required=True, help="losses per epoch (.csv)")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    params = load_params(args.params)["train"]
    record = read_record(args.train)
    scaler = fit_scaler(record)
    stride, n_steps = params["window_stride"], params["window_steps"]
    train = windows_and_next(model_input(record, scaler), n_steps, stride, record.bounds)
    watched = read_record(args.validation)
    validation = windows_and_next(
        model_input(watched, scaler, args.validation), n_steps, stride, watched.bounds)

    start_tensorflow(params["seed"], params["deterministic"])
    model = build_model(params["units"], len(scaler.channels), params["seed"])
    history = fit(model, params, train, validation)
    write_together({args.model: saved(model), args.scaler: json_text(scaler_to_json(scaler)),
                    args.history: history_csv(history)})
    say_error(*errors(model, *windows_and_next(
        model_input(watched, scaler, args.validation), n_steps, bounds=watched.bounds)))


def errors(model, windows, wanted):
    """Mean absolute errors of the forecasts (n, C), and of the last sample in their place.

    Of every window: those that are train.window_stride apart would be every other sample of a
    record that repeats itself every two, and half of what it does.
    """
    forecasts = np.concatenate([model.predict(windows[start:start + PREDICTED])
                                for start in range(0, len(windows), PREDICTED)])
    return np.abs(forecasts - wanted).mean(), np.abs(windows[:, -1] - wanted).mean()


def say_error(error, again):
    """Print the validation error beside that of the last sample again, and warn where it is worse.

    Both are mean absolute errors in standard deviations.
    """
    print("validation error %.4f standard deviations (mean absolute); a forecast of the last "
          "sample again gives %.4f" % (error, again))
    if error > again:
        print("warning: the model forecasts worse than the last sample again; more train.epochs, "
              "another train.learning_rate, or channels left out that nobody can forecast may help",
              file=sys.stderr)


def start_tensorflow(seed, deterministic):
    """Seed every generator; without determinism, take every core and this CPU's fastest kernels."""
    if not deterministic:  # read when TensorFlow starts
        os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "true"
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "0"
    from kit.tf.tf115 import session, tf

    tf.keras.backend.clear_session()  # else names would count the models of the process
    np.random.seed(seed)  # Keras shuffles the windows with it
    tf.compat.v1.set_random_seed(seed)
    tf.keras.backend.set_session(session())


if __name__ == "__main__":
    run(main)
