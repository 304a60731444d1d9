"""What the page and the tables read of the other stages' results, checked by name."""
import os

import numpy as np
import pandas as pd

from kit.base.cli import UserError, read_json
from kit.base.expect import Each, Maybe, Number, Optional, Text, Whole, expect

NUMBER, SHARE = Maybe(Number()), Maybe(Number(low=0, high=1))
RANGE = {"min": Number(), "max": Number(), "values": [NUMBER]}
TENSOR = {"name": Text, "shape": [Whole(low=0)], "type": Text}
OBJECTS = {
    "metrics.json": Each(Each(NUMBER)),
    "parity.json": Each(dict(
        {"forecast_mean_abs_diff": NUMBER, "output_std": Number(above=0)},
        **dict.fromkeys(("alarms_same", "alarms_gained", "alarms_lost"), Optional(Whole())))),
    "quantization.json": Each({"reference": Text, "decisions_changed": NUMBER,
                               "vus_pr_change": Optional(NUMBER)}),
    "spread.json": {"detectors": Optional(Each(Each(RANGE)))},
}
LABELLED = {key: NUMBER for key in ("vus_pr", "false_alarms_per_day", "median_delay_s")}
DESCRIPTION = {
    "form": Text, "precision": Text, "size_bytes": Whole(above=0), "inputs": [TENSOR],
    "outputs": [TENSOR], "operators": [{"operator": Text, "version": Whole(), "count": Whole()}],
    "parity": {"mean_abs_diff": NUMBER, "max_abs_diff": NUMBER},
}
RUNTIMES = [{"file": Text, "runtimes": Each({
    "status": Text, "max_of_std": Optional(NUMBER), "says": Optional(Text), "decisions": Optional({
        "to_first": Each(Whole()), "to_keras": Optional(Each(Whole())), "margin": NUMBER,
        "largest_difference": NUMBER})})}]
TEXT, FINITE, ROW = "text", "a finite number", "a row number"
COLUMNS = {
    "alarms.csv": {"detector": TEXT, "start": ROW, "end": ROW, "verdict": TEXT},
    "history.csv": {"epoch": ROW, "mse": FINITE, "mae": FINITE, "validation_mse": FINITE,
                    "validation_mae": FINITE},
    "score.csv": {"time": TEXT, "detector": TEXT, "score": FINITE, "threshold": FINITE},
    "roc.csv": {"detector": TEXT, "false_positive_rate": FINITE, "recall": FINITE},
    "pr.csv": {"detector": TEXT, "recall": FINITE, "precision": FINITE},
    "recall_by_kind.csv": {"detector": TEXT, "kind": TEXT, "event_recall": FINITE},
    "recall_by_severity.csv": {"detector": TEXT, "severity": TEXT, "event_recall": FINITE},
}


def read_object(path, wanted=None):
    """The content of a JSON file; UserError naming the key that is not as its stage writes it."""
    content, wanted = read_json(path), wanted or OBJECTS[os.path.basename(path)]
    expect(content, wanted, path)
    if wanted is OBJECTS["metrics.json"]:
        for name, values in content.items():
            if values.get("event_recall") is not None:
                expect(values, LABELLED, path, name)
    return content


def read_table(path):
    """A CSV file of the stage evaluate; UserError naming the row and column that is not."""
    try:
        table = pd.read_csv(path, encoding="utf-8")
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "no such file"))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise UserError("%s is not a CSV file: %s" % (path, " ".join(str(error).split())))
    wanted = COLUMNS[os.path.basename(path)]
    lacking = [name for name in wanted if name not in table.columns]
    if lacking:
        raise UserError("%s: the column %s is missing" % (path, lacking[0]))
    for name, what in wanted.items():
        if what != TEXT:
            table[name] = _numbers(path, table[name], what)
    return table


def _numbers(path, column, what):
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    if what == ROW:
        wrong |= (numbers != numbers.round()) | (numbers < 0) | (numbers > 2 ** 53)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError("%s: row %d, column %s is %r; %s is needed"
                        % (path, row + 1, column.name, column.iloc[row], what))
    return numbers.astype("int64") if what == ROW else numbers
