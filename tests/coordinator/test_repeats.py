"""Lines that repeat themselves: what is said of them, and when."""

from __future__ import annotations

from coordinator.shell.repeats import EVERY_S, Repeats


def test_each_line_is_said_at_once_and_again_only_after_a_while_with_how_often_it_was_not() -> None:
    now_s = 0.0
    repeats = Repeats(lambda: now_s)
    assert [repeats.told("A"), repeats.told("A"), repeats.told("B")] == ["A", None, "B"]
    now_s = EVERY_S - 1
    assert repeats.told("A") is None
    now_s = EVERY_S
    assert repeats.told("A") == "A (and 2 times since it was last said)"
    assert repeats.told("B") == "B"
    assert repeats.told("B") is None
    now_s = 2 * EVERY_S
    assert repeats.told("B") == "B (and once since it was last said)"


def test_of_very_many_lines_no_more_are_kept_than_a_minute_has() -> None:
    now_s = 0.0
    repeats = Repeats(lambda: now_s)
    for number in range(1_000):
        now_s += 1
        for _ in range(2):
            repeats.told(f"line {number}")
    assert len(repeats._said_s) <= EVERY_S
    assert len(repeats._held_back) <= EVERY_S
