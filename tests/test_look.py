"""Looking at a log: what it prints is what `generate` needs to read it."""
import numpy as np
import pytest
import yaml

import look
from kit.base.cli import UserError
from kit.record.records import read_record
from kit.source.parts import PARTS, split

START = np.datetime64("2021-03-13T00:00:00")
N = 300


def moments(form, step_s=60):
    times = (START + np.arange(N) * np.timedelta64(step_s, "s")).tolist()
    return [time.strftime(form) for time in times]


def table(*columns, separator=",", above=""):
    """A text of columns, each a name and N cells."""
    lines = [separator.join(name for name, _ in columns)] if columns[0][0] else []
    lines += [separator.join(map(str, row)) for row in zip(*(cells for _, cells in columns))]
    return above + "\n".join(lines) + "\n"


A, B = ("a", list(range(N))), ("b", [row % 7 + 0.5 for row in range(N)])
CLASSIC = moments("%Y-%m-%d %H:%M:%S")
CASES = {
    "iso": (table(("t", CLASSIC), A, B), "a row every 60 s; 0 distances longer"),
    "pattern": (table(("t", moments("%d/%m/%Y %I:%M %p")), A, B), "%d/%m/%Y %I:%M %p"),
    "two columns": (table(("d", moments("%d.%m.%Y")), ("h", moments("%H:%M:%S")), A, B), "d and h"),
    "time last": (table(A, B, ("t", CLASSIC)), "time_column: t"),
    "title": (table(("t", CLASSIC), A, B, above="Plant 7\n\n"), "2 lines above the line of names"),
    "no names": (table(("", CLASSIC), A, B), "no line of names"),
    "marks": (table(("t", CLASSIC), ("a", ["Bad" if row == 9 else row for row in range(N)]), B),
              "taken as missing: Bad"),
    "label": (table(("t", CLASSIC), A, B, ("state", ["Normal"] * 290 + ["Attack"] * 10)),
              "suspected label: state, Normal, Attack"),
    "constant and words": (table(("t", CLASSIC), A, B, ("c", [3] * N), ("note", [
        "n%d" % row for row in range(N)])), "ignore_columns: [c, note]"),
    "newest first": (table(*[(name, cells[::-1]) for name, cells in (("t", CLASSIC), A, B)]),
                     "299 rows earlier than the row before"),
    "duplicates": (table(("t", CLASSIC[:9] + CLASSIC[8:-1]), A, B), "1 row with the time of the row"),
    "uneven": (table(("t", [str(START + np.timedelta64(int(second), "s")) for second in np.cumsum(
        np.random.RandomState(0).randint(20, 200, N))]), A, B), "resample: 1"),
    "sparse": (table(("t", CLASSIC), A, ("b", [row if row % 9 == 0 else "" for row in range(N)])),
               "fill: {b: hold}"),
    "sentinel": (table(("t", CLASSIC), A, ("b", [-9999 if row == 77 else row % 7 for row in range(N)])),
                 "missing: [{b: -9999.0}]"),
    "long": (table(("t", sorted(CLASSIC[:150] * 2)), ("tag", ["x", "y"] * 150), ("v", range(N))),
             "tag_column: tag"),
    "no times": (table(A, B), "no column of times"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_is_printed_is_what_generate_needs(case, tmp_path, capsys):
    text, words = CASES[case]
    path = tmp_path / "plant.csv"
    path.write_text(text)
    look.main([str(path)])
    said = capsys.readouterr().out
    assert words in said
    assert (tmp_path / "plant.csv.png").read_bytes().startswith(b"\x89PNG")
    pasted = yaml.safe_load(said[said.index("generate:\n"):said.index("\nchannels drawn")])
    settings = dict({"shares": [0.5, 0.2, 0.3], "time": "auto"}, **pasted["generate"]["log"])
    paths = {name: str(tmp_path / (name + ".csv")) for name in PARTS + ("events",)}
    split(str(path), settings, 10, paths)
    parts = [read_record(paths[name]) for name in PARTS]
    assert len(parts[0].channels) == 2 and sum(len(part.time) for part in parts) >= 150


def test_a_folder_of_recordings(tmp_path, capsys):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in "xy":
        (folder / (name + ".csv")).write_text(table(("t", CLASSIC), A, B))
    look.main([str(folder), "--plot", str(tmp_path / "p.png")])
    said = capsys.readouterr().out
    assert "600 rows, 2 channels: a, b" in said and "sessions: files" in said
    assert (tmp_path / "p.png").exists()


@pytest.mark.parametrize("text", ["", "\x00\x01", "a\n", "x y z\n1 2\n"])
def test_what_is_no_log_is_one_sentence(tmp_path, text):
    (tmp_path / "plant.csv").write_text(text)
    with pytest.raises(UserError, match="plant.csv") as error:
        look.main([str(tmp_path / "plant.csv")])
    assert "\n" not in str(error.value)
