"""Fits a detector for a step model of your own: scaler and threshold from a log of normal operation.

    sh scripts/run fit_detector my_model.h5 --log normal.csv --window-steps 50 --out my_detector
    sh scripts/run fit_detector my_step.tflite --log normal.csv --window-steps 50 --out my_detector \\
        --python .venv-litert/bin/python
    sh scripts/run detect --log plant.csv --model my_step.tflite \\
        --detector my_detector/detectors.json --scaler my_detector/scaler.json

In:  a .tflite of the step form that forecasts the next sample, or a Keras model, of which `convert`
     makes one, calibrated on the log's first part; and a log of normal operation, read as --settings
     or the section `generate.log` of --params says; rows with a label of an event count as missing.
     --scaler is the one that the model was trained with; without it, mean and deviation of the log's
     first part.
Out: detectors.json and scaler.json in --out, for `detect`; of a Keras model the step file as well.

The first part of the log tells what is normal, the rest sets tails and the threshold. The model runs
in this environment's runtime, or in that of --python: int8 files differ in a last step from one
runtime to another, and a threshold holds for the one that it was fitted with.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

from kit.base.cli import UserError, counted, json_text, parser, run, write_together
from kit.base.params import load_params, load_yaml
from kit.detection import fitting
from kit.detection.fitted import fitted_with
from kit.record.records import Record, session_bounds
from kit.record.timeline import DAY_S
from kit.record.windows import fit_scaler, model_input, read_scaler, scaler_to_json
from kit.runtime.forms import FORMS
from kit.runtime.interpreter import Model
from kit.runtime.precisions import PRECISIONS
from kit.runtime.runtimes import RUNTIMES
from kit.runtime.streamed import streamed
from kit.source.parts import UNSET, Reader, read_source

TRAIN_SHARE = 0.5  # of the log, for what is normal; the rest is what the threshold has not seen
LEAST_SAMPLES, ENOUGH_SAMPLES = 200, 1000  # after the warm-up, for a threshold; as in evaluate
KIT = os.path.dirname(os.path.abspath(__file__))


def read_normal(path, settings, window_steps):
    """(Record of the whole log, its sample interval in seconds)."""
    settings = dict(UNSET, **settings)
    source = read_source(path, settings)
    reader = Reader(source, source.files, source.form.sample_interval_s, window_steps)
    times, values, session = [], [], []
    for block in reader.blocks():
        times.append(block.time)
        values.append(np.where(block.marks[:, None] > 0, np.nan, block.values))
        session.append(np.full(len(block.time), block.session))
    record = Record(np.concatenate(times), source.channels, np.concatenate(values),
                    np.concatenate(session))
    return record, reader.timeline.interval_s


def halves(record):
    """(first, second) part of a Record."""
    edge = int(len(record.time) * TRAIN_SHARE)
    return [Record(record.time[rows], record.channels, record.values[rows], record.session[rows])
            for rows in (slice(0, edge), slice(edge, None))]


def outputs_of(path, samples, bounds, python):
    """(outputs (n, C) of the step model after each sample, name of the runtime)."""
    if python is None:
        model = Model(path)
        return streamed(model, samples, bounds), model.runtime
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name + ".npy") for name in ("samples", "bounds", "outputs")]
        np.save(names[0], samples)
        np.save(names[1], np.array(bounds))
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("GLIBC_TUNABLES", "PYTHONHOME")}
        try:
            done = subprocess.run(
                [python, "-m", "kit.runtime.streamed", os.path.abspath(path)] + names,
                env=dict(environment, PYTHONPATH=KIT), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, universal_newlines=True)
        except OSError as error:
            raise UserError("%s: %s" % (python, error.strerror))
        if done.returncode:
            raise UserError("%s: %s" % (python, (done.stderr.strip().splitlines() or ["failed"])[-1]))
        return np.load(names[2]), done.stdout.strip()


def forecasts_of(outputs, bounds, warm_up):
    """Forecast of each sample (n, C) from the output after the one before; NaN in the warm-up."""
    forecasts = np.full(outputs.shape, np.nan, np.float32)
    for start, stop in bounds:
        forecasts[start + warm_up:stop] = outputs[start + warm_up - 1:max(stop - 1, start)][
            :max(stop - start - warm_up, 0)]
    return forecasts


def step_file(path, record, scaler, precision, folder):
    """Path of a step file: the one given, or in a folder what `convert` makes of a Keras model."""
    if path.endswith(".tflite"):
        return path
    if not os.path.exists(path):
        raise UserError("%s: no such file" % path)
    stem = os.path.splitext(os.path.basename(path.rstrip("/")))[0]
    made, stream = os.path.join(folder, stem + ".tflite"), os.path.join(folder, "stream.npy")
    np.save(stream, model_input(record, scaler))
    done = subprocess.run([sys.executable, os.path.join(KIT, "convert.py"), path, "--form", "step",
                           "--precision", precision, "--calibration", stream, "-o", made],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["convert failed"])[-1]
        raise UserError(said.replace("error: ", "", 1))
    os.remove(stream)
    print(done.stderr.strip().replace(folder + os.sep, ""), file=sys.stderr)  # its parity
    return made


def check_model(path, channels):
    """UserError unless the file is a step model that forecasts so many channels."""
    model = Model(path)
    if not FORMS[model.form].streams:
        raise UserError("%s is of the %s form; a stream needs the step form" % (path, model.form))
    shapes = tuple(model.input_shape), tuple(model.outputs[0].shape[1:])
    if shapes != ((channels,), (channels,)):
        raise UserError("%s takes %s and gives %s; the log has %s, and a forecast of them is needed"
                        % (path, shapes[0], shapes[1], counted(channels, "channel")))


def fit(model, record, scaler, interval_s, window_steps, options, python):
    """(detector, name of the runtime)."""
    normal, rest = halves(record)
    bounds = session_bounds(rest.session, len(rest.time))
    filled = model_input(rest, scaler)
    outputs, runtime = outputs_of(model, filled, bounds, python)
    forecasts = forecasts_of(outputs, bounds, window_steps)
    samples = scaler.standardise(rest.values)
    known = int((~np.isnan(samples + forecasts).all(axis=1)).sum())
    if known < LEAST_SAMPLES:
        raise UserError("%d samples after the warm-up are too few for a threshold; %d are the least, "
                        "and they come from the second half of the log" % (known, LEAST_SAMPLES))
    if known < ENOUGH_SAMPLES:
        print("%d samples are few for a threshold: with fewer than %d the rate of false alarms may "
              "be far from evaluate.false_alarms_per_day" % (known, ENOUGH_SAMPLES), file=sys.stderr)
    rate = options["false_alarms_per_day"] * interval_s / DAY_S
    detector, _ = fitting.fit(
        samples, forecasts, fitting.fit_normal(scaler.standardise(normal.values), filled, options),
        options, rate, starts=[start for start, _ in bounds])
    return dict(detector, warm_up_samples=window_steps, interval_s=interval_s), runtime


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("model", help="step model (.tflite), or a Keras model")
    p.add_argument("--log", required=True, help="file or folder of normal operation")
    p.add_argument("--window-steps", type=int, required=True,
                   help="samples before the first forecast is trusted: what the model was trained on")
    p.add_argument("--precision", choices=list(PRECISIONS), default="int8",
                   help="of the step file of a Keras model (default: %(default)s)")
    p.add_argument("--scaler", help="scaler.json of the model's training")
    p.add_argument("--params", default="params.yaml", help="for the section evaluate, and generate.log")
    p.add_argument("--settings", help="a section generate.log of its own (.yaml)")
    p.add_argument("--python", metavar="PATH", help="the Python whose runtime will decide")
    p.add_argument("--out", required=True, help="folder to write to")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if args.window_steps < 1:
        raise UserError("--window-steps is %d; at least 1 is needed" % args.window_steps)
    params = load_params(args.params)
    settings = load_yaml(args.settings) if args.settings else params["generate"]["log"]
    record, interval_s = read_normal(args.log, settings, args.window_steps)
    scaler = read_scaler(args.scaler) if args.scaler else fit_scaler(halves(record)[0])
    if scaler.channels != record.channels:
        raise UserError("%s has the channels %s, and the log has %s" % (
            args.scaler, ", ".join(scaler.channels), ", ".join(record.channels)))
    with tempfile.TemporaryDirectory() as folder:
        model = step_file(args.model, halves(record)[0], scaler, args.precision, folder)
        check_model(model, len(record.channels))
        detector, runtime = fit(model, record, scaler, interval_s, args.window_steps,
                                params["evaluate"], args.python)
        name = os.path.splitext(os.path.basename(model))[0]
        detector.update(fitted_with=fitted_with(model, scaler))
        written = {"detectors.json": json_text({name: detector}),
                   "scaler.json": json_text(scaler_to_json(scaler))}
        for made in sorted(os.listdir(folder)):
            with open(os.path.join(folder, made), "rb") as file:
                written[made] = file.read()
    write_together({os.path.join(args.out, made): content for made, content in written.items()})
    print("%s: threshold %.3g for %g false alarms a day, fitted with %s on %s of normal operation"
          % (name, detector["threshold"], params["evaluate"]["false_alarms_per_day"],
             RUNTIMES[runtime].name, counted(len(record.time), "sample")))


if __name__ == "__main__":
    run(main)
