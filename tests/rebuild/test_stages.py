"""dvc.yaml expanded as DVC expands it."""
import os
import subprocess

import pytest
import yaml

from conftest import ROOT
from kit.base.cli import UserError
from kit.base.params import load_params
from kit.rebuild.stages import Stage, expand, fill, load_pipeline


PIPELINE = yaml.safe_load("""
one:
  cmd: make --size ${one.size} a.txt
  params: [one]
  deps: [b.txt]
  outs: [a.txt]
two:
  matrix: {form: [x, y], precision: [8]}
  cmd: convert ${item.form} ${item.precision}
  deps: ["in/${item.form}.pb"]
  outs:
    - "out/${item.form}_${item.precision}.json": {cache: false}
""")


def test_a_matrix_gives_one_stage_per_combination_with_everything_filled_in():
    assert expand(PIPELINE, {"one": {"size": 3}}) == [
        Stage("one", "make --size 3 a.txt", ["b.txt"], ["a.txt"], ["one"]),
        Stage("two@x-8", "convert x 8", ["in/x.pb"], ["out/x_8.json"], []),
        Stage("two@y-8", "convert y 8", ["in/y.pb"], ["out/y_8.json"], []),
    ]


def test_text_without_a_parameter_stays():
    assert fill("a $b {c} ${d.e}", {"d": {"e": 1}}) == "a $b {c} 1"


def test_a_file_that_is_no_pipeline_is_named(tmp_path):
    (tmp_path / "dvc.yaml").write_text("3")
    with pytest.raises(UserError, match="dvc.yaml is not a pipeline"):
        load_pipeline(str(tmp_path / "dvc.yaml"))


@pytest.mark.slow
def test_the_stages_are_those_that_dvc_sees():
    said = subprocess.check_output(
        [os.path.join(ROOT, ".venv", "bin", "dvc"), "stage", "list", "--name-only"], cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DVC_ROOT"})
    stages = expand(load_pipeline(os.path.join(ROOT, "dvc.yaml")),
                    load_params(os.path.join(ROOT, "params.yaml")))
    assert [stage.name for stage in stages] == said.decode().split()
