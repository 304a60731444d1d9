"""Work in another environment: a process of its own there, asked over a pipe.

TFLite's interpreters do not share an environment with TensorFlow 1.15, and each may end its whole
process on a file that it does not like. So each gets a process:

    with Worker(".venv-litert", "ai_edge_litert") as worker:
        worker.ask("run", model="step_int8.tflite", samples="stream.npy", output="out.npy")

One question is a line of JSON, and so is its answer. The process side needs numpy alone and runs
under CPython 3.7 and later.
"""
import json
import os
import subprocess
import sys
import tempfile

from kit.base.cli import UserError

SCRIPTS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
ROOT = os.path.dirname(SCRIPTS)
CHATTER = ("INFO:", "WARNING:", "I0000", "W0000")  # lines of stderr that explain no refusal
KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")  # of the environment; no pin of scripts/run


class Refused(Exception):
    """The other side cannot do it: the first line of what it said."""


class Worker:
    """A process in the environment `venv` (a folder of the project) that runs `module`'s commands.

    module : a module whose COMMANDS are functions by name; each takes and gives JSON's types
    cpu : the number of the CPU to stay on; None for any
    """

    def __init__(self, venv, module, cpu=None):
        python = os.path.join(ROOT, venv, "bin", "python")
        if not os.path.exists(python):
            raise UserError("there is no environment %s: run `sh scripts/setup %s`"
                            % (venv, venv.replace(".venv-", "")))
        settings = {key: os.environ[key] for key in KEPT if key in os.environ}
        settings.update(PYTHONPATH=SCRIPTS, PYTHONDONTWRITEBYTECODE="1", PYTHONNOUSERSITE="1",
                        TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1",
                        OPENBLAS_NUM_THREADS="1", PYTHONWARNINGS="ignore")
        self._log = tempfile.TemporaryFile("a+", encoding="utf-8")  # both sides append
        self._process = subprocess.Popen(
            [python, "-m", "kit.bench.worker", module, "" if cpu is None else str(cpu)], cwd=ROOT,
            env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            universal_newlines=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._log.close()

    def ask(self, command, **arguments):
        """The answer of one command; Refused when it failed or the process ended."""
        start = self._log.seek(0, os.SEEK_END)
        try:
            self._process.stdin.write(json.dumps([command, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Refused(self._said(start) or "the process ended with status %s"
                          % self._process.wait())
        answer, error = json.loads(line)
        if error is not None:
            raise Refused(self._said(start) or error)
        return answer

    def _said(self, start):
        """The first telling line on stderr since `start`."""
        self._log.seek(start)
        lines = [line.strip() for line in self._log if line.strip()]
        return next((line[line.startswith("ERROR: ") and 7:] for line in lines
                     if not line.startswith(CHATTER)), "")


def serve(module, questions, answers):
    """Answer each line of `questions` by the commands of `module`."""
    commands = __import__(module, fromlist=["COMMANDS"]).COMMANDS
    for line in questions:
        command, arguments = json.loads(line)
        try:
            answer, error = commands[command](**arguments), None
        except Exception as failure:  # whatever a runtime raises is its answer
            answer, error = None, " ".join(str(failure).split()) or repr(failure)
        sys.stderr.flush()
        answers.write(json.dumps([answer, error]) + "\n")
        answers.flush()


def main(module, cpu):
    if cpu:
        os.sched_setaffinity(0, {int(cpu)})
    with os.fdopen(os.dup(1), "w") as answers:  # what libraries print goes to stderr
        os.dup2(2, 1)
        serve(module, sys.stdin, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
