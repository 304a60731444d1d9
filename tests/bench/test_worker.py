"""A process in another environment: its answers, its refusals, its end."""
import os

import pytest

from conftest import ROOT
from kit.base.cli import UserError
from kit.bench.worker import Refused, Worker

HERE = ".venv"


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A module of commands that a worker can import."""
    (tmp_path / "commands.py").write_text(
        "import os, sys\n"
        "def double(x): print('noise'); return 2 * x\n"
        "def fail(): sys.stderr.write('INFO: hello\\nERROR: bad op\\n'); 1 / 0\n"
        "def quiet(): raise ValueError('no file')\n"
        "def leave(): os._exit(7)\n"
        "COMMANDS = {f.__name__: f for f in (double, fail, quiet, leave)}\n")
    monkeypatch.setattr("kit.bench.worker.SCRIPTS",
                        os.path.join(ROOT, "scripts") + os.pathsep + str(tmp_path))
    return "commands"


def test_a_worker_answers_and_says_why_it_cannot(commands):
    with Worker(HERE, commands) as worker:
        assert worker.ask("double", x=21) == 42
        with pytest.raises(Refused, match="^bad op$"):
            worker.ask("fail")
        with pytest.raises(Refused, match="^no file$"):
            worker.ask("quiet")
        assert worker.ask("double", x=2) == 4


def test_a_process_that_ends_is_a_refusal(commands):
    with Worker(HERE, commands) as worker:
        with pytest.raises(Refused, match="ended with status 7"):
            worker.ask("leave")


def test_a_missing_environment_says_how_to_build_it():
    with pytest.raises(UserError, match="scripts/setup nothere"):
        Worker(".venv-nothere", "kit.bench.contenders")
