"""Every reader of foreign bytes: a corpus, and what must hold of any input that it takes.

A target returns what it read or raises UserError; anything else is a finding.
"""
import contextlib
import functools
import os
import shutil

import numpy as np

from conftest import ROOT
import check_golden
import convert
import detect
import examine
import intact
import look
import results
from kit.base.params import load_params
from kit.detection.fitted import read_detector
from kit.detection.stream import StreamDetector
from kit.firmware import source
from kit.firmware.graph import read_step
from kit.network.description import read_network
from kit.network.files import keras_file
from kit.page.inputs import OBJECTS, read_object, read_table
from kit.record.logs import open_log, text_log
from kit.record.records import read_events
from kit.record.samples import read_samples
from kit.record.timeline import Timeline, equally_spaced
from kit.record.windows import Scaler, read_scaler
from kit.runtime import verifier

HERE = os.path.dirname(__file__)
CORPUS = os.path.join(HERE, "corpus")
SAMPLES = np.linspace(-3, 3, 60).reshape(20, 3).astype(np.float32)


def corpus(*names):
    found = []
    for name in names:
        with open(os.path.join(CORPUS, name), "rb") as file:
            found.append(file.read())
    return found


def tflite(data, folder):
    return verifier.checked(data)


def described(data, folder):
    """The .tflite beside the .json that is damaged."""
    put(folder, "a.tflite", corpus("sound.tflite")[0])
    return verifier.model_file(os.path.splitext(put(folder, "a.json", data))[0] + ".tflite")


def detectors(data, folder):
    """What is accepted gives a score to every sample, and has a threshold that can be reached."""
    detector = read_detector(put(folder, "detectors.json", data), "step_int8", 3)
    scaler = Scaler(["a", "b", "c"], np.zeros(3), np.ones(3))
    with np.errstate(all="ignore"):
        found = StreamDetector(Backwards, scaler, detector).update(SAMPLES)
    assert not np.isnan(found).any() and np.isfinite(detector["threshold"])


class Backwards:
    """A step model that forecasts the record from its end on."""

    @staticmethod
    def stream(samples):
        return samples[::-1]

    @staticmethod
    def reset():
        pass


def scaler(data, folder):
    found = read_scaler(put(folder, "scaler.json", data))
    values = found.standardise(np.zeros((3, len(found.channels))))
    assert np.isfinite(values).all()


def metrics(data, folder):
    return results.table(read_object(put(folder, "metrics.json", data), OBJECTS["metrics.json"]), {})


def table(name):
    return lambda data, folder: read_table(put(folder, name, data))


def events(data, folder):
    return read_events(put(folder, "events.csv", data))


def log(data, folder):
    return rows_of(text_log("log.csv", iter([data[:200], data[200:]])))


def log_file(ending):
    return lambda data, folder: rows_of(open_log(put(folder, "log." + ending, data)))


def rows_of(found):
    rows = 0
    for block in equally_spaced(found.blocks(found.channels()), Timeline()):
        rows += len(block.values)
        assert rows < 10 ** 7
    return rows


def params(data, folder):
    return load_params(put(folder, "params.yaml", data))


def windows(data, folder):
    found = read_samples(put(folder, "w.npy", data), None, 2, 2)
    assert np.isfinite(found.windows(5)).all()


def signature(data, folder):
    put(folder, "step.json", data)
    return convert.signature_of(os.path.join(folder, "step.pb"))


def architecture(data, folder):
    """A model's layers, beside weights that are sound and read once: HDF5 is a process of its own."""
    path, holder = put(folder, "model.json", data), os.path.join(CORPUS, "weights.h5")
    model = keras_file._model(keras_file._stored(path), path, weights(holder), holder, {})
    return read_network(keras_file.KerasFile(path, *model, (path, holder)))


weights = functools.lru_cache()(keras_file._stored)


def c_source(data, folder):
    """The C of a step file; what it says of the file is damaged where the verifier saw nothing."""
    verifier.checked(data)
    step = read_step(data, "a.tflite")
    scaler, detector = (os.path.join(CORPUS, "plant_%s.json" % name)
                        for name in ("scaler", "detectors"))
    return source.sources(step, read_scaler(scaler), read_detector(detector, "step_int8", 7),
                          {"title": "A", "sources": []}, "a", "tflite")


def script(main, damaged, *words):
    """A whole script on files of the corpus, one of them damaged; a word with a dot is a file."""
    def target(data, folder):
        names = [word for word in words if "." in word]
        for name in names:
            shutil.copy(os.path.join(CORPUS, name), folder)
        put(folder, damaged, data)
        with open(os.devnull, "w", errors="surrogateescape") as nothing, \
                contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
            main([os.path.join(folder, word) if word in names else word for word in words])
    return target, corpus(damaged)


DETECT = ("--log", "plant.csv", "--model", "step_int8.tflite", "--scaler", "plant_scaler.json",
          "--detector", "plant_detectors.json")


def lock(data, folder):
    return intact.locked(put(folder, "dvc.lock", data))


def put(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def smoke():
    with open(os.path.join(ROOT, "tests", "smoke.yaml"), "rb") as file:
        return [file.read()]


TARGETS = {
    "tflite": (tflite, corpus("sound.tflite", "step_int8.tflite", "fused_float32.tflite")),
    "described": (described, corpus("sound.json")),
    "detectors": (detectors, corpus("detectors.json")),
    "scaler": (scaler, corpus("scaler.json")),
    "metrics": (metrics, corpus("metrics.json")),
    "alarms": (table("alarms.csv"), corpus("alarms.csv")),
    "history": (table("history.csv"), corpus("history.csv")),
    "score": (table("score.csv"), corpus("score.csv")),
    "roc": (table("roc.csv"), corpus("roc.csv")),
    "events": (events, corpus("events.csv")),
    "log": (log, corpus("log.csv", "german.csv", "events.csv")),
    "parquet": (log_file("parquet"), corpus("log.parquet")),
    "zip": (log_file("zip"), corpus("log.zip")),
    "xlsx": (log_file("xlsx"), corpus("log.xlsx")),
    "params": (params, smoke()),
    "windows": (windows, corpus("stream.npy", "windows.npy")),
    "signature": (signature, corpus("step.json")),
    "lock": (lock, corpus("dvc.lock")),
    "architecture": (architecture, corpus("sequential.json", "functional.json")),
    "c_source": (c_source, corpus("step_int8.tflite")),
    "script_examine": script(examine.main, "step_int8.tflite", "step_int8.tflite"),
    "script_results": script(results.main, "metrics.json", "metrics.json", "--lock", "no_lock"),
    "script_look": script(look.main, "plant.csv", "plant.csv"),
    "script_check_golden": script(
        check_golden.main, "step_int8.golden.json", "step_int8.tflite", "--golden",
        "step_int8.golden.json", "--runtime", "tflite_runtime"),
    "script_detect_log": script(detect.main, "plant.csv", *DETECT),
    "script_detect_detector": script(detect.main, "plant_detectors.json", *DETECT),
    "script_detect_scaler": script(detect.main, "plant_scaler.json", *DETECT),
    "script_detect_model": script(detect.main, "step_int8.tflite", *DETECT),
}


