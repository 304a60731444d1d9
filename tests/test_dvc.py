"""dvc.yaml against the code: what a stage runs is what it depends on."""
import ast
import glob
import os
import re
import subprocess

import pytest
import yaml

from browser import CHROMIUM, browse
from conftest import ROOT
from kit.base.params import load_params
from kit.rebuild.stages import expand, load_pipeline, path_of

MACHINE = "scripts/kit/source/machine.py"

with open(os.path.join(ROOT, "dvc.yaml")) as _file:
    STAGES = yaml.safe_load(
        _file.read().replace("${generate.source}", MACHINE))["stages"]


def source_of(module):
    """kit.base.cli -> scripts/kit/base/cli.py"""
    return "scripts/%s.py" % module.replace(".", "/")


def imports(source):
    """The kit modules that a source file names in an import, at any depth."""
    with open(os.path.join(ROOT, source)) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + ["%s.%s" % (node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("kit.") and os.path.exists(os.path.join(ROOT, source_of(name))):
                yield source_of(name)


def closure(source):
    """A source file and every kit module that it reaches."""
    reached, waiting = set(), [source]
    while waiting:
        source = waiting.pop()
        if source not in reached:
            reached.add(source)
            waiting.extend(imports(source))
    return reached


def expanded():
    """Every stage as DVC runs it."""
    return expand(load_pipeline(os.path.join(ROOT, "dvc.yaml")), load_params(
        os.path.join(ROOT, "params.yaml")))


def script_of(stage):
    shell, launcher, name = STAGES[stage]["cmd"].split()[:3]
    assert (shell, launcher) == ("sh", "scripts/run"), "every stage starts through the launcher"
    return "scripts/%s.py" % name


def sources(stage):
    """The scripts, rooms and modules that a stage lists as dependencies."""
    return {dep for dep in STAGES[stage]["deps"] if dep.startswith("scripts")}


def rooms(modules):
    """scripts/kit/base/cli.py -> scripts/kit/base, a folder in it too; what is in no room stays."""
    return {"/".join(path.split("/")[:3]) if path.startswith("scripts/kit/") else path
            for path in modules}


def test_the_closure_follows_imports_inside_functions():
    assert "scripts/kit/tf/adam.py" in closure("scripts/train.py")
    assert "scripts/kit/tf/tf115.py" in closure("scripts/train.py")


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_its_script_and_on_every_room_that_it_reaches_and_no_other(stage):
    expected = rooms(closure(script_of(stage))) | {"scripts/run"}
    if stage == "attest":  # hashes what every stage depends on
        expected = {"scripts"}
    listed = sources(stage) - {MACHINE}  # the source, beside its own room
    assert listed == expected - {MACHINE}
    assert "requirements.lock" in STAGES[stage]["deps"]


def test_rooms_do_not_import_in_a_circle():
    reads = {}
    for folder, _, names in os.walk(os.path.join(ROOT, "scripts", "kit")):
        for name in names:
            if name.endswith(".py"):
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                reads.setdefault(*rooms([path]), set()).update(rooms(imports(path)))
    while reads:
        leaves = [room for room, others in reads.items() if not (others & set(reads)) - {room}]
        assert leaves, "a circle among %s" % sorted(reads)
        for room in leaves:
            del reads[room]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_has_one_name_all_the_way(stage):
    name = os.path.basename(script_of(stage))[:-3]
    assert stage.split("_")[0] == name
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in (
        STAGES[stage].get("outs", []) + STAGES[stage].get("metrics", [])
        + STAGES[stage].get("plots", []))]
    assert outs
    for out in outs:
        assert out.split("/")[1] == name, out


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_paths_in_the_command_are_dependencies_or_outputs(stage):
    spec = STAGES[stage]
    known = spec["deps"] + [next(iter(out)) if isinstance(out, dict) else out
                            for out in spec.get("outs", [])]
    for word in spec["cmd"].split()[3:]:
        if word.startswith(("data/", "models/", "reports/")):
            assert any((path + "/").startswith(word + "/") or word.startswith(path + "/")
                       for path in known), word


BY_HAND = ("reports/runtimes", "reports/soak", "reports/firmware", "reports/bench", "reports/seeds",
           "reports/records", "reports/compare", "reports/bom", "models/attest/signed.jsonl")  # write there


def test_paths_that_are_defaults_elsewhere_are_those_of_the_pipeline():
    outs = {path_of(out) for spec in expanded() for out in spec.outs}
    sources = ["Makefile"] + glob.glob(os.path.join(ROOT, "scripts", "*.py"))
    found = set()
    for source in sources:
        with open(os.path.join(ROOT, source)) as file:
            text = re.sub(r'""".*?"""', "", file.read(), flags=re.S)  # docstrings show examples
        found |= set(re.findall(r"\b(?:data|models|reports)/[\w./]+\w", text))
    assert "models/convert/step_int8.tflite" in found
    for path in found:
        assert path.startswith(BY_HAND) or path in outs or any(
            out.startswith(path + "/") for out in outs), path


def test_uncached_outputs_belong_to_evaluate_and_report_alone():
    """DVC never restores a stage with an uncached output from its run cache."""
    for stage, spec in STAGES.items():
        uncached = [out for out in spec.get("outs", []) if isinstance(out, dict)]
        assert not uncached or stage in ("evaluate", "report", "attest")


def test_scripts_never_import_each_other():
    scripts = [name for name in os.listdir(os.path.join(ROOT, "scripts")) if name.endswith(".py")]
    for name in scripts:
        with open(os.path.join(ROOT, "scripts", name)) as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [
                    alias.name for alias in node.names]
                assert not {module + ".py" for module in modules} & set(scripts), name


def test_the_page_of_plots_needs_no_network():
    """DVC's own page gets Vega from another server; in ours it stands, ready to be filled."""
    with open(os.path.join(ROOT, ".dvc", "config")) as file:
        name, = re.findall(r"^\s*html_template = (\S+)$", file.read(), re.M)
    with open(os.path.join(ROOT, ".dvc", name), encoding="utf-8") as file:
        page = file.read()
    assert "{plot_divs}" in page and "{scripts}" not in page
    assert not re.search(r"<(script|link)\s[^>]*=", page)
    for library in ("vega 5.", "vega-lite 5.", "vega-embed 6."):
        assert "<!-- %s" % library in page


PLOT = """
import sys
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer

rows = [{"x": x, "y": x * x, "rev": "HEAD"} for x in range(5)]
plot = VegaRenderer(rows, "squares", x="x", y="y", template="linear", title="squares")
render_html([plot], *sys.argv[1:])
"""


def plotted(*arguments):
    """DVC's page of one plot, in DVC's own frame or in the one that is given; its path."""
    subprocess.check_call([os.path.join(ROOT, ".venv-dvc", "bin", "python"), "-c", PLOT]
                          + [str(argument) for argument in arguments])
    return arguments[0]


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium found (Debian: apt-get install chromium)")
def test_a_browser_draws_the_page_of_plots_without_a_request(tmp_path):
    frame = os.path.join(ROOT, ".dvc", "page.html")
    shown, _, requests = browse(plotted(tmp_path / "ours.html", frame), tmp_path)
    assert "<canvas" in shown and requests == []
    shown, _, requests = browse(plotted(tmp_path / "dvcs.html"), tmp_path)
    assert "<canvas" not in shown and len(requests) == 3
