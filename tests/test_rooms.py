"""The tests mirror the rooms of `scripts/kit`: a module, a test file of its name in its room."""
import os

from conftest import ROOT

KIT, TESTS = os.path.join(ROOT, "scripts", "kit"), os.path.join(ROOT, "tests")


def python_files(folder):
    """Paths of .py files below a folder, as seen from there, without __init__.py."""
    return {os.path.relpath(os.path.join(place, name), folder)
            for place, _, names in os.walk(folder) for name in names
            if name.endswith(".py") and name != "__init__.py"}


def mirror(module):
    room, name = os.path.split(module)
    return os.path.join(room, "test_" + name)


def test_every_module_has_a_test_file_and_every_test_file_of_a_room_its_module():
    rooms = set(os.listdir(KIT))
    expected = {mirror(module) for module in python_files(KIT)}
    found = {path for path in python_files(TESTS)
             if path.split(os.sep)[0] in rooms and os.path.basename(path).startswith("test_")}
    assert sorted(expected - found) == [], "modules of kit without a test file of their own"
    assert sorted(found - expected) == [], "test files in a room of kit without a module"
