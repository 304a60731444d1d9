"""The report: what stands in its tables, and what it says where decisions or tools lack."""
import json
import types

import numpy as np
import pytest

import firmware_report
import machines
from kit.base.cli import UserError, write_bytes, write_json
from kit.firmware import devices
from machines import machine, needs, record

M4F = [core for core in devices.CORES if core.name == "Cortex-M4F"]


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Arguments of the report on two small step files and one core."""
    monkeypatch.setattr(devices, "CORES", M4F)
    detectors = {}
    for dtype, name in (("int8", "step_int8"), ("float32", "step_float32")):
        probe = machine("lstm", dtype)
        write_bytes(str(tmp_path / (name + ".tflite")), probe.blob)
        detectors[name] = probe.detector
    write_json(str(tmp_path / "detectors.json"), detectors)
    write_json(str(tmp_path / "scaler.json"), {
        "channels": probe.scaler.channels, "mean": list(probe.scaler.mean),
        "std": list(probe.scaler.std)})
    machines.write_record(str(tmp_path / "test.csv"), record(3))
    return [str(tmp_path), "--record", str(tmp_path / "test.csv"), "--scaler",
            str(tmp_path / "scaler.json"), "--detector", str(tmp_path / "detectors.json"),
            "--out", str(tmp_path / "report")]


@pytest.mark.slow
def test_each_file_has_a_table_of_what_its_core_needs(arguments, tmp_path, capsys):
    needs("gcc")
    if devices.lacking(M4F[0]):
        pytest.skip(devices.lacking(M4F[0]))
    firmware_report.main(arguments)
    found = json.loads((tmp_path / "report.json").read_text())
    assert sorted(found) == ["step_float32", "step_int8"]
    for item in found.values():
        row = item["cores"]["Cortex-M4F"]
        assert row["alarms"] == "same" and item["alarms"] > 20 and item["rows"] == 700
        assert item["weight_bytes"] < row["network_flash_bytes"] < row["flash_bytes"]
        assert 0 < row["stack_bytes"] and row["network_instructions"] < row["instructions"]
    text = (tmp_path / "report.md").read_text()
    assert text == capsys.readouterr().out and text.count("| Cortex-M4F |") == 2


def test_a_core_whose_compiler_lacks_is_named(arguments, tmp_path, monkeypatch, capsys):
    needs("gcc")
    monkeypatch.setattr(devices, "CORES", [M4F[0]._replace(compiler="no-such-")])
    firmware_report.main(arguments)
    sentence = "Cortex-M4F needs no-such-gcc"
    assert capsys.readouterr().out.count(sentence) == 2
    assert json.loads((tmp_path / "report.json").read_text())["step_int8"]["cores"] == {}


def test_another_decision_is_an_error_after_the_table(arguments, tmp_path, monkeypatch):
    needs("gcc")

    class Deaf(firmware_report.StreamDetector):
        def update(self, values):
            return 0 * super().update(values)

    monkeypatch.setattr(firmware_report, "StreamDetector", Deaf)
    monkeypatch.setattr(devices, "lacking", lambda core: None)
    monkeypatch.setattr(firmware_report, "measured", lambda core, folder, values, item: dict.fromkeys([
        "flash_bytes", "network_flash_bytes", "network_over_weights", "ram_bytes", "stack_bytes",
        "network_instructions", "instructions", "instructions_per_multiply_add"], 0))
    monkeypatch.setattr(devices, "replay", lambda core, folder, values, size: devices.replayed(
        lambda: devices.tool(["./host"], folder), folder, values, size))
    with pytest.raises(UserError, match="decides differently: step_int8 on Cortex-M4F, step_float32"):
        firmware_report.main(arguments)
    assert "DIFFER" in (tmp_path / "report.md").read_text()


def test_a_folder_without_step_files_is_refused(arguments, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty has no step file with a detector"):
        firmware_report.main([str(tmp_path / "empty")] + arguments[1:])


def test_values_are_those_of_a_float():
    assert firmware_report.as_read(np.array([0.1]))[0] == float(np.float32(0.1)) != 0.1


@pytest.mark.slow
def test_the_peer_of_a_small_network_is_measured(monkeypatch):
    if devices.lacking(M4F[0]):
        pytest.skip(devices.lacking(M4F[0]))
    rng = np.random.Generator(np.random.PCG64(3))
    shapes = {"LSTM": {"kernel": (2, 12), "recurrent": (3, 12), "bias": (12,)},
              "Dense": {"kernel": (3, 2), "bias": (2,)}}
    layers = [types.SimpleNamespace(class_name=name_of_class, weights={
        name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in of.items()})
        for name_of_class, of in shapes.items()]
    monkeypatch.setattr(devices, "CORES", M4F)
    monkeypatch.setattr(firmware_report, "read_network",
                        lambda path: types.SimpleNamespace(layers=layers))
    found = firmware_report.peer_report("my.h5", record(2))
    if found is None:
        pytest.skip("there is no emx-onnx-cgen: `make firmware-report` installs it")
    row = found["cores"]["Cortex-M4F"]
    weights = 4 * sum(np.prod(shape) for of in shapes.values() for shape in of.values())
    assert row["network_flash_bytes"] > weights and 100 < row["network_instructions"] < 20000
    assert "| Cortex-M4F |" in firmware_report.peer_table(found)
