"""What the page reads of other stages: the key, or the row and column, that is wrong is named."""
import json

import pytest

from kit.base.cli import UserError
from kit.page.inputs import COLUMNS, ROW, TEXT, read_object, read_table


@pytest.mark.parametrize("name, content, sentence", [
    ("metrics.json", [], "the content is \\[\\]; an object"),
    ("metrics.json", {"keras": {"vus_pr": "<b>"}}, 'keras.vus_pr is "<b>"'),
    ("metrics.json", {"keras": {"event_recall": 1}}, "the key keras.vus_pr is missing"),
    ("parity.json", {"a": {"forecast_mean_abs_diff": 0.1, "output_std": 0}}, "a.output_std is 0"),
    ("quantization.json", {"a": {"reference": 1}}, "a.reference is 1; text is needed"),
    ("spread.json", {"detectors": {"a": {"vus_pr": {"min": 0}}}}, "a.vus_pr.max is missing"),
])
def test_a_wrong_key_is_named(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="%s: .*%s" % (name, sentence)):
        read_object(str(path))


def table(name, **cells):
    values = {column: "1" for column in COLUMNS[name]}
    values.update(cells)
    return ",".join(values) + "\n" + ",".join(values.values()) + "\n"


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_tables_are_read_and_their_damaged_cells_named(tmp_path, name):
    path = tmp_path / name
    path.write_text(table(name))
    assert len(read_table(str(path))) == 1
    for column, what in COLUMNS[name].items():
        path.write_text(table(name).replace(column, "x", 1))
        with pytest.raises(UserError, match="the column %s is missing" % column):
            read_table(str(path))
        for cell in ("", "nan", "<b>", "inf", "1.5", "-3")[:0 if what == TEXT else
                                                           6 if what == ROW else 4]:
            path.write_text(table(name, **{column: cell}))
            with pytest.raises(UserError, match="row 1, column %s is" % column):
                read_table(str(path))


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n1,2,3,4\n", b'"'])
def test_what_is_no_table_is_refused(tmp_path, data):
    (tmp_path / "roc.csv").write_bytes(data)
    with pytest.raises(UserError, match="roc.csv"):
        read_table(str(tmp_path / "roc.csv"))
