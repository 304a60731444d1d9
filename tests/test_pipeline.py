"""The whole pipeline under DVC on the smoke profile, in clones of this tree."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import DVC, ENVIRONMENT, commit, fresh_tree, outputs, sh

pytestmark = pytest.mark.slow

STAGES = ["generate", "train", "freeze", "convert@window-float32", "convert@step-int8",
          "convert_fused@fused-float32", "evaluate", "firmware", "report"]
QUICK = "--single-item", "report"


def test_a_second_repro_runs_no_stage_and_changes_no_file(built):
    assert "Running stage" not in sh(built, DVC, "repro")
    assert sh(built, "git", "status", "--porcelain") == ""


def test_every_model_file_is_evaluated(built):
    metrics = json.loads((built / "reports" / "evaluate" / "metrics.json").read_text())
    files = {name[:-7] for name in os.listdir(str(built / "models" / "convert"))
             if name.endswith(".tflite")}
    assert files | {"keras", "frozen"} <= set(metrics)
    for name, values in metrics.items():
        for key in ("vus_pr", "auc_pr", "event_recall", "false_alarms_per_day"):
            assert key in values, (name, key)


def test_an_experiment_in_a_temporary_copy_finds_its_environment(built):
    said = sh(built, DVC, "exp", "run", "--temp", *QUICK, "-S", "evaluate.tail_samples=7", "-n", "short")
    assert "Running stage 'report'" in said
    assert "evaluate.tail_samples" in sh(built, DVC, "exp", "diff", "HEAD", "short")


def test_a_queued_experiment_finds_its_environment(built):
    sh(built, DVC, "exp", "run", "--queue", *QUICK, "-S", "evaluate.tail_samples=8", "-n", "queued")
    sh(built, DVC, "queue", "start")
    for _ in range(120):
        said = sh(built, DVC, "queue", "status")
        if "Success" in said or "Failed" in said:
            break
        time.sleep(1)
    logs = sh(built, DVC, "queue", "logs", "queued")
    assert "Success" in said, logs


def test_two_commits_are_compared_without_any_cache(built, tmp_path):
    """What a colleague sees who has the git history alone."""
    work, clone = tmp_path / "work", tmp_path / "clone"
    sh(tmp_path, "git", "clone", "-q", str(built), str(work))
    metrics = work / "reports" / "evaluate" / "headline.json"
    values = json.loads(metrics.read_text())
    values["keras"]["vus_pr"] = 0.125
    metrics.write_text(json.dumps(values, indent=2))
    params = work / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 2", "epochs: 3"))
    commit(work, "changed")
    sh(tmp_path, "git", "clone", "-q", str(work), str(clone))
    said = sh(clone, DVC, "metrics", "diff", "HEAD~1", "--md")
    assert "keras.vus_pr" in said and "0.125" in said
    assert "train.epochs" in sh(clone, DVC, "params", "diff", "HEAD~1", "--md")
    sh(clone, DVC, "plots", "diff", "HEAD~1", "HEAD", "-o", "page")
    page = (clone / "page" / "index.html").read_text()
    for title in ("ROC", "recall"):
        assert title in page


def kill_at_the_next(folder, stages, after_s):
    """Start `dvc repro`, kill -9 its whole process group a moment into the first of some stages.

    The stage; None where `dvc repro` ran none of them. In which order it runs them is its own.
    """
    process = subprocess.Popen([DVC, "repro"], cwd=str(folder), env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               universal_newlines=True, start_new_session=True)
    for line in process.stdout:
        found = re.search("Running stage '(.*)'", line)
        if found and found.group(1) in stages:
            time.sleep(after_s)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return found.group(1)
    process.wait()
    return None


def test_killing_any_stage_changes_nothing_in_the_end(built, tmp_path):
    folder, waiting = fresh_tree(tmp_path), set(STAGES)
    while waiting:
        stage = kill_at_the_next(folder, waiting, after_s=0.5 + 0.6 * len(waiting) % 2.5)
        assert stage, "never run: %s" % sorted(waiting)
        waiting.remove(stage)
    sh(folder, DVC, "repro")
    assert outputs(folder) == outputs(built)
    left = [name for _, _, names in os.walk(str(folder / "data")) for name in names]
    left += [name for _, _, names in os.walk(str(folder / "models")) for name in names]
    assert not [name for name in left if name.endswith(".partial")]
