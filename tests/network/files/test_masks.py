"""The masks of Keras 3's functional models, which stand in the file as operators."""
import pytest

from kit.base.cli import UserError
from kit.network.files.masks import without_masks
from keras_files import tensor


def call(name, kind, *given, mask=(), module="keras.layers", **config):
    kwargs = {"mask": tensor(mask) if mask else None} if mask != () else {}
    args = [tensor(value) if isinstance(value, str) else value for value in given]
    return {"name": name, "class_name": kind, "module": module, "config": config,
            "inbound_nodes": [{"args": args, "kwargs": kwargs}]}


def operator(name, kind, *given):
    return call(name, kind, *given, module="keras.src.ops.numpy")


MASKING = [call("masking", "Masking", "x", mask_value=-1.0), operator("differs", "NotEqual", "x", -1.0),
           operator("any", "Any", "differs")]
WORDS = [call("words", "Embedding", "x", mask_zero=True), operator("differs", "NotEqual", "x", 0)]


@pytest.mark.parametrize("before, mask", [(MASKING, "any"), (WORDS, "differs")])
def test_what_makes_a_mask_is_left_out(before, mask):
    behind = [call("lstm", "LSTM", before[0]["name"], mask=mask), call("gru", "GRU", "lstm", mask=None),
              call("out", "Dense", "gru")]
    kept, takes = without_masks("m", before + behind)
    assert [item["name"] for item in kept] == [before[0]["name"], "lstm", "gru", "out"]
    assert takes == {"lstm": True, "gru": False}


def test_a_mask_that_meets_itself_is_the_same():
    """As Add and Concatenate of a masked sequence and what an LSTM makes of it write it down."""
    met = [operator("both", "LogicalOr", "any", "any"), operator("wide", "ExpandDims", "both", -1),
           operator("none", "ZerosLike", "masking"), operator("joined", "Concatenate", ["wide", "none"]),
           call("lstm", "LSTM", "masking", mask="joined")]
    met[3]["inbound_nodes"][0]["args"] = [[tensor("wide"), tensor("none")]]
    kept, takes = without_masks("m", MASKING + met)
    assert [item["name"] for item in kept] == ["masking", "lstm"] and takes == {"lstm": True}


@pytest.mark.parametrize("others, mask", [
    ([operator("mine", "Greater", "x", 0.5)], "mine"),  # the person's own
    ([operator("other", "NotEqual", "x", -2.0)], "other"),  # no Masking makes it
    ([operator("ones", "OnesLike", "x"), operator("all", "LogicalOr", "ones", "any")], "all"),
    ([call("second", "Masking", "y", mask_value=-1.0), operator("there", "NotEqual", "y", -1.0),
      operator("either", "LogicalOr", "any", "there")], "either"),  # 1.15 asks for both
    ([operator("circle", "Any", "circle")], "circle"),
    ([operator("odd", "NotEqual", "x", {"a": 1})], "odd"),
    ([], "masking")])
def test_a_mask_that_1_15_would_make_otherwise_is_a_sentence(others, mask):
    with pytest.raises(UserError, match="m: layer 'lstm' takes a mask that is not that of one Masking"):
        without_masks("m", MASKING + others + [call("lstm", "LSTM", "masking", mask=mask)])


def test_files_without_masks_stay_as_they_are():
    older = [{"name": "lstm", "class_name": "LSTM", "config": {}, "inbound_nodes": [[["x", 0, 0, {}]]]}]
    sliced = [operator("last", "GetItem", "x"), call("lstm", "LSTM", "last", mask=None)]
    for items in (older, sliced):
        assert without_masks("m", items) == (items, {})
