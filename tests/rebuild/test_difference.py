"""Two files that should be the same: the first difference is named."""
import numpy as np
import pytest

from kit.rebuild.difference import first_difference


def pair(tmp_path, ending, *contents):
    paths = [tmp_path / (name + ending) for name in "ab"]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    return [str(path) for path in paths]


def test_a_table_names_its_line(tmp_path):
    paths = pair(tmp_path, ".csv", b"time,x\n1,0.5\n2,0.5\n", b"time,x\n1,0.5\n2,0.25\n")
    assert first_difference(*paths) == "line 3: `2,0.5` and `2,0.25`"
    paths = pair(tmp_path, ".csv", b"a\n1\n", b"a\n")
    assert first_difference(*paths) == "2 and 1 lines"


def test_anything_else_names_its_byte(tmp_path):
    assert first_difference(*pair(tmp_path, ".png", b"abcd", b"abXd")) == "byte 2 of 4 and 4"
    assert first_difference(*pair(tmp_path, ".png", b"ab", b"abc")) == "byte 2 of 2 and 3"
    # A line end is a byte, too.
    assert first_difference(*pair(tmp_path, ".csv", b"a\n", b"a\r\n")) == "byte 1 of 2 and 3"


def test_a_model_names_its_dataset(tmp_path):
    import h5py

    paths = [str(tmp_path / name) for name in ("a.h5", "b.h5")]
    for path, last in zip(paths, (1.0, 1.5)):
        with h5py.File(path, "w") as file:
            file["layer/bias"] = np.zeros(3)
            file["layer/kernel"] = np.array([[0, 0], [0, last]])
    assert first_difference(*paths) == (
        "dataset layer/kernel: 1 of 4 numbers, at most 0.5 apart")


@pytest.mark.slow
def test_a_graph_names_its_node(tmp_path):
    from kit.tf.tf115 import tf

    contents = []
    for value in (1.0, 3.0):
        with tf.Graph().as_default() as graph:
            tf.constant([0.0], name="same")
            tf.constant([0.0, value], name="weights")
            contents.append(graph.as_graph_def().SerializeToString(deterministic=True))
    assert first_difference(*pair(tmp_path, ".pb", *contents)) == (
        "node weights: 1 of 2 numbers, at most 2 apart")
