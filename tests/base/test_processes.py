"""Work in processes of their own: order, errors, and one that dies."""
import os
import signal
import time

import pytest

from kit.base.cli import UserError
from kit.base.processes import Processes


def square(number):
    time.sleep(0.05 * (number % 3))
    return number ** 2


def sick(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        raise UserError("four is too many")
    if number == 5:
        os._exit(7)
    if number == 6:
        raise MemoryError
    if number == 7:
        return {}["absent"]
    return number


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """As on an emulated CPU; a process that starts from nothing could not import this file."""
    monkeypatch.setenv("EMULATOR", "none")


@pytest.fixture
def pool(forked):
    with Processes(2) as processes:
        yield processes


def test_answers_come_in_the_order_of_the_items(pool):
    assert list(pool.map(square, range(7))) == [0, 1, 4, 9, 16, 25, 36]


def test_answers_that_nobody_waited_for_do_not_disturb(pool):
    assert dict(zip("ab", pool.map(square, [3, 4, 5]))) == {"a": 9, "b": 16}
    assert list(pool.map(square, [2])) == [4]


@pytest.mark.parametrize("number, sentence", [
    (3, "^file 3: the process that worked on it ended .killed: out of memory, perhaps"),
    (4, "^four is too many$"), (5, "^file 5: .*status 7"), (6, "^out of memory: sick"),
])
def test_a_process_that_ends_is_named_and_nobody_waits(number, sentence):
    start = time.monotonic()
    with Processes(2) as processes:
        with pytest.raises(UserError, match=sentence):
            list(processes.map(sick, [1, number, 2], "file {}".format))
    assert time.monotonic() - start < 20


def test_a_fault_of_ours_is_not_called_a_users(capfd):
    with Processes(1) as processes:
        with pytest.raises(RuntimeError, match="KeyError"):
            list(processes.map(sick, [7]))
    assert '["absent"]' in capfd.readouterr().err


def test_no_process_is_left_behind():
    with Processes(2) as processes:
        list(processes.map(square, [1, 2]))
        numbers = [worker.process.pid for worker in processes._workers]
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
