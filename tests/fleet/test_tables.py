"""Alarms and health from the events of partitions."""
import fleets  # noqa: F401  skips where its environment is not
from kit.fleet import tables


def event(kind, start, end, peak):
    return {"sensor": "a", "event": kind, "start": start, "end": end, "time": "t%d" % (end or start),
            "peak_score": peak, "evidence": "residual" if kind == "begin" else None}


ACROSS = [event("begin", 3, None, 4.0), event("open", 3, 8, 5.0), event("end", 3, 10, 6.0),
          event("begin", 20, None, 4.5), event("open", 20, 25, 4.5)]


def test_an_alarm_across_two_partitions_is_one():
    rows = tables.without_open(ACROSS)
    assert [row["event"] for row in rows] == ["begin", "end", "begin", "open"]
    first, last = tables.alarms({"a": rows})
    assert (first["start"], first["end"], first["end_time"], first["peak_score"]) == (3, 10, "t10", 6)
    assert last["start"] == 20 and "end" not in last and last["evidence"] == "residual"


def test_lines_are_those_of_detect():
    assert tables.lines(ACROSS[:1]) == "event,start,end,time,peak_score\nbegin,3,,t3,4.0\n"


def test_health_worked():
    part = {"rows": 720, "samples": 720, "missing": 72, "channels": 2, "interval_s": 60.0,
            "last_sample": 1440, "drift": 0.5}
    chain = [part, dict(part, rows=1440, drift=0.25)]
    alarms = [{"sensor": "a", "start": 0, "end": 144}, {"sensor": "a", "start": 1296}]
    assert tables.health({"a": chain}, alarms) == [{
        "sensor": "a", "rows": 1440, "samples": 1440, "days": 1.0, "missing_share": 0.05,
        "alarms": 2, "alarms_per_day": 2.0, "alarm_share": 0.2, "residual_drift_decades": 0.25}]


def test_the_worst_come_first():
    rows = [{"sensor": name, "alarms_per_day": rate, "alarm_share": 0.1}
            for name, rate in (("a", 1), ("c", 2), ("b", 2))]
    assert [row["sensor"] for row in tables.worst(rows, 2)] == ["b", "c"]
