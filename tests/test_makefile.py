"""What a person may mistype at `make` is answered in one sentence."""
import subprocess

import pytest

from conftest import ROOT


@pytest.mark.parametrize("words, sentence", [
    (["verify"], "say which file: make verify FILE=step_int8.tflite"),
    (["tflite"], "say which model: make tflite MODEL=my_model.h5 OUT=folder"),
    (["tflite", "MODEL=my_model.h5"], "say where to: make tflite MODEL=my_model.h5 OUT=folder"),
])
def test_what_lacks_is_asked_for(words, sentence):
    done = subprocess.run(["make", "-n"] + words, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode and sentence in done.stderr and done.stderr.count("\n") == 1
