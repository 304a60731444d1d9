"""Run every .tflite file in four runtimes on the same inputs: the same numbers, or the refusal.

    sh scripts/run runtimes models/convert --record data/generate/test.csv \\
        --scaler models/train/scaler.json --out reports/runtimes
    sh scripts/run runtimes models/convert --record test.npy --out /tmp/runtimes \\
        --read litert=altered

in   a folder of .tflite files, a record with its scaler (or a stream as .npy)
out  OUT.md, the table as printed, and OUT.json, the same in numbers

A cell says `ok` with the largest difference to 1.15's own interpreter, in standard deviations of
the output (and in counts of an int8 output), a refusal with its first line, or **WRONG** where a
file loads and computes something else; then the exit status is 1. docs/runtimes.md argues the
bounds. --read lets one runtime read its files elsewhere: to see that the table shows a difference.
"""
import csv
import os
import tempfile
from typing import NamedTuple

import numpy as np

from kit.base.cli import UserError, json_text, parser, progress, read_json, run, write_together
from kit.bench.worker import Refused, Worker
from kit.detection.certificate import changes, margin, scored
from kit.record.records import read_record
from kit.record.samples import read_samples
from kit.record.windows import model_input, read_scaler, windows_and_next
from kit.runtime import flatbuffer, verifier
from kit.runtime.files import tflite_files
from kit.runtime.forms import FORMS, by_first_input
from kit.runtime.precisions import PRECISIONS, of_types
from kit.runtime.runtimes import RUNTIMES

WINDOWS, STREAM = 50, 300
COLUMNS = {runtime.name: runtime for runtime in RUNTIMES.values()}


class File(NamedTuple):
    """What the table needs to know of a .tflite file."""

    name: str  # window_int8.tflite
    form: str
    precision: str
    shape: tuple  # of the first input
    count: object  # the output in one count of its integers; None for a float output


def main(argv):
    args = arguments(argv)
    files = [described(path) for path in listed(args.models)]
    folders = dict({column: args.models for column in COLUMNS}, **overrides(args.read))
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row(file, folders, inputs(file, args, scratch), scratch)
                for file in progress(files, "runtimes")]
        text = table(rows)
        if args.detectors:
            certified(rows, files, folders, args, scratch)
            text += "\n" + decision_table(rows)
    write_together({args.out + ".md": text, args.out + ".json": json_text(rows)})
    print(text, end="")
    wrong = ["%s in %s" % (item["file"], column) for item in rows
             for column, cell in item["runtimes"].items() if cell["status"] == "wrong"]
    if wrong:
        raise UserError("loads and computes something else: " + ", ".join(wrong))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("models", help="folder of .tflite files")
    p.add_argument("--record", required=True, help="record .csv, or stream .npy, to run them on")
    p.add_argument("--scaler", help="scaler.json of the record")
    p.add_argument("--out", required=True, help="path of the two reports, without an ending")
    p.add_argument("--detectors", help="detectors.json of the stage evaluate: the whole record is "
                   "scored in each runtime, and alarms are compared with Keras' and 1.15's")
    p.add_argument("--alarms", help="alarms.csv of the stage evaluate, for Keras' alarms")
    p.add_argument("--read", action="append", default=[], metavar="RUNTIME=FOLDER",
                   help="another folder for one runtime (%s)" % ", ".join(COLUMNS))
    return p.parse_args(argv)


def listed(folder):
    """The paths of the folder's .tflite files in order of their names."""
    paths = list(tflite_files(folder).values())
    if not paths:
        raise UserError("%s holds no .tflite file; `make convert` makes them" % folder)
    return paths


def overrides(reads):
    """["litert=FOLDER"] -> {"litert": "FOLDER"}."""
    pairs = [text.partition("=") for text in reads]
    for column, sign, folder in pairs:
        if column not in COLUMNS or not sign or not os.path.isdir(folder):
            raise UserError("--read %s%s%s: give RUNTIME=FOLDER, with a runtime of %s"
                            % (column, sign, folder, ", ".join(COLUMNS)))
    return {column: folder for column, _, folder in pairs}


def described(path):
    """The File at a path."""
    graphs = verifier.checked(verifier.model_file(path)[0], path)["subgraphs"]
    graph, tensors = graphs[0], graphs[0]["tensors"]
    first, output = tensors[graph["inputs"][0]], tensors[graph["outputs"][0]]
    form = by_first_input(first["name"])
    if form is None:
        raise UserError("%s: its first input is '%s'; the convert script names it one of %s"
                        % (path, first["name"], ", ".join(
                            sorted(form.first_input for form in FORMS.values()))))
    precision = of_types(output.get("type", flatbuffer.FLOAT32),
                         {tensor.get("type", flatbuffer.FLOAT32)
                          for part in graphs for tensor in part["tensors"]})
    count = None if precision.ends == flatbuffer.FLOAT32 else float(
        output["quantization"]["scale"][0])
    shape = tuple(int(size) for size in first["shape"])
    return File(os.path.basename(path), form.name, precision.name, shape, count)


def inputs(file, args, scratch):
    """The path of a .npy with what the file is run on: windows, or a stream."""
    steps = None if FORMS[file.form].streams else file.shape[1]
    samples = read_samples(args.record, args.scaler, file.shape[-1], steps)
    path = os.path.join(scratch, "input.npy")
    np.save(path, samples.windows(WINDOWS) if steps else samples.stream[:STREAM])
    return path


# --- one row ----------------------------------------------------------------------------------


def row(file, folders, samples, scratch):
    """The table's row of one file; the first runtime that runs it is the reference."""
    cells, reference = {}, None
    for column, runtime in COLUMNS.items():
        path = os.path.abspath(os.path.join(folders[column], file.name))
        try:
            found = output_of(runtime, path, samples, scratch)
        except Refused as refusal:
            cells[column] = {"status": "refused", "says": str(refusal)}
            continue
        reference = found if reference is None else reference
        cells[column] = judged(found, reference, file)
    return {"file": file.name, "form": file.form, "precision": file.precision, "runtimes": cells}


def output_of(runtime, path, samples, scratch):
    """What the runtime computes; Refused with what it says.

    A process for each file: where a runtime ends its process, that is a cell and not the end.
    """
    output = os.path.join(scratch, "output.npy")
    with Worker(runtime.venv, "kit.bench.contenders") as worker:
        worker.ask("run", runtime=runtime.package, model=path, samples=samples, output=output)
    return np.load(output)


def judged(found, reference, file):
    """A cell: the differences to the reference, and whether they are inside the bound."""
    std = float(np.std(reference.astype(np.float64))) or 1.0
    if found.shape != reference.shape or not np.isfinite(found).all():
        return {"status": "wrong", "says": "shape %s, not all finite or not %s"
                % (found.shape, reference.shape)}
    difference = np.abs(found.astype(np.float64) - reference)
    cell = {"max_of_std": difference.max() / std, "mean_of_std": difference.mean() / std}
    if file.count is not None:
        cell["max_counts"] = difference.max() / file.count
        cell["mean_counts"] = difference.mean() / file.count
    right = all(cell[key] <= most for key, most in PRECISIONS[file.precision].apart.items())
    cell = {key: float("%.3g" % value) for key, value in cell.items()}
    return dict(status="ok" if right else "wrong", **cell)


# --- decisions --------------------------------------------------------------------------------


def certified(rows, files, folders, args, scratch):
    """Note in every cell that is ok what the file decides over the whole record there."""
    detectors, record = read_json(args.detectors), read_record(args.record)
    scaler = read_scaler(args.scaler)
    samples, filled = scaler.standardise(record.values), model_input(record, scaler, args.record)
    keras = keras_alarms(args.alarms, len(samples))
    cells = [(item, file, column) for item, file in zip(rows, files) for column in COLUMNS
             if item["runtimes"][column]["status"] == "ok" and file.name[:-7] in detectors]
    reference = {}
    for item, file, column in progress(cells, "decisions"):
        detector = detectors[file.name[:-7]]
        path = os.path.abspath(os.path.join(folders[column], file.name))
        outputs = output_of(COLUMNS[column], path, whole(file, filled, detector, scratch), scratch)
        steps = detector["warm_up_samples"]
        found = scored(detector, samples, outputs[steps - 1:] if FORMS[file.form].streams
                       else outputs)
        first = reference.setdefault(file.name, found)
        item["runtimes"][column]["decisions"] = decision(found, first, keras, detector)


def whole(file, filled, detector, scratch):
    """The path of a .npy with all windows of a record, or its stream."""
    path = os.path.join(scratch, "record.npy")
    steps = detector["warm_up_samples"]
    np.save(path, filled[:-1] if FORMS[file.form].streams else windows_and_next(filled, steps)[0])
    return path


def keras_alarms(path, n):
    """Keras' flags (n,) as the stage evaluate wrote them; None without the file."""
    if path is None:
        return None
    flags = np.zeros(n, bool)
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            if line["detector"] == "keras":
                flags[int(line["start"]):int(line["end"])] = True
    return flags


def decision(found, reference, keras, detector):
    """How alarms differ from the first runtime's and from Keras', and how near that was."""
    threshold = detector["threshold"]
    flags = found >= threshold
    entry = {"to_first": changes(flags, reference >= threshold)}
    if keras is not None:
        entry["to_keras"] = changes(flags, keras)
    known = ~np.isnan(found + reference)
    return dict(entry, margin=float("%.3g" % margin(found, threshold)), largest_difference=float(
        "%.3g" % np.abs(found[known] - reference[known]).max()))


def decision_table(rows):
    """Alarms the same, gained and lost for every file in every runtime."""
    lines = ["| file | runtime | alarms | to the first: gained, lost | to Keras: same, gained, lost "
             "| nearest score | largest difference |", "|---" * 7 + "|"]
    for item in rows:
        for column, cell in item["runtimes"].items():
            if "decisions" in cell:
                found = cell["decisions"]
                first, keras = found["to_first"], found.get("to_keras")
                lines.append("| %s | %s | %d | %d, %d | %s | %.2g | %.2g |" % (
                    item["file"], column, first["alarms_same"] + first["alarms_gained"],
                    first["alarms_gained"], first["alarms_lost"],
                    "%d, %d, %d" % tuple(keras.values()) if keras else "–",
                    found["margin"], found["largest_difference"]))
    return "\n".join(aligned(lines) + [
        "", "Alarms over the whole record. The nearest score is its smallest distance from the "
        "threshold, in decades; beside it how far the scores are from the first runtime's: where "
        "that is smaller, no decision can differ."]) + "\n"


# --- the table --------------------------------------------------------------------------------


def table(rows):
    """The rows as Markdown, every refusal spelled out below."""
    notes = []
    lines = ["| file | %s |" % " | ".join(COLUMNS), "|---" * (1 + len(COLUMNS)) + "|"]
    for item in rows:
        cells = [words(item["runtimes"][column], notes) for column in COLUMNS]
        lines.append("| %s | %s |" % (item["file"], " | ".join(cells)))
    lines = aligned(lines)
    lines += ["", "Largest difference to the first column, in the output's standard deviation and "
                  "in counts of an integer output."]
    lines += ["[%d] %s" % (number, note) for number, note in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def words(cell, notes):
    """A cell in words; what a runtime says goes to the notes, once."""
    if "says" in cell:
        if cell["says"] not in notes:
            notes.append(cell["says"])
        number = "[%d]" % (1 + notes.index(cell["says"]))
        return ("refused " if cell["status"] == "refused" else "**WRONG** ") + number
    text = "%.2g" % cell["max_of_std"]
    if "max_counts" in cell:
        text += ", %.2g" % cell["max_counts"]
    return ("ok " if cell["status"] == "ok" else "**WRONG** ") + text


def aligned(lines):
    """A Markdown table's lines with columns of one width."""
    table_cells = [line.strip("|").split("|") for line in lines]
    widths = [max(len(cell.strip()) for cell in column) for column in zip(*table_cells)]
    return ["| %s |" % " | ".join(
        ("-" * width if cell.startswith("---") else cell.strip().ljust(width))
        for cell, width in zip(cells, widths)) for cells in table_cells]


if __name__ == "__main__":
    run(main)
