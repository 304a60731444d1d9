"""What a JSON file must hold, checked before anything computes with it.

The standard library alone, as on the device that runs detect; params.yaml has a JSON schema.

    expect(content, {"channels": [Text], "mean": [Number()], "std": [Number(above=0)]}, path)
"""
import json
import math
from typing import NamedTuple

from kit.base.cli import UserError

LARGEST = 1e30  # float32 ends at 3e38, and a square of what is beyond this would be infinite


class Number(NamedTuple):
    """A finite number: at least `low`, above `above`, at most `high`."""

    low: float = -LARGEST
    above: float = -math.inf
    high: float = LARGEST

    def holds(self, value):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and value > self.above  # false for NaN

    def __str__(self):
        limits = ["above %g" % self.above] * (self.above > -math.inf)
        limits += ["at least %g" % self.low] * (self.low > -LARGEST and not limits)
        limits += ["at most %g" % self.high] * (self.high < LARGEST)
        return " ".join(["a finite number", " and ".join(limits)]).strip()


class Whole(Number):
    """A whole number."""

    def holds(self, value):
        return isinstance(value, int) and super().holds(value)

    def __str__(self):
        return super().__str__().replace("finite", "whole")


class Each(NamedTuple):
    """An object of any keys, whose values are all as wanted."""

    wanted: object


class Maybe(NamedTuple):
    """As wanted, or null."""

    wanted: object


class Optional(NamedTuple):
    """A key that may be missing."""

    wanted: object


NAMES = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
Text, Truth = str, bool


def expect(value, wanted, path, where=""):
    """UserError naming file and key unless the value is as wanted.

    wanted : Number, Whole, Text, Truth; [wanted] for a list of at least one such item; a dict for
        an object with these keys and any more; Each, Maybe, Optional
    """
    if isinstance(wanted, Maybe):
        if value is not None:
            expect(value, wanted.wanted, path, where)
    elif isinstance(wanted, list):
        _need(isinstance(value, list) and value, value, "a list that is not empty", path, where)
        for number, item in enumerate(value):
            expect(item, wanted[0], path, "%s[%d]" % (where, number))
    elif isinstance(wanted, (dict, Each)):
        _need(isinstance(value, dict), value, "an object", path, where)
        _expect_keys(value, wanted, path, where)
    elif isinstance(wanted, type):
        _need(isinstance(value, wanted), value, NAMES[wanted], path, where)
    else:
        _need(wanted.holds(value), value, wanted, path, where)


def _expect_keys(value, wanted, path, where):
    inner = {key: wanted.wanted for key in value} if isinstance(wanted, Each) else wanted
    for key, item in inner.items():
        place, optional = (where + "." + key).strip("."), isinstance(item, Optional)
        if key in value:
            expect(value[key], item.wanted if optional else item, path, place)
        elif not optional:
            raise UserError("%s: the key %s is missing" % (path, place))


def _need(fits, value, wanted, path, where):
    if not fits:
        large = isinstance(value, (list, dict)) and value
        raise UserError("%s: %s is %s; %s is needed" % (
            path, where or "the content",
            NAMES[type(value)] if large else json.dumps(value)[:60], wanted))
