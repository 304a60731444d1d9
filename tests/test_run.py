"""The launcher: finds the environment, sets the pins, says what is missing."""
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
import reproduce



@pytest.fixture
def kit(tmp_path):
    """A project of one script that prints its environment, with a link to this environment."""
    scripts = tmp_path / "kit" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(os.path.join(ROOT, "scripts", "run"), str(scripts))
    shutil.copy(os.path.join(ROOT, "requirements.lock"), str(tmp_path / "kit"))
    (scripts / "show.py").write_text(
        "import os, sys\nprint(sys.argv[1:])\nfor name in sys.stdin.read().split():\n"
        "    print(name, os.environ.get(name))\n")
    (tmp_path / "kit" / ".venv").symlink_to(os.path.join(ROOT, ".venv"))
    return tmp_path / "kit"


def launch(kit, *arguments, **options):
    return subprocess.run(["sh", str(kit / "scripts" / "run")] + list(arguments),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, **options)


def test_arguments_arrive_as_they_are(kit):
    done = launch(kit, "show", "a b", "*", "", input="")
    assert done.stdout == "['a b', '*', '']\n"


@pytest.mark.parametrize("name, value", [
    ("TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "false"), ("TF_NUM_INTRAOP_THREADS", "1"),
    ("TF_NUM_INTEROP_THREADS", "1"), ("OPENBLAS_CORETYPE", "Nehalem"), ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"), ("EIGEN_CACHE_BYTES", "32768,524288,16777216"),
    ("PYTHONHASHSEED", "0"), ("TZ", "UTC"), ("LC_ALL", "C"),
    ("PYTHONPATH", "None"), ("TF_ENABLE_CONTROL_FLOW_V2", "None"),
])
def test_a_pin_holds_whatever_the_shell_says(kit, name, value):
    done = launch(kit, "show", input=name, env=dict(os.environ, **{name: "7"}))
    assert done.stdout.splitlines()[1] == "%s %s" % (name, value)


def test_libm_takes_no_path_of_its_own(kit):
    done = launch(kit, "show", input="GLIBC_TUNABLES")
    for feature in ("-AVX2,", "-FMA,", "-FMA4,", "-AVX2_Usable,"):
        assert feature in done.stdout


def test_a_copy_for_an_experiment_uses_the_environment_of_its_project(kit):
    copy = kit / ".dvc" / "tmp" / "exps" / "one"
    copy.mkdir(parents=True)
    shutil.copytree(str(kit / "scripts"), str(copy / "scripts"))
    shutil.copy(str(kit / "requirements.lock"), str(copy))
    assert launch(copy, "show", "x", input="").stdout == "['x']\n"


def test_a_clone_inside_another_project_does_not_borrow_its_environment(kit):
    inner = kit / "inner"
    inner.mkdir()
    shutil.copytree(str(kit / "scripts"), str(inner / "scripts"))
    done = launch(inner, "show", input="", env=dict(os.environ, DVC_ROOT=str(kit)))
    assert done.returncode == 1
    assert "there is no environment at %s/.venv: run `make setup`" % inner in done.stderr


def test_an_environment_of_another_lock_stops_before_anything_runs(kit):
    with open(str(kit / "requirements.lock"), "a") as file:
        file.write("# changed\n")
    done = launch(kit, "show", input="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not built from this requirements.lock: run `make setup`" in done.stderr


def test_a_package_changed_by_hand_stops_before_anything_runs(kit):
    (kit / ".venv").unlink()
    site = kit / ".venv" / "lib" / "python3.7" / "site-packages"
    (site / "numpy-1.19.0.dist-info").mkdir(parents=True)
    (kit / ".venv" / "bin").mkdir()
    (kit / ".venv" / "bin" / "python").symlink_to(os.path.join(ROOT, ".venv", "bin", "python"))
    shutil.copy(str(kit / "requirements.lock"), str(kit / ".venv"))
    (kit / ".venv" / "packages").write_text("numpy-1.18.5.dist-info\n")
    done = launch(kit, "show", input="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not what requirements.lock says" in done.stderr


def test_a_script_that_is_not_there_is_named(kit):
    done = launch(kit, "shwo", input="")
    assert done.returncode == 1 and "no script" in done.stderr and "shwo.py" in done.stderr


BITS = """
import hashlib
import numpy as np

x = np.linspace(-9, 9, 100001)
print(hashlib.sha256(b"".join(f(x).tobytes() for f in (np.exp, np.sin, np.tanh))).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="no qemu-x86_64 (Debian: qemu-user)")
def test_libm_gives_the_same_bits_on_two_cpus_and_would_not_without_its_pin(kit):
    (kit / "scripts" / "bits.py").write_text(BITS)

    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}

    def bits(cpu):
        done = launch(kit, "bits", env=dict(environment, EMULATOR="qemu-x86_64 -cpu " + cpu))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert bits("Haswell") == bits("SandyBridge")
    reproduce.remove_pin(str(kit), "GLIBC_TUNABLES")
    assert bits("Haswell") != bits("SandyBridge")


LONG_SUMS = """
import hashlib
import numpy as np
from kit.tf.tf115 import session, tf

a, b = (np.random.RandomState(0).randn(*shape).astype("f") for shape in ((64, 512), (512, 64)))
with session() as running:
    print(hashlib.sha256(running.run(tf.matmul(a, b)).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_tensorflow_gives_the_same_bits_with_other_caches_and_would_not_without_its_pin(kit):
    for name in ("elsewhere.py", "kit"):
        os.symlink(os.path.join(ROOT, "scripts", name), str(kit / "scripts" / name))
    (kit / "scripts" / "sums.py").write_text(LONG_SUMS)
    environment = {name: value for name, value in os.environ.items() if name != "EIGEN_CACHE_BYTES"}

    def bits(caches):
        emulator = "%s %s caches=%s" % (
            sys.executable, kit / "scripts" / "elsewhere.py", caches)
        done = launch(kit, "sums", env=dict(environment, EMULATOR=emulator))
        assert done.returncode == 0, done.stderr
        return done.stdout

    small, large = "32768,524288,33554432", "49152,2097152,33554432"
    assert bits(small) == bits(large)
    reproduce.remove_pin(str(kit), "EIGEN_CACHE_BYTES")
    assert bits(small) != bits(large)
