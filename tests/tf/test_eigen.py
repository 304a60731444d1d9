"""The caches that Eigen sees: they decide the order of long sums, and can be set."""
import os

import numpy as np
import pytest

from kit.base.cli import UserError
from kit.tf import eigen

SMALL, LARGE = (32768, 524288, 33554432), (49152, 2097152, 33554432)


def product(terms):
    """The bytes of a float32 matrix product whose sums have so many terms."""
    from kit.tf.tf115 import session, tf

    rng = np.random.RandomState(0)
    with tf.Graph().as_default(), session() as running:
        a, b = (tf.constant(rng.randn(*shape), tf.float32) for shape in ((64, terms), (terms, 64)))
        return running.run(tf.matmul(a, b)).tobytes()


@pytest.fixture
def sizes():
    yield eigen.set_cache_bytes
    eigen.set_cache_bytes([int(size) for size in os.environ["EIGEN_CACHE_BYTES"].split(",")])


def test_long_sums_are_cut_by_the_l1_cache_and_short_ones_are_not(sizes):
    found = []
    for these in (SMALL, LARGE, SMALL):
        sizes(these)
        found.append((product(128), product(1024)))
    assert found[0] == found[2]
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


def test_the_launcher_names_the_small_one(sizes):
    pinned = product(1024)
    sizes(SMALL)
    assert product(1024) == pinned


def test_every_library_with_kernels_has_a_copy():
    assert [len(eigen._places(path)) for path in eigen._paths()] == [1, 1, 2, 2]


def test_a_stripped_library_is_named(monkeypatch):
    with open("/proc/self/maps") as file:
        libm = next(line.split()[-1] for line in file if "/libm" in line)
    monkeypatch.setattr(eigen, "_paths", lambda: [libm])
    with pytest.raises(UserError, match="libm.* has no symbols"):
        eigen.set_cache_bytes(SMALL)
