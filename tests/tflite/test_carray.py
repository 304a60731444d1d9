"""A model as a C header: its bytes, its scales, and a name that C takes."""
import re
import shutil
import subprocess

import numpy as np
import pytest

from kit.runtime.golden import crc32
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


def golden(dtype):
    """A golden stream of 4 samples of 3, 2 outputs each, states of 2 and 3, a reset before 3."""
    rng = np.random.default_rng(1)

    def drawn(*shape):
        return (rng.normal(size=shape) * 50).astype(dtype)
    outputs, states = drawn(4, 2), [drawn(1, 2), drawn(1, 3)] * 2
    states = [state + np.array(number, dtype) for number, state in enumerate(states)]
    return {"type": np.dtype(dtype).name, "reset_before": 3, "inputs": drawn(4, 3).tolist(),
            "outputs": outputs.tolist(), "states": [state.tolist() for state in states],
            "crc32": crc32(outputs, states)}


REPLAY = """#include <string.h>
#include "m.h"
static int at, resets;
static void step(const T *sample, T *output) {
    if (sample != m_golden_inputs + 3 * at) at = 99;
    memcpy(output, m_golden_outputs + 2 * at++, 2 * sizeof *output);
    if (at == WRONG) output[1] += 1;
}
static void reset(void) { resets++; }
static const T *state(int number) {
    return m_golden_states + (at == 4 ? 5 : 0) + 2 * number;
}
int main(void) {
    return 2 * (resets > 2) + (m_golden_crc32(step, reset, state) != M_GOLDEN_CRC32);
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler cc")
@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("wrong, status", [(0, 0), (2, 1), (4, 1)])
def test_the_golden_stream_tells_an_interpreter_that_is_wrong(tmp_path, dtype, wrong, status):
    stream = golden(dtype)
    (tmp_path / "m.h").write_text(header(DATA, facts(), "m.h", stream))
    (tmp_path / "main.c").write_text(REPLAY)
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "main.c", "-o",
                    "main", "-DWRONG=%d" % wrong, "-DT=%s" % {"float32": "float"}.get(
                        dtype, dtype + "_t")], cwd=str(tmp_path), check=True)
    assert subprocess.run([str(tmp_path / "main")]).returncode == status
