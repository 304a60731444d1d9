"""The registry of layer kinds: complete, and free of TensorFlow."""
import subprocess
import sys

from conftest import ROOT
from kit.network.kinds import KINDS


def test_every_kind_answers_the_reader():
    from kit.network.layers.kind import Kind

    assert all(type(kind).read is not Kind.read for kind in KINDS.values())


def test_reading_imports_no_tensorflow():
    code = "import sys; import kit.network.description; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT + "/scripts", check=True)
