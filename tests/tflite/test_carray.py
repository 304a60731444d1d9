"""A model as a C header: its bytes, its scales, and a name that C takes."""
import re
import shutil
import subprocess

import pytest

from kit.tflite.carray import header

DATA = bytes(range(40))


def facts(after=0.5):
    def ends(names, scale):
        return [{"name": name, "number": number, "shape": [1, 3], "type": "int8",
                 "scale": scale if number else 0.25, "zero_point": -3 if number else 0,
                 "role": "state" if number else "data"}
                for number, name in enumerate(names)]
    return {"form": "step", "precision": "int8", "source": "step.pb", "sha256": "ab" * 32,
            "parity": {"mean_abs_diff": 1e-3, "max_abs_diff": 2e-2, "output_std": 0.5},
            "operators": [{"operator": "FULLY_CONNECTED", "version": 4}],
            "inputs": ends(["sample", "h"], 0.5), "outputs": ends(["output", "next_h"], after)}


def test_the_bytes_are_those_of_the_file():
    text = header(DATA, facts(), "model.h")
    body = text[text.index("_data["):text.index("};")]
    assert bytes(int(byte, 16) for byte in re.findall(r"0x(..)", body)) == DATA
    assert "#define MODEL_SIZE 40u" in text and "#define MODEL_INPUT_1_ZERO_POINT (-3)" in text


@pytest.mark.parametrize("path, name", [
    ("out/my-pump.h", "my_pump_data"), ("3rd.h", "model_3rd_data")])
def test_a_name_that_c_takes(path, name):
    assert "static const uint8_t %s[" % name in header(DATA, facts(), path)


def test_states_of_two_scales_are_said():
    assert "requantized" in header(DATA, facts(after=0.4), "m.h")
    assert "requantized" not in header(DATA, facts(), "m.h")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler cc")
@pytest.mark.parametrize("language", ["c", "c++"])
def test_it_compiles_without_a_word(tmp_path, language):
    (tmp_path / "m.h").write_text(header(DATA, facts(), "m.h"))
    (tmp_path / "main.c").write_text('#include "m.h"\nint main(void) { return m_data[0]; }\n')
    done = subprocess.run(["cc", "-x", language, "-Wall", "-Wextra", "-pedantic", "main.c", "-c",
                           "-o", "main.o"], cwd=str(tmp_path), stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
