"""The registry of layer kinds: complete, and free of TensorFlow."""
import subprocess
import sys

from conftest import ROOT
from kit.network.handlers import HANDLERS


def test_every_kind_answers_the_reader():
    from kit.network.layers.handler import Handler

    assert all(type(kind).read is not Handler.read for kind in HANDLERS.values())


def test_reading_imports_no_tensorflow():
    code = "import sys; import kit.network.description; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT + "/scripts", check=True)
