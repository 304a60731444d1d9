"""Every reader of foreign bytes: a corpus, and what must hold of any input that it takes.

A target returns what it read or raises UserError; anything else is a finding.
"""
import os

import numpy as np

from conftest import ROOT
import convert
import intact
import results
from kit.base.params import load_params
from kit.detection.fitted import read_detector
from kit.detection.stream import StreamDetector
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
}


