"""Write corpus/: small sound inputs of every reader.

    PYTHONPATH=scripts:tests .venv/bin/python tests/fuzz/make_corpus.py models/convert
"""
import hashlib
import json
import os
import sys
import zipfile

import numpy as np
import pandas as pd

import keras_files
from kit.detection import fitting
from kit.record.stretches import hold_last
from kit.runtime import flatbuffer
from kit.runtime.golden import golden_stream
from kit.runtime.interpreter import Model
from runtime.sound import sound_model
from toy import OPTIONS, fitted, toy

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(name, content):
    with open(os.path.join(CORPUS, name), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def small(path):
    """A .tflite file with its large constants zeroed, so that git keeps it small."""
    with open(path, "rb") as file:
        model = flatbuffer.read(file.read())
    for buffer in model["buffers"]:
        if len(buffer.get("data", ())) > 64:
            buffer["data"] = np.zeros_like(buffer["data"])
    return flatbuffer.write(model)


def write_log_files():
    """The log as other programs keep it."""
    frame = pd.read_csv(os.path.join(CORPUS, "log.csv"), parse_dates=["time"])
    frame["time"] = frame["time"].dt.tz_localize(None)
    frame.to_parquet(os.path.join(CORPUS, "log.parquet"), index=False)
    frame.to_excel(os.path.join(CORPUS, "log.xlsx"), index=False)
    with zipfile.ZipFile(os.path.join(CORPUS, "log.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        with open(os.path.join(CORPUS, "log.csv")) as file:
            archive.writestr(zipfile.ZipInfo("log.csv"), file.read())


def write_plant(steps):
    """What whole scripts read: a log of seven channels, and all that `detect` needs for it."""
    rng = np.random.Generator(np.random.PCG64(3))
    values = rng.normal(0, 1, (600, 7)).cumsum(axis=0).round(2)
    names = ["c%d" % number for number in range(7)]
    write("plant.csv", "time,%s\n" % ",".join(names) + "".join(
        "2021-03-01T00:%02d:00Z,%s\n" % (row, ",".join(map(str, values[row]))) for row in range(40)))
    mean, std = values.mean(axis=0), values.std(axis=0)
    write("plant_scaler.json", json.dumps({"channels": names, "mean": list(mean), "std": list(std)}))
    samples = (values - mean) / std
    normal = fitting.fit_normal(samples, hold_last(samples), OPTIONS)
    detector, _ = fitting.fit(samples, np.roll(samples, 1, axis=0), normal, OPTIONS, 0.001)
    write("plant_detectors.json", json.dumps({"step_int8": dict(
        detector, warm_up_samples=10, interval_s=60.0)}))
    golden = golden_stream(Model(steps, "tflite_runtime"), "int8", samples[:30])
    write("step_int8.golden.json", json.dumps(golden))


def main(models):
    os.makedirs(CORPUS, exist_ok=True)
    data = flatbuffer.write(sound_model())
    write("sound.tflite", data)
    write("sound.json", json.dumps({"form": "step", "sha256": hashlib.sha256(data).hexdigest()}))
    for name in ("step_int8.tflite", "fused_float32.tflite"):
        write(name, small(os.path.join(models, name)))
    write("detectors.json", json.dumps({"step_int8": dict(
        fitted(*toy(600, 3)), warm_up_samples=10, interval_s=60.0)}))
    write("scaler.json", json.dumps({"channels": ["a", "b"], "mean": [1.5, -20], "std": [0.1, 3]}))
    write("metrics.json", json.dumps({name: {
        "vus_pr": 0.7, "auc_pr": 0.4, "event_recall": 0.8, "false_alarms_per_day": 0.5,
        "median_delay_s": None} for name in ("keras", "step_int8", "floor_all")}))
    write("alarms.csv", "detector,start,end,time,peak_score,verdict\n"
          "keras,569,593,2020-01-30T00:09:00Z,15.9,true\nkeras,1024,1027,2020-01-30T07:44:00Z,4,tail\n")
    write("history.csv", "epoch,mse,mae,validation_mse,validation_mae\n1,0.12,0.23,0.04,0.14\n")
    write("score.csv", "time,detector,score,threshold,label,alarm\n"
          "2020-01-29T14:40:00Z,step_int8,0,3.547,0,0\n2020-01-29T14:41:00Z,step_int8,5,3.547,1,1\n")
    write("roc.csv", "detector,false_positive_rate,recall\nkeras,0,0\nkeras,0.5,1\n")
    write("events.csv", "start,end,kind,channels,severity\n10,14,spike,a,plain\n50,60,drift,a+b,hard\n")
    write("log.csv", "time,a,b\n" + "".join(
        "2021-03-01T00:%02d:00Z,%g,%d\n" % (row, 0.5 * row, -row) for row in range(20)))
    write("german.csv", "Datum;Druck (bar);Strom\n" + "".join(
        "01.03.2021 00:%02d:00;%d,5;%d\n" % (row, row, row) for row in range(20)))
    write_log_files()
    for name, shape in (("stream.npy", (12, 2)), ("windows.npy", (3, 4, 2))):
        np.save(os.path.join(CORPUS, name), np.arange(24, dtype=np.float32).reshape(shape))
    write_plant(os.path.join(CORPUS, "step_int8.tflite"))
    with open(os.path.join(models, "..", "freeze", "step.json")) as file:
        write("step.json", file.read())
    layers = [keras_files.lstm(), keras_files.dense()]
    keras_files.write(os.path.join(CORPUS, "weights.h5"), layers)
    for name, model in (("sequential", {"class_name": "Sequential", "config": {"layers": layers}}),
                        ("functional", keras_files.functional([[["in", 0, 0, {}]]]))):
        write(name + ".json", json.dumps(dict(model, keras_version="2.2.4-tf")))
    write("dvc.lock", "schema: '2.0'\nstages:\n  train:\n    cmd: sh scripts/run train\n    outs:\n"
          "    - path: models/train/scaler.json\n      hash: md5\n"
          "      md5: 47b30f3f13722171e3fa77de7fe5e551\n      size: 66002\n")


if __name__ == "__main__":
    main(sys.argv[1])
