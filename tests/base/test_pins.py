"""A script that is started by hand says that the pins are missing, once."""
import os
import re
import subprocess
import sys

from conftest import ROOT
from kit.base import pins



def generate_help(environment):
    return subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['scripts/generate.py']; "
         "sys.path.insert(0, 'scripts'); from kit.base.params import load_params; "
         "load_params(); load_params()"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True).stderr


def test_the_sentinels_are_what_the_launcher_sets():
    with open(os.path.join(ROOT, "scripts", "run")) as file:
        launcher = file.read()
    for name, value in pins.SENTINELS.items():
        assert re.search(r"\b%s=%s" % (name, re.escape(value)), launcher), name


def test_without_pins_there_is_one_line_that_says_how_to_start():
    said = generate_help({"PATH": os.environ["PATH"]})
    assert said.count("\n") == 1 and "`sh scripts/run generate ...`" in said


def test_with_pins_there_is_none():
    assert generate_help(dict(os.environ)) == ""


def test_one_pin_of_another_value_is_not_enough():
    right = dict(pins.SENTINELS, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA")
    assert pins.pinned(right)
    for name in right:
        assert not pins.pinned(dict(right, **{name: "x"}))


def test_every_pin_stands_in_the_launcher_alone():
    """Else taking one out of it (`make reproduce ARGS="--without NAME"`) would test nothing."""
    said = subprocess.check_output(
        [sys.executable, "-c", "import sys, os; sys.path.insert(0, 'scripts'); import kit.tf.tf115; "
         "print(*sorted(os.environ))"],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, stderr=subprocess.DEVNULL,
        universal_newlines=True).split()
    with open(os.path.join(ROOT, "scripts", "run")) as file:
        pinned = set(re.findall(r"\b([A-Z_]+)=\S", file.read()))
    quiet = {"CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL"}  # which change no bytes
    assert {"EIGEN_CACHE_BYTES", "TF_NUM_INTRAOP_THREADS"} <= pinned
    assert not (pinned - quiet) & set(said)
