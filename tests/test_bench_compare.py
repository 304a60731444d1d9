"""Two benches side by side: what moved beyond the spread is marked, nothing else."""
import json

import pytest

import bench_compare
from kit.base.cli import UserError


def entry(middle, spread=1, **more):
    return dict({"times_us": [middle - spread, middle, middle + spread]}, **more)


OLD = {"same": entry(10), "slower": entry(10, size_bytes=100), "noisy": entry(10, 8),
       "gone": entry(5), "taken": {"refused": "no kernel"}}
NEW = {"same": entry(10.4), "slower": entry(20, size_bytes=120), "noisy": entry(14, 8),
       "taken": entry(7), "fresh": entry(3)}


def test_what_moved_beyond_the_spread_is_marked():
    lines = {line.split("  ")[0]: line for line in bench_compare.rows(OLD, NEW)[1:]}
    assert lines["slower"].split() == [
        "slower", "10", "20", "2", "!", "size_bytes", "100", "to", "120"]
    assert [name for name, line in lines.items() if "!" in line] == ["slower"]
    assert lines["same"].split() == ["same", "10", "10.4", "1.04"]
    assert lines["gone"].split() == ["gone", "5", "-"]
    assert lines["taken"].split() == ["taken", "refused", "7"]
    assert lines["fresh"].split() == ["fresh", "-", "3"]


def test_the_script_prints_them(tmp_path, capsys):
    for name, results in (("a.json", OLD), ("b.json", NEW)):
        (tmp_path / name).write_text(json.dumps({"facts": {}, "results": results}))
    bench_compare.main([str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert len(capsys.readouterr().out.splitlines()) == 7


@pytest.mark.parametrize("content, sentence", [
    ({}, "the key results is missing"),
    ({"results": {"x": {"times_us": []}}}, r"results.x.times_us is \[\]"),
    ({"results": {"x": {"times_us": [float("nan")]}}}, r"results.x.times_us\[0\] is NaN"),
])
def test_what_is_no_bench_is_refused_by_key(tmp_path, content, sentence):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="a.json: " + sentence):
        bench_compare.read_bench(str(tmp_path / "a.json"))
