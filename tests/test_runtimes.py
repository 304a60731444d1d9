"""The table of four runtimes: its bounds, its words, and that it shows a file that computes wrong.

The slow tests need the environments of `make runtimes`; they are skipped where one is missing.
"""
import json
import os
import shutil

import numpy as np
import pytest

from conftest import ROOT
import runtimes
from kit.base.cli import UserError
from kit.bench.worker import Refused
from kit.runtime.files import form_and_precision, tflite_files
from kit.runtime.runtimes import RUNTIMES
from kit.runtime import flatbuffer

MODELS = os.path.join(ROOT, "models", "convert")
MISSING = [runtime.venv for runtime in RUNTIMES.values()
           if not os.path.exists(os.path.join(ROOT, runtime.venv, "bin", "python"))]
needs_all = pytest.mark.skipif(bool(MISSING) or not tflite_files(MODELS), reason=(
    "no %s: run `make runtimes`" % ", ".join(MISSING) if MISSING else "no models/convert"))


def file(precision="float32", count=None, form="window", name=None):
    return runtimes.File(name or "%s_%s.tflite" % (form, precision), form, precision, (1, 50, 7),
                         count)


REFERENCE = np.tile(np.array([[1.0, -1.0]], np.float32), (50, 1))  # standard deviation 1


@pytest.mark.parametrize("precision, shift, status", [
    ("float32", 9e-6, "ok"), ("float32", 2e-5, "wrong"),
    ("dynamic", 9e-3, "ok"), ("dynamic", 2e-2, "wrong"),
    ("int8", 0.9e-1, "ok"), ("int8", 1.1e-1, "wrong")])
def test_a_shift_beyond_the_bound_is_wrong(precision, shift, status):
    cell = runtimes.judged(REFERENCE + np.float32(shift), REFERENCE, file(precision, count=0.1))
    assert cell["status"] == status
    assert cell["max_of_std"] == pytest.approx(shift, rel=0.05)


def test_one_far_value_of_an_int8_file_is_wrong_although_the_mean_is_small():
    found = REFERENCE.copy()
    found[7, 0] += 0.9
    cell = runtimes.judged(found, REFERENCE, file("int8", count=0.1))
    assert cell["status"] == "wrong" and cell["max_counts"] == 9


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_wrong(value):
    found = REFERENCE.copy()
    found[0, 0] = value
    assert runtimes.judged(found, REFERENCE, file())["status"] == "wrong"


def test_another_shape_is_wrong():
    assert runtimes.judged(REFERENCE[:, :1], REFERENCE, file())["status"] == "wrong"


class FakeRuntimes:
    """output_of: each runtime's output for every file, or the Refused that it raises."""

    def __init__(self, monkeypatch, by_name):
        self.by_name, self.read = by_name, []
        monkeypatch.setattr(runtimes, "output_of", self)

    def __call__(self, runtime, path, samples, scratch):
        self.read.append((runtime.name, path))
        answer = self.by_name[runtime.name]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_row_compares_with_the_first_runtime_that_runs_the_file(monkeypatch):
    refused = Refused("Didn't find op for builtin opcode")
    fake = FakeRuntimes(monkeypatch, {"tf 1.15.5": refused, "tflite": REFERENCE,
                                      "litert": REFERENCE + np.float32(1), "tflm": REFERENCE})
    folders = dict({column: "/a" for column in runtimes.COLUMNS}, litert="/b")
    row = runtimes.row(file(), folders, "input.npy", "/scratch")
    assert [cell["status"] for cell in row["runtimes"].values()] == [
        "refused", "ok", "wrong", "ok"]
    assert [path for _, path in fake.read] == ["/%s/window_float32.tflite" % folder
                                               for folder in "aaba"]


def test_the_table_marks_what_is_wrong_and_spells_a_refusal_out_once():
    ok, wrong = {"status": "ok", "max_of_std": 3.1e-7}, {"status": "wrong", "max_of_std": 0.5}
    count = {"status": "ok", "max_of_std": 0.02, "max_counts": 2.0}
    no = {"status": "refused", "says": "no such op"}
    columns = list(runtimes.COLUMNS)
    cells = {"a.tflite": [ok, no, wrong, no], "b.tflite": [count] * 4}
    text = runtimes.table([{"file": name, "runtimes": dict(zip(columns, cells[name]))}
                           for name in cells])
    lines = text.splitlines()
    assert lines[2].split("|")[1:-1] == [" a.tflite ", " ok 3.1e-07 ", " refused [1] ",
                                         " **WRONG** 0.5 ", " refused [1] "]
    assert "ok 0.02, 2" in lines[3]
    assert lines[-1] == "[1] no such op" and text.count("no such op") == 1
    assert len({len(line) for line in lines[:4]}) == 1  # columns of one width


@pytest.mark.parametrize("text", ["litert", "litert=", "litert=/nowhere", "other=/tmp"])
def test_an_override_that_cannot_be_read_is_refused(text):
    with pytest.raises(UserError, match="RUNTIME=FOLDER"):
        runtimes.overrides([text])


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(UserError, match="no .tflite file"):
        runtimes.listed(str(tmp_path))


# --- the real runtimes ------------------------------------------------------------------------


def survey(models, tmp_path, *more):
    """main on these models; (its error or None, the JSON report by file)."""
    record, out = str(tmp_path / "stream.npy"), str(tmp_path / "report")
    walk = np.cumsum(np.random.default_rng(3).normal(0, 0.3, (400, 7)), 0)
    np.save(record, np.clip(walk - walk.mean(0), -3, 3).astype(np.float32))
    error = None
    try:
        runtimes.main([models, "--record", record, "--out", out] + list(more))
    except UserError as failure:
        error = str(failure)
    with open(out + ".json") as report:
        return error, {item["file"]: item["runtimes"] for item in json.load(report)}


def only(tmp_path, *names):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in names:
        shutil.copy(os.path.join(MODELS, name), str(folder))
    return str(folder)


@needs_all
@pytest.mark.slow
def test_every_file_is_right_or_refused_as_it_is_known(tmp_path):
    error, report = survey(MODELS, tmp_path)
    assert error is None and "step_float32.tflite" in report
    for name, cells in report.items():
        for runtime in RUNTIMES.values():
            known = runtime.why_not(*form_and_precision(name))
            assert cells[runtime.name]["status"] == ("refused" if known else "ok"), (name, runtime)


def altered(data, what):
    """The bytes of an int8 step file, with the biases of its first product at 1.5 times their scale
    (what newer runtimes make of 1.15's merged biases), or its weights moved by one place."""
    model = flatbuffer.read(data)
    graph, = model["subgraphs"]
    product = next(operator for operator in graph["operators"] if operator.get("options_type") == 8)
    tensor = graph["tensors"][product["inputs"][{"weights": 1, "bias": 2}[what]]]
    raw = model["buffers"][tensor["buffer"]]["data"]
    changed = (raw.view(np.int32) * 3 // 2).astype(np.int32) if what == "bias" else np.roll(raw, 1)
    model["buffers"][tensor["buffer"]] = {"data": changed.view(np.uint8)}
    return flatbuffer.write(model)


@needs_all
@pytest.mark.slow
@pytest.mark.parametrize("what", ["bias", "weights"])
def test_a_file_that_one_runtime_computes_differently_is_shown(tmp_path, what, capsys):
    models, wrong = only(tmp_path, "step_int8.tflite"), tmp_path / "wrong"
    wrong.mkdir()
    with open(os.path.join(models, "step_int8.tflite"), "rb") as source:
        (wrong / "step_int8.tflite").write_bytes(altered(source.read(), what))
    error, report = survey(models, tmp_path, "--read", "litert=%s" % wrong)
    assert error == "loads and computes something else: step_int8.tflite in litert"
    assert {column: cell["status"] for column, cell in report["step_int8.tflite"].items()} == {
        "tf 1.15.5": "ok", "tflite": "ok", "litert": "wrong", "tflm": "ok"}
    assert "**WRONG**" in capsys.readouterr().out


@needs_all
@pytest.mark.slow
def test_a_damaged_file_is_a_refusal(tmp_path):
    models, cut = only(tmp_path, "step_float32.tflite"), tmp_path / "cut"
    cut.mkdir()
    with open(os.path.join(models, "step_float32.tflite"), "rb") as source:
        (cut / "step_float32.tflite").write_bytes(source.read()[:3000])
    error, report = survey(models, tmp_path, "--read", "tflite=%s" % cut)
    cells = report["step_float32.tflite"]
    assert error is None and cells["tflite"]["status"] == "refused" and cells["tflite"]["says"]
