"""JSON files from elsewhere: the key that is wrong is named."""
import json

import pytest

from kit.base.cli import UserError, read_json
from kit.base.expect import Each, Maybe, Number, Optional, Text, Truth, Whole, expect

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("value, wanted", [
    (0, Number()), (-1.5, Number()), (1, Number(above=0, high=1)), (3, Whole(low=3)),
    ("", Text), (True, Truth), ([1, 2], [Number()]), (None, Maybe(Number())), ({}, Each(Number())),
    ({"a": 1, "b": "more"}, {"a": Number()}), ({}, {"a": Optional(Number())}),
])
def test_what_is_wanted_passes(value, wanted):
    expect(value, wanted, "a.json")


@pytest.mark.parametrize("value, wanted, sentence", [
    (NAN, Number(), "the content is NaN; a finite number is needed"),
    (-INFINITE, Number(), "the content is -Infinity"),
    (1e31, Number(), "a finite number is needed"),
    (10 ** 400, Number(), "a finite number is needed"),
    (True, Number(), "the content is true; a finite number"),
    ("1", Number(), 'the content is "1"'),
    (0, Number(above=0), "a finite number above 0 is needed"),
    (2, Number(low=0, high=1), "a finite number at least 0 and at most 1 is needed"),
    (1.5, Whole(), "a whole number is needed"),
    (1, Text, "the content is 1; text is needed"),
    ([], [Number()], "the content is \\[\\]; a list that is not empty is needed"),
    ([1], {}, "the content is a list; an object is needed"),
    ({"a": {"b": [1, None]}}, {"a": {"b": [Number()]}}, r"a.b\[1\] is null; a finite number"),
    ({"x": {}}, Each({"a": Text}), "the key x.a is missing"),
    ({"a": "x"}, {"a": Optional(Number())}, 'a is "x"'),
])
def test_what_is_not_is_named(value, wanted, sentence):
    with pytest.raises(UserError, match="^a.json: .*" + sentence):
        expect(value, wanted, "a.json")


def test_brackets_without_end_are_no_json(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100000)
    with pytest.raises(UserError, match="a.json is not JSON"):
        read_json(str(tmp_path / "a.json"))


def test_every_number_that_python_reads_from_json_is_judged():
    for text in ("NaN", "Infinity", "-Infinity", "1e999"):
        with pytest.raises(UserError, match="finite"):
            expect(json.loads(text), Number(), "a.json")
