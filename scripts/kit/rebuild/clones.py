"""Throwaway clones of HEAD in which the whole pipeline runs again, without DVC's cache."""
import os
import re
import subprocess
import sys
import time

import yaml

from kit.base.cli import UserError, write_text

POLL_S = 1.0
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def git(*words, folder=ROOT):
    """The text that a git command prints; UserError with git's own words when it fails."""
    done = subprocess.run(("git", "-C", folder) + words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise UserError("git %s: %s" % (words[0], done.stderr.decode("utf-8", "replace").strip()))
    return done.stdout.decode("utf-8")


def find(path):
    """The file that a person named; a bare name is looked for among the converted ones too."""
    for candidate in (path, os.path.join(ROOT, "models", "convert", path)):
        if os.path.isfile(candidate):
            return candidate
    raise UserError("%s: no such file, here or in models/convert" % path)


def clone_head(folder):
    """Clone HEAD into a folder, with links to the environments of this project."""
    git("clone", "-q", ROOT, folder)
    for name in (".venv", ".venv-dvc"):
        os.symlink(os.path.realpath(os.path.join(ROOT, name)), os.path.join(folder, name))


def change_params(clone, changes):
    """Set values of params.yaml in a clone; changes: {section: {key: value}}."""
    path = os.path.join(clone, "params.yaml")
    with open(path, encoding="utf-8") as file:
        params = yaml.safe_load(file)
    for section, values in changes.items():
        params[section].update(values)
    write_text(path, yaml.safe_dump(params, sort_keys=False))


def say_stages(log, task, said):
    """Print the stages that a log tells of after the first `said`; how many it tells of."""
    with open(log, errors="replace") as file:
        begun = re.findall(r"^Running stage '(.*)'", file.read(), re.M)
    for stage in begun[said:]:
        print("%s: %s" % (task, stage), file=sys.stderr, flush=True)
    return len(begun)


def repro(clone, log, environment, shell=(), umask=0o022, stages=(), task=None):
    """Run stages and those before them, or all, in a clone, what they print into a log file.

    task : what to call it at the terminal, where each stage is said as it begins
    UserError with the log's last lines when one fails.
    """
    usual = ["sh", "-c", 'umask %03o; exec "$@"' % umask, "sh"]
    with open(log, "w") as file:
        process = subprocess.Popen(
            usual + list(shell) + [os.path.join(clone, ".venv-dvc", "bin", "dvc"), "repro"]
            + list(stages),
            cwd=clone, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            said = 0
            while task and process.poll() is None:
                said = say_stages(log, task, said)
                time.sleep(POLL_S)
        finally:  # also after Ctrl-C, which DVC gets as well
            status = process.wait()
    if status:
        with open(log, errors="replace") as file:
            raise UserError("`dvc repro` in %s failed:\n%s" % (clone, "".join(file.readlines()[-20:])))
