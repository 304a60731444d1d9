"""Pictures of a scored record: what is cut out, what is chosen, the same bytes again."""
import numpy as np

from kit.page import plots


def scored(events=(), alarms=(), rows=100, channels=("a", "b", "c")):
    time = np.datetime64("2020-01-01T00:00:00", "s") + 60 * np.arange(rows)
    values = np.arange(rows * len(channels), dtype=float).reshape(rows, len(channels))
    return plots.Scored(time, list(channels), values, np.linspace(0, 1, rows), 0.5,
                        np.array(list(alarms), int).reshape(-1, 2), list(events))


def test_a_cut_keeps_what_reaches_in_and_counts_from_its_start():
    whole = scored(events=[(10, 30, "drift", ["a"]), (80, 90, "spike", ["b"])],
                   alarms=[(5, 25), (60, 70)])
    part = whole.cut(20, 60, ["b", "a"])
    assert part.channels == ["b", "a"] and part.values[0].tolist() == [61.0, 60.0]
    assert part.events == [(0, 10, "drift", ["a"])] and part.alarms.tolist() == [[0, 5]]
    assert len(part.time) == len(part.score) == 40


def test_the_busiest_stretch_holds_the_most_kinds_of_events():
    events = [(10, 20, "spike", ["a"]), (60, 70, "spike", ["a"]), (400, 410, "drift", ["b"]),
              (450, 460, "spike", ["c"]), (900, 910, "bias", ["a"])]
    record = scored(events, rows=1000)
    assert plots.busiest(record, 100) == (395, 495)
    assert plots.busiest(record, 5000) == (0, 1000)
    record.score[300:] = np.nan
    assert plots.busiest(record, 100) == (5, 105), "only where there is a score"


def test_the_busiest_stretch_without_labels_holds_alarms():
    assert plots.busiest(scored(alarms=[(500, 510)], rows=1000), 100) == (495, 595)
    assert plots.busiest(scored(rows=1000), 100) == (0, 100)


def test_channels_are_chosen_by_the_events_that_alter_them_and_keep_their_order():
    events = [(1, 2, "spike", ["c"]), (3, 4, "drift", ["c", "b"])]
    assert plots.most_altered(scored(events), 2) == ["b", "c"]
    assert plots.most_altered(scored(), 2) == ["a", "b"]


def test_the_same_record_gives_the_same_picture():
    record = scored([(10, 30, "drift", ["a"])], [(12, 20)])
    first, second = (plots.svg(plots.record_figure(record, (8, 4))) for _ in range(2))
    assert first == second and "drift" in first
