"""Intervals of shares, against published examples."""

import pytest

from agent_core.proportions import newcombe_interval, wilson_interval


@pytest.mark.parametrize(
    ("affected", "sessions", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (58, 100, 0.4821, 0.6720),
    ],
)
def test_wilson_interval(affected: int, sessions: int, low: float, high: float) -> None:
    interval = wilson_interval(affected, sessions)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_newcombe_interval_agrees_with_the_published_example() -> None:
    """Newcombe 1998, table II, 56/70 against 48/80: method 10 gives 0.0524 to 0.3339."""
    low, high = newcombe_interval(56, 70, 48, 80)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
