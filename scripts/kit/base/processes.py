"""Work in processes of their own: where one ends, what it worked on is named and nobody waits.

The standard library's pools wait for ever (multiprocessing) or do not say which piece of work it
was (concurrent.futures).
"""
import multiprocessing
import os
import queue
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

from kit.base.cli import UserError


class Processes:
    """Processes that start from nothing: TensorFlow does not survive a fork.

    On an emulated CPU they are forked, before TensorFlow is imported: an interpreter that is
    started anew would run on the machine's own.
    """

    def __init__(self, number=2):
        method = "fork" if os.environ.get("EMULATOR") else "spawn"
        context = multiprocessing.get_context(method)
        self._workers = [_Worker(context) for _ in range(number)]
        self._free = queue.Queue()
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    def map(self, function, items, name=str):
        """Yield function(item) of each item, in their order.

        name : function from an item to what to call it where its process ends: UserError
        """
        def answer(item):
            worker = self._free.get()
            try:
                return worker.answer(function, item, name)
            finally:
                self._free.put(worker)

        with ThreadPoolExecutor(len(self._workers)) as threads:
            try:
                yield from threads.map(answer, items)
            except (Exception, KeyboardInterrupt):  # nobody needs what the others are at
                self._end()
                raise


class _Worker:
    """One process, and the pipe to it; it ends when the other side of the pipe does."""

    def __init__(self, context):
        self._pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def answer(self, function, item, name):
        try:
            self._pipe.send((function, item))
            done, value = self._pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            raise UserError("%s: the process that worked on it ended (%s)"
                            % (name(item), _reason(self.process.exitcode)))
        if done:
            return value
        raise value


def _serve(pipe):
    """In the process: answer until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other side's to act on
    while True:
        try:
            function, item = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(item)
        except UserError as error:
            answer = False, error
        except MemoryError:
            answer = False, UserError("out of memory: %s" % getattr(function, "__name__", function))
        except Exception as error:  # a fault of ours: its place is here, not where it is raised again
            traceback.print_exc(file=sys.stderr)
            answer = False, RuntimeError(repr(error))
        pipe.send(answer)


def _reason(code):
    if code == -signal.SIGKILL:
        return "killed: out of memory, perhaps"
    if code < 0:
        return "signal %s" % signal.Signals(-code).name
    return "status %d" % code
