"""The broker's time as far as it is known, and a minute's bars gathered until they are complete."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.core.values import MINUTE, Bar
from coordinator.settings import simulator_settings
from coordinator.shell.clock import BrokerClock
from coordinator.shell.gather import Gatherer
from coordinator.shell.intake import BarIntake
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from tests.coordinator.bench import OPEN, STOCKS, bar, spec

NOON = datetime(2026, 3, 17, 16, tzinfo=UTC)


class Ticking:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_at_real_speed_local_time_carries_the_brokers_forward() -> None:
    local = Ticking()
    clock = BrokerClock(1, local)
    clock.advance(NOON)
    local.s += 30
    assert clock.now() == NOON + timedelta(seconds=30)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux's own clock")
def test_after_a_machines_sleep_the_bars_that_came_meanwhile_are_known_to_be_late(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    budgets = Budgets(simulator_settings("http://nowhere", tmp_path), speed=1, folder=tmp_path)
    clock = BrokerClock(1, Ports.real(budgets).monotonic)
    clock.advance(NOON)
    real, slept_s = time.clock_gettime, {time.CLOCK_BOOTTIME: 180.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + slept_s.get(clock, 0.0))
    assert clock.now() - NOON > timedelta(minutes=3)


def test_a_faster_clock_moves_only_when_the_broker_says_so() -> None:
    local = Ticking()
    clock = BrokerClock(600, local)
    clock.advance(NOON)
    local.s += 30
    assert clock.now() == NOON
    clock.advance(NOON + timedelta(minutes=5))
    assert clock.now() == NOON + timedelta(minutes=5)


@pytest.mark.parametrize("speed", [1, 600])
def test_what_was_true_earlier_does_not_turn_time_back(speed: float) -> None:
    local = Ticking()
    clock = BrokerClock(speed, local)
    clock.advance(NOON)
    clock.advance(NOON - timedelta(minutes=1))
    assert clock.now() == NOON


@pytest.mark.parametrize(("speed", "expected_s"), [(1, 3.5), (600, 0.0)])
def test_a_step_of_the_brokers_clock_is_what_local_time_does_not_explain(
    speed: float, expected_s: float
) -> None:
    local = Ticking()
    clock = BrokerClock(speed, local)
    clock.advance(NOON)
    local.s += 30
    assert clock.step_s(NOON + timedelta(seconds=33.5)) == expected_s
    assert clock.step_s(NOON + timedelta(seconds=26.5)) == -expected_s


def test_waits_scale_with_the_brokers_speed_down_to_a_floor() -> None:
    clock = BrokerClock(600, Ticking())
    assert clock.local_s(60) == 0.1
    assert clock.local_s(60, least_s=2) == 2
    assert BrokerClock(1, Ticking()).local_s(60) == 60


def test_a_clock_that_was_never_read_says_nothing() -> None:
    with pytest.raises(AssertionError, match="never read"):
        BrokerClock(1, Ticking()).now()


def names(minutes: list[tuple[Bar, ...]]) -> list[list[str]]:
    return [[b.symbol for b in minute] for minute in minutes]


def gatherer(*tickers: str) -> Gatherer:
    return Gatherer(lambda _: frozenset(tickers), quiet_s=0.5)


def test_a_minute_is_complete_when_every_ticker_has_its_bar() -> None:
    gather = gatherer("SPY", "QQQ")
    assert gather.add([bar("QQQ", 0, "1")], 10) == []
    assert gather.due_s == 10.5
    assert names(gather.add([bar("SPY", 0, "1")], 10.1)) == [["QQQ", "SPY"]]
    assert gather.due_s is None


def test_a_bar_of_the_next_minute_completes_the_one_before() -> None:
    gather = gatherer("SPY", "QQQ")
    gather.add([bar("SPY", 0, "1")], 10)
    assert names(gather.add([bar("SPY", 1, "1")], 70)) == [["SPY"]]
    assert names(gather.add([bar("QQQ", 1, "1")], 70)) == [["SPY", "QQQ"]]


def test_a_frame_with_bars_of_two_minutes_completes_the_first_and_begins_the_second() -> None:
    gather = gatherer("SPY", "QQQ")
    frame = [bar("SPY", 0, "1"), bar("QQQ", 0, "1"), bar("QQQ", 1, "2"), bar("QQQ", 1, "3")]
    assert names(gather.add(frame, 70)) == [["SPY", "QQQ"]]
    (one,) = gather.flush()
    assert (one.symbol, one.close) == ("QQQ", 3)


def test_with_one_ticker_each_bar_is_a_minute_of_its_own() -> None:
    gather = gatherer("SPY")
    found = [names(gather.add([bar("SPY", minute, "1")], minute)) for minute in range(3)]
    assert found == [[["SPY"]]] * 3


def test_quiet_completes_a_minute_and_each_bar_prolongs_the_wait() -> None:
    gather = gatherer("SPY", "QQQ", "TLT")
    gather.add([bar("SPY", 0, "1")], 10)
    gather.add([bar("QQQ", 0, "1")], 10.4)
    assert gather.due_s == 10.9
    assert [b.symbol for b in gather.flush()] == ["SPY", "QQQ"]
    assert (gather.flush(), gather.due_s) == ((), None)


def test_a_straggler_after_the_minute_was_given_out_is_given_out_too() -> None:
    gather = gatherer("SPY", "QQQ")
    gather.add([bar("SPY", 0, "1")], 10)
    gather.flush()
    gather.add([bar("QQQ", 0, "1")], 11)
    assert [b.symbol for b in gather.flush()] == ["QQQ"]


def watching(*watched: str) -> Gatherer:
    return Gatherer(
        lambda _: frozenset(("SPY", "QQQ", *watched)), 0.5, lambda _: frozenset(watched)
    )


def test_a_ticker_that_only_shadows_want_keeps_no_decision_waiting() -> None:
    gather = watching("THIN")
    gather.add([bar("SPY", 0, "1")], 10)
    assert names(gather.add([bar("QQQ", 0, "1")], 10.1)) == [["SPY", "QQQ"]]
    assert (gather.awaits_rest, gather.due_s) == (True, 10.6)
    assert gather.flush() == (), "nothing came of it: the minute is over"
    assert (gather.awaits_rest, gather.due_s) == (False, None)


def test_what_only_shadows_want_is_given_out_together_once_it_has_come() -> None:
    gather = watching("THIN", "RARE")
    gather.add([bar("SPY", 0, "1"), bar("QQQ", 0, "1")], 10)
    assert gather.add([bar("THIN", 0, "1")], 10.2) == []
    assert names(gather.add([bar("RARE", 0, "1")], 10.4)) == [["THIN", "RARE"]]
    assert (gather.awaits_rest, gather.due_s) == (False, None)


def test_what_only_shadows_want_goes_with_the_minute_where_it_comes_in_time() -> None:
    gather = watching("THIN")
    gather.add([bar("THIN", 0, "1")], 10)
    both = [bar("SPY", 0, "1"), bar("QQQ", 0, "1")]
    assert names(gather.add(both, 10.1)) == [["THIN", "SPY", "QQQ"]]
    assert not gather.awaits_rest


def test_the_next_minute_ends_the_wait_for_what_only_shadows_want() -> None:
    gather = watching("THIN")
    gather.add([bar("SPY", 0, "1"), bar("QQQ", 0, "1")], 10)
    assert gather.add([bar("SPY", 1, "1")], 70) == []
    assert names(gather.add([bar("QQQ", 1, "1")], 70)) == [["SPY", "QQQ"]]


def test_of_two_bars_of_one_ticker_and_minute_the_later_counts() -> None:
    gather = gatherer("SPY", "QQQ")
    gather.add([bar("SPY", 0, "1")], 10)
    gather.add([bar("SPY", 0, "2")], 10)
    (one,) = gather.flush()
    assert one.close == 2


def test_a_bar_of_an_older_minute_is_kept_apart_and_ends_no_minute() -> None:
    gather = gatherer("SPY", "QQQ", "TLT")
    gather.add([bar("SPY", 1, "1")], 10)
    assert names(gather.add([bar("QQQ", 0, "1")], 11)) == [["QQQ"]]
    assert gather.due_s == 10.5
    assert gather.add([bar("QQQ", 1, "1")], 12) == []
    assert names(gather.add([bar("TLT", 1, "1")], 12)) == [["SPY", "QQQ", "TLT"]]


@pytest.fixture
def intake() -> BarIntake:
    """A session's, ten minutes after its open: SPY was decided on until 13:34, QQQ never."""
    local = Ticking()
    clock = BrokerClock(1, local)
    clock.advance(OPEN + 10 * MINUTE)
    of_two = spec("A", {}, tickers=["SPY", "QQQ"])
    return BarIntake([of_two], STOCKS, {"SPY": OPEN + 4 * MINUTE}, clock, local)


def test_after_a_gap_each_ticker_is_fetched_from_the_first_bar_that_no_decision_has_seen(
    intake: BarIntake,
) -> None:
    assert intake.open_gap() == {"SPY": OPEN + 5 * MINUTE, "QQQ": OPEN}


def test_while_the_bars_of_one_ticker_are_fetched_the_others_minutes_are_complete_without_it(
    intake: BarIntake,
) -> None:
    intake.open_gap(["QQQ"], alone=True)
    spy, qqq = bar("SPY", 9, "1"), bar("QQQ", 9, "1")
    assert intake.take([qqq, spy]) == [(spy,)]
    intake.close_gap()
    assert intake.flush() == (qqq,)


def test_no_bar_of_a_ticker_is_decided_on_before_it_has_joined(intake: BarIntake) -> None:
    more = [spec("A", {}, tickers=["SPY", "QQQ", "TLT"])]
    intake.join(["TLT"])
    early = [bar(ticker, 9, "1") for ticker in ("TLT", "SPY", "QQQ")]
    assert names(intake.take(early)) == [["SPY", "QQQ"]]
    intake.follow(more)
    assert names(intake.take([bar(ticker, 10, "1") for ticker in ("SPY", "QQQ", "TLT")])) == [
        ["SPY", "QQQ", "TLT"]
    ]


@pytest.mark.parametrize(
    ("speed", "passed_s", "ahead", "believed"),
    [
        (1, 0, timedelta(seconds=60), True),
        (1, 0, timedelta(seconds=61), False),
        (1, 3600, timedelta(seconds=3660), True),
        (1, 3600, timedelta(seconds=3661), False),
        (1, 0, timedelta(days=-3650), True),
        (600, 0, timedelta(hours=10), True),
        (600, 0, timedelta(hours=10, seconds=1), False),
        (600, 6, timedelta(hours=11), True),
        (600, 0, timedelta(days=3650), False),
    ],
)
def test_what_lies_further_ahead_than_time_can_have_passed_is_not_believed(
    speed: float, passed_s: float, ahead: timedelta, believed: bool
) -> None:
    local = Ticking()
    clock = BrokerClock(speed, local)
    clock.advance(NOON)
    local.s += passed_s
    assert clock.may_have_reached(NOON + ahead) is believed
