"""The whole pipeline under DVC on the smoke profile, in clones of this tree."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
DVC = os.path.join(ROOT, ".venv", "bin", "dvc")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
ENVIRONMENT.update(GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.org",
                   GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
STAGES = ["generate", "train", "freeze", "convert@window-float32", "convert@step-int8",
          "convert_fused@fused-float32", "evaluate", "report"]


def sh(folder, *command):
    done = subprocess.run(command, cwd=str(folder), env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def commit(folder, message):
    sh(folder, "git", "add", "-A")
    sh(folder, "git", "commit", "-q", "-m", message)


def fresh_tree(folder):
    """What git tracks here, as it is now, in a new repository with the smoke parameters."""
    tracked = sh(ROOT, "git", "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        if os.path.exists(os.path.join(ROOT, name)) and not name.startswith(("reports/", "dvc.lock")):
            target = os.path.join(str(folder), name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(ROOT, name), target)
    for name in (".venv", ".venv-dvc"):
        os.symlink(os.path.join(ROOT, name), str(folder / name))
    shutil.copy(os.path.join(ROOT, "tests", "smoke.yaml"), str(folder / "params.yaml"))
    sh(folder, "git", "init", "-q", "-b", "main")
    commit(folder, "start")
    return folder


def outputs(folder):
    """{path: md5} of everything that the pipeline made."""
    with open(str(folder / "dvc.lock")) as file:
        stages = yaml.safe_load(file)["stages"]
    return {out["path"]: out["md5"] for spec in stages.values() for out in spec["outs"]}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tree in which `dvc repro` ran through, and everything is committed."""
    folder = fresh_tree(tmp_path_factory.mktemp("built"))
    sh(folder, DVC, "repro")
    commit(folder, "built")
    return folder


def test_a_second_repro_runs_no_stage_and_changes_no_file(built):
    assert "Running stage" not in sh(built, DVC, "repro")
    assert sh(built, "git", "status", "--porcelain") == ""


def test_every_model_file_is_evaluated(built):
    metrics = json.loads((built / "reports" / "evaluate" / "metrics.json").read_text())
    files = {os.path.splitext(name)[0] for name in os.listdir(str(built / "models" / "convert"))}
    assert files | {"keras", "frozen"} <= set(metrics)
    for name, values in metrics.items():
        for key in ("vus_pr", "auc_pr", "event_recall", "false_alarms_per_day"):
            assert key in values, (name, key)


def test_an_experiment_in_a_temporary_copy_finds_its_environment(built):
    said = sh(built, DVC, "exp", "run", "--temp", "-S", "train.epochs=1", "-n", "short")
    assert "Running stage 'train'" in said and "Running stage 'generate'" not in said
    assert "train.epochs" in sh(built, DVC, "exp", "diff", "HEAD", "short")


def test_a_queued_experiment_finds_its_environment(built):
    sh(built, DVC, "exp", "run", "--queue", "-S", "evaluate.seed=8", "-n", "queued")
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
    metrics = work / "reports" / "evaluate" / "metrics.json"
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


def kill_while(folder, stage, after_s):
    """Start `dvc repro`, kill -9 its whole process group a moment into a stage."""
    process = subprocess.Popen([DVC, "repro"], cwd=str(folder), env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               universal_newlines=True, start_new_session=True)
    for line in process.stdout:
        if "Running stage '%s'" % stage in line:
            time.sleep(after_s)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


def test_killing_any_stage_changes_nothing_in_the_end(built, tmp_path):
    folder = fresh_tree(tmp_path)
    for number, stage in enumerate(STAGES):
        assert kill_while(folder, stage, after_s=0.5 + 0.6 * number % 2.5), stage
    sh(folder, DVC, "repro")
    assert outputs(folder) == outputs(built)
    left = [name for _, _, names in os.walk(str(folder / "data")) for name in names]
    left += [name for _, _, names in os.walk(str(folder / "models")) for name in names]
    assert not [name for name in left if name.endswith(".partial")]
