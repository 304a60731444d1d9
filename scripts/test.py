"""Runs the tests with the pins of the stages.

    sh scripts/run test                       every test
    sh scripts/run test -m "not slow"         those that take seconds
    sh scripts/run test tests/test_adam.py    one file

Arguments are pytest's.
"""
import sys

import pytest

if __name__ == "__main__":
    sys.stdout.reconfigure(write_through=True)  # a forked child would print what is held back again
    sys.exit(pytest.main(sys.argv[1:]))
