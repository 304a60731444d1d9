"""Which faults a record gets; test_generate.py has what they do to it."""
from kit.source import injection


def test_plan_fills_the_share_with_plain_and_short_events_first():
    assert injection.plan(900, 0.03) == [
        ("spike", "plain"), ("dropout", "plain"), ("bias", "plain")]
    two_rounds = injection.plan(48000, 0.027)
    assert len(two_rounds) == 72 and two_rounds[:36] == two_rounds[36:]
