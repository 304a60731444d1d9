"""The runtimes: what each is known to refuse, and how one that is not there is told."""
import pytest

from kit.runtime.files import form_and_precision
from kit.runtime.runtimes import RUNTIMES, Runtime, interpreter_class


def test_what_a_runtime_refuses_is_a_precision_or_a_form_of_one():
    for runtime in RUNTIMES.values():
        for name in runtime.refuses:
            form, precision = form_and_precision(name)
            assert name in (precision, "%s_%s" % (form, precision))


def test_a_refusal_of_a_form_is_of_that_form():
    tensorflow = RUNTIMES["tensorflow"]
    assert "UNIDIRECTIONAL" in tensorflow.why_not("fused", "int8")
    assert tensorflow.why_not("step", "int8") is None and tensorflow.why_not("step", "int16x8")


def test_their_names_are_those_of_environments_that_can_be_built():
    import os

    from conftest import ROOT

    for runtime in RUNTIMES.values():
        assert runtime.venv == ".venv" or os.path.exists(
            os.path.join(ROOT, "environments", runtime.name + ".lock"))


def test_one_that_is_not_installed_is_an_import_error():
    with pytest.raises(ImportError):
        interpreter_class(Runtime("none", "no_such_runtime", "no_such_runtime", ".venv", {}))
