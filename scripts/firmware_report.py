"""Measures the C detector on emulated cores: flash, RAM, stack, instructions, and the same alarms.

    sh scripts/run firmware_report models/convert --record data/generate/test.csv \\
        --scaler models/train/scaler.json --detector reports/evaluate/detectors.json \\
        --keras models/train/keras_model.h5 --out reports/firmware

in   a folder with step files that have a detector; a record that is replayed on every core; the
     Keras file that they came from, of which emx-onnx-cgen makes C where .venv-peers has it
out  OUT.md, the table as printed, and OUT.json, the same in numbers

flash    of the least program with the detector, with what it takes of the compiler's library
network  what of it is the network's, and that over the bytes of weights and biases
RAM      of the state; stack at its deepest, as written to on the emulated core
a sample instructions of the network and of all; and those of the network for each multiply-add
alarms   `same`: every row on the core as on this PC to the bit, and alarms as `detect` has them of
         the record's values as float
arena    what TensorFlow Lite Micro allots for the same file; its code comes on top
peer     the float32 network alone as C by emx-onnx-cgen, the curves of libm on top

Compiled with -O2. Cores whose compiler or emulator lacks are named and left out.
"""
import os
import re
import subprocess
import tempfile

import numpy as np

from kit.base.cli import UserError, parser, progress, read_json, run, write_bytes, write_json, write_text
from kit.bench.weights import one_lstm, write_weights
from kit.bench.worker import Worker
from kit.detection.stream import StreamDetector
from kit.firmware import devices, fixed, pieces, readme, source
from kit.firmware.graph import read_step
from kit.network.description import read_network
from kit.record.records import read_record
from kit.record.windows import read_scaler
from kit.runtime.interpreter import Model

NAME, MEASURED = "detector", 128
PRECISIONS = ("int8", "int16x8", "float32")
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
MICRO = os.path.join(ROOT, ".venv-tflm", "bin", "python")
PEERS = ".venv-peers"
ARENA = ("import sys; from tflite_micro import runtime\n"
         "runtime.Interpreter.from_file(sys.argv[1]).print_allocations()")
COLUMNS = ["core", "flash", "network", "over weights", "RAM", "stack", "network a sample",
           "all a sample", "a multiply-add", "alarms"]


def main(argv):
    args = arguments(argv)
    scaler, detectors = read_scaler(args.scaler), read_json(args.detector)
    values = as_read(read_record(args.record).values[:args.rows])
    files = [name for name in ("step_" + precision for precision in PRECISIONS)
             if name in detectors and os.path.exists(os.path.join(args.models, name + ".tflite"))]
    if not files:
        raise UserError("%s has no step file with a detector in %s" % (args.models, args.detector))
    found = {name: report(os.path.join(args.models, name + ".tflite"), scaler, detectors[name],
                          values) for name in files}
    peer = peer_report(args.keras, scaler.standardise(values)) if args.keras else None
    text = "\n".join([table(name, item) for name, item in found.items()]
                     + ([peer_table(peer)] if peer else []))
    write_text(args.out + ".md", text)
    write_json(args.out + ".json", dict(found, peer=peer) if peer else found)
    print(text, end="")
    wrong = ["%s on %s" % (name, core) for name, item in found.items()
             for core, row in item["cores"].items() if row["alarms"] != "same"]
    if wrong:
        raise UserError("decides differently: " + ", ".join(wrong))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("models", help="folder of .tflite files")
    p.add_argument("--record", required=True, help="record .csv to replay")
    p.add_argument("--scaler", required=True, help="scaler.json")
    p.add_argument("--detector", required=True, help="detectors.json")
    p.add_argument("--keras", help=".h5 of one LSTM and one Dense, for the peer")
    p.add_argument("--rows", type=int, help="replay so many rows alone (default: all)")
    p.add_argument("--out", required=True, help="path of the tables, without .md and .json")
    return p.parse_args(argv)


def as_read(values):
    """Samples as a device has them, float: of int16 numbers one in thousands would else be another."""
    return values.astype(np.float32).astype(float)


def report(path, scaler, detector, values):
    """What one file needs on each core, as a dict ready for JSON."""
    with open(path, "rb") as file:
        data = file.read()
    step = read_step(data, path)
    model = Model(path)
    sources = source.sources(step, scaler, detector, {"title": "Detector", "sources": []}, NAME,
                             fixed.rounding_of(model.runtime))
    wanted = StreamDetector(model, scaler, detector).update(values)
    products = [step.tensors[op.inputs[1]].size for op in step.ops if op.op_name == "FULLY_CONNECTED"]
    item = {"weight_bytes": readme.weight_bytes(step), "multiply_adds": sum(products),
            "arena_bytes": arena(path), "rows": len(values), "cores": {}, "lacking": []}
    with tempfile.TemporaryDirectory() as folder:
        devices.prepare(folder, sources, NAME)
        devices.tool(["gcc", "-std=c99", "-O2", NAME + ".c", "replay.c", "host.c", "-o", "host"],
                     folder)
        size = readme.state_bytes(step)
        here = devices.replayed(lambda: devices.tool(["./host"], folder), folder, values, size)
        item["alarms"] = int((wanted >= detector["threshold"]).sum())
        item["score_difference"] = float(np.abs(here[0] - wanted).max())
        agree = np.array_equal(here[1], wanted >= detector["threshold"])
        for core in progress(devices.CORES, os.path.basename(path)):
            if devices.lacking(core):
                item["lacking"].append(devices.lacking(core))
                continue
            row = measured(core, folder, values, item)
            there = devices.replay(core, folder, values, size)
            same = agree and all(np.array_equal(a, b) for a, b in zip(here, there))
            item["cores"][core.name] = dict(row, alarms="same" if same else "DIFFER")
    return item


def measured(core, folder, values, item):
    """Sizes and counts of the detector on one core."""
    devices.compile_for(core, folder, [NAME + ".c", "replay.c"], core.name + ".elf")
    devices.compile_for(core, folder, [NAME + ".c", "least.c"], "least.elf")
    flash = devices.linked_flash(core, folder, "least.elf")
    whole, _ = devices.flash_and_ram(core, folder, [NAME + ".c"])
    scorer, _ = devices.flash_and_ram(core, folder, [NAME + ".c"], ["-DDETECTOR_HOOK"])
    devices.compile_for(core, folder, ["measure.c"], "measure.elf")
    write_samples(folder, values)
    network, all_, stack = devices.measure(core, folder)
    return {"flash_bytes": flash, "network_flash_bytes": whole - scorer,
            "network_over_weights": round((whole - scorer) / item["weight_bytes"], 3),
            "ram_bytes": devices.state_size(core, folder), "stack_bytes": int(stack),
            "network_instructions": int(round(network)), "instructions": int(round(all_)),
            "instructions_per_multiply_add": round(network / item["multiply_adds"], 2)}


def peer_report(path, samples):
    """What emx-onnx-cgen's C of a Keras file needs on each core; None where it is not installed.

    samples : (n, C) in standard deviations, as our network gets them
    """
    if not os.path.exists(os.path.join(ROOT, PEERS, "bin", "emx-onnx-cgen")):
        return None
    layers = one_lstm(read_network(path), path)
    sizes = {"@CHANNELS@": len(layers[0].weights["kernel"]),
             "@UNITS@": len(layers[0].weights["recurrent"])}
    with tempfile.TemporaryDirectory() as folder:
        devices.prepare(folder, {}, NAME)
        write_weights(layers, os.path.join(folder, "weights.npz"))
        with Worker(PEERS, "kit.bench.peers") as worker:
            made = worker.ask("emx", weights=os.path.join(folder, "weights.npz"),
                              output=os.path.join(folder, "net.c"))
        harness = re.sub("@[A-Z]+@", lambda found: str(sizes[found.group()]), pieces.text("peer.c"))
        write_text(os.path.join(folder, "peer.c"), harness)
        write_samples(folder, samples)
        found = {"version": made, "cores": {}}
        for core in progress(devices.CORES, "emx-onnx-cgen"):
            if not devices.lacking(core):
                found["cores"][core.name] = peer_measured(core, folder)
    return found


def peer_measured(core, folder):
    """Sizes and counts of peer.c with net.c on one core."""
    devices.compile_for(core, folder, ["peer.c", "net.c"], "measure.elf", libraries=["-lm"])
    flash, _ = devices.flash_and_ram(core, folder, ["net.c"])
    network, _, stack = devices.measure(core, folder)
    return {"network_flash_bytes": flash, "stack_bytes": int(stack),
            "network_instructions": int(round(network))}


def write_samples(folder, values):
    """The rows that are measured, without gaps, where measure.c reads them."""
    rows = np.nan_to_num(values[:MEASURED]).astype("<f4")
    write_bytes(os.path.join(folder, "samples.bin"), rows.tobytes())


def arena(path):
    """Bytes of TensorFlow Lite Micro's arena for a file; None where it is not installed."""
    if not os.path.exists(MICRO):
        return None
    done = subprocess.run([MICRO, "-c", ARENA, path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    found = re.search(r"allocation total (\d+) bytes", done.stdout)
    return int(found.group(1)) if found else None


def table(name, item):
    """A file's table in Markdown."""
    lines = ["## %s" % name, "",
             "%s weight bytes, %s multiply-adds a sample; %s rows replayed, %s of them in alarm; "
             "scores within %.1e decades of detect's; TensorFlow Lite Micro's arena for this file: "
             "%s bytes." % (number(item["weight_bytes"]), number(item["multiply_adds"]),
                            number(item["rows"]), number(item["alarms"]),
                            item["score_difference"], number(item["arena_bytes"])), "",
             "| %s |" % " | ".join(COLUMNS), "|%s" % ("---|" * len(COLUMNS))]
    for core, row in item["cores"].items():
        lines.append("| %s |" % " | ".join([
            core, number(row["flash_bytes"]), number(row["network_flash_bytes"]),
            "%.2f" % row["network_over_weights"], number(row["ram_bytes"]),
            number(row["stack_bytes"]), number(row["network_instructions"]),
            number(row["instructions"]), "%.2f" % row["instructions_per_multiply_add"],
            row["alarms"]]))
    return "\n".join(lines + [""] + ["%s.\n" % sentence for sentence in item["lacking"]])


def peer_table(peer):
    """The peer's table in Markdown."""
    lines = ["## emx-onnx-cgen %s, the network alone in float32" % peer["version"], "",
             "| core | network | stack | network a sample |", "|---|---|---|---|"]
    for core, row in peer["cores"].items():
        lines.append("| %s | %s | %s | %s |" % (core, number(row["network_flash_bytes"]), number(
            row["stack_bytes"]), number(row["network_instructions"])))
    return "\n".join(lines) + "\n"


def number(value):
    return "–" if value is None else "{:,}".format(value)


if __name__ == "__main__":
    run(main)
