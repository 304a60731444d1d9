"""C functions of which a file takes what it calls, and names of its own."""
import pytest

from kit.firmware import fixed, pieces

LIBRARY = """/* low */
static int NAME_low(int x)
{
    return x;
}


static const int NAME_table[2] = {1, 2};


static int NAME_high(int x)
{
    return NAME_low(x) + NAME_table[0];
}


static int NAME_lowest(int x)
{
    return x;
}
"""


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setattr(pieces, "text", {"a.c": LIBRARY, "b.c": "static float NAME_other(float x);"}.get)
    return ["a.c", "b.c"]


@pytest.mark.parametrize("calling, names", [
    ("NAME_high(3)", ["NAME_low", "NAME_table", "NAME_high"]), ("NAME_low(3)", ["NAME_low"]),
    ("NAME_other(1) + NAME_table[0]", ["NAME_table", "NAME_other"]), ("nothing", [])])
def test_what_is_called_comes_with_what_that_calls_in_the_files_order(library, calling, names):
    found = pieces.called(library, calling)
    assert [name for block in found.split("\n\n") for name in pieces.defined(block)] == names


def test_a_block_defines_functions_and_constants():
    assert pieces.defined("static void NAME_run(NAME_state *s)\n{\n    NAME_call(s);\n}") == ["NAME_run"]
    assert pieces.defined("static const int8_t *NAME_t[2] = {1};\nstatic float NAME_f(float x)") == [
        "NAME_t", "NAME_f"]


def test_names_are_the_detectors():
    assert pieces.named('#include "NAME.h"\nCAPS_MAX NAME_run', "pump2") == (
        '#include "pump2.h"\nPUMP2_MAX pump2_run')


def test_integers_as_lines():
    assert pieces.wrapped([1, 2, 3], 2) == "    1, 2,\n    3,"


def test_the_table_of_sigmoids_is_put_in():
    text = pieces.text("int16.c")
    assert "@SIGMOID@" not in text and pieces.wrapped(fixed.sigmoids()) in text
