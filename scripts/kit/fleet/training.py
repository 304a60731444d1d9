"""A model for each group of sensors, by the pipeline itself, in a clone per group."""
import os
import shutil
import subprocess
import sys

from kit.base.cli import UserError, read_json
from kit.base.params import load_yaml
from kit.fleet.tables import read_rows
from kit.rebuild.clones import ROOT, change_params, clone_head, repro

MODEL = "step_int8"
KEPT = (MODEL + ".tflite", MODEL + ".json")
FILES = (MODEL + ".tflite", "detectors.json", "scaler.json")  # in the folder of a group


def read_groups(path):
    """{group: [sensors]} of a table with the columns sensor and group."""
    found = {}
    for row in read_rows(path, ("sensor", "group")):
        found.setdefault(row["group"], []).append(row["sensor"])
    return dict(sorted(found.items()))


def train(group, logs, base, out, changes):
    """Train, convert and evaluate on the logs {sensor: files} of a group; its metrics.

    changes : {section: {key: value}} of params.yaml
    What `fleet score` needs is in the folder `out`: its threshold is fitted in this environment's
    runtime, which will decide. UserError with the last lines of what failed.
    """
    clone = os.path.join(base, group)
    clone_head(clone)
    source = os.path.join(clone, "record")
    os.makedirs(source)
    for sensor, files in logs.items():
        for number, path in enumerate(files):
            ending = os.path.basename(path).partition(".")[2]
            shutil.copy(path, os.path.join(source, "%s-%04d.%s" % (sensor, number, ending)))
    params = load_yaml(os.path.join(clone, "params.yaml"))
    log = dict(params["generate"]["log"], sessions="files", **changes.get("log", {}))
    change_params(clone, dict({name: values for name, values in changes.items() if name != "log"},
                              generate={"source": "record", "log": log}))
    repro(clone, clone + ".log", dict(os.environ), stages=["evaluate"], task=group)
    os.makedirs(out, exist_ok=True)
    window = load_yaml(os.path.join(clone, "params.yaml"))["train"]["window_steps"]
    model = os.path.join("models", "convert", MODEL + ".tflite")
    done = subprocess.run(
        ["sh", "scripts/run", "fit_detector", model, "--log", "record", "--window-steps", str(window),
         "--scaler", os.path.join("models", "train", "scaler.json"), "--python", sys.executable,
         "--out", os.path.abspath(out)],
        cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise UserError((done.stdout.strip().splitlines() or ["fit_detector failed"])[-1])
    for name in KEPT:
        shutil.copy(os.path.join(clone, "models", "convert", name), out)
    metrics = read_json(os.path.join(clone, "reports", "evaluate", "metrics.json"))[MODEL]
    return {key: value for key, value in metrics.items() if isinstance(value, (int, float))}


def environments_are_here():
    """UserError where the stages' environments, which train, have not been built."""
    for name in (".venv", ".venv-dvc"):
        if not os.path.exists(os.path.join(ROOT, name)):
            raise UserError("no %s: the stages train; `make setup` builds it" % name)
