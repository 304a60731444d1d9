"""What a folder of .tflite files is, and which detector is shown first."""
import pytest

import evaluate
import report
from kit.runtime import files


def test_the_files_of_a_folder_by_name(tmp_path):
    for name in ("b.tflite", "a.tflite", "a.json", "c.tflite.partial"):
        (tmp_path / name).write_text("")
    assert files.tflite_files(str(tmp_path)) == {
        "a": str(tmp_path / "a.tflite"), "b": str(tmp_path / "b.tflite")}
    assert files.tflite_files(str(tmp_path / "nothing")) == {}


@pytest.mark.parametrize("name, said", [
    ("step_int8", ("step", "int8")), ("out/my_window_dynamic.tflite", ("window", "dynamic")),
    ("pump", (None, None)), ("fused", ("fused", None))])
def test_what_a_name_says(name, said):
    assert files.form_and_precision(name) == said


@pytest.mark.parametrize("names, first", [
    (["keras", "step_int8", "step_dynamic"], "step_int8"),
    (["keras", "step_float32", "step_dynamic"], "step_dynamic"),
    (["frozen", "keras"], "keras"), (["pca_residual"], None)])
def test_the_headline_is_what_a_device_holds(names, first):
    assert files.headline(names) == first


def test_evaluate_writes_the_scores_of_the_detector_that_the_page_shows():
    assert evaluate.headline is files.headline and report.files is files
