"""What is seen of the broker, and when it is asked: clocks that tests move are all it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, Bar
from coordinator.shell.clock import BrokerClock
from coordinator.shell.stream_watch import StreamState, StreamWatch
from coordinator.shell.watchdog import (
    BLIND_BARS,
    DEEP_LOOKS,
    LOOKS,
    SILENCE,
    SUSPICIOUS_LOOKS,
    Depth,
    Watchdog,
)
from tests.coordinator.bench import OPEN, PLAN, STOCKS, bar

DETECTED_S = 90.0
"""Broker seconds from the last sign of life in which a mute stream must be found."""


class Watch:
    """A watchdog whose seconds pass when told to. At `speed` 1 the broker's pass with ours."""

    def __init__(self, *, speed: float = 1.0, plan: SessionPlan = PLAN) -> None:
        self.now_s = 0.0
        self.clock = BrokerClock(speed, lambda: self.now_s)
        self.clock.advance(OPEN)
        self.watchdog = Watchdog(plan, self.clock, lambda: self.now_s)
        assert self.look() is Depth.ACTIVITIES, "the first look asks for everything"

    def look(self, *, after_s: float = 0.0, suspicious: bool = False) -> Depth | None:
        self.now_s += after_s
        return self.watchdog.next_look(suspicious=suspicious)

    def looks(self, seconds: int, *, suspicious: bool = False) -> dict[int, Depth]:
        """The looks of so many seconds, by the second in which they are due."""
        found = {s: self.look(after_s=1, suspicious=suspicious) for s in range(1, seconds + 1)}
        return {second: depth for second, depth in found.items() if depth is not None}

    def orders(self) -> StreamWatch:
        """The stream of order updates, which is up."""
        watch = live("orders")
        self.watchdog.watch_orders(watch)
        return watch


def live(name: str) -> StreamWatch:
    watch = StreamWatch(name, lambda: None)
    watch.live()
    return watch


class Market(Watch):
    """A watchdog over one stream of bars, which is up, and what REST would say of its tickers."""

    def __init__(self, *tickers: str, plan: SessionPlan = PLAN) -> None:
        super().__init__(plan=plan)
        self.tickers = tickers or ("SPY",)
        self.stream = live("stocks")
        self.restarts: list[float] = []
        self.watchdog.watch_market(
            self.stream, self.tickers, lambda: self.restarts.append(self.now_s)
        )
        self.asked: list[float] = []

    def second(self, fresh: Callable[[datetime], list[Bar]], answer_s: float = 2.0) -> None:
        """One second passes; where REST is asked, it answers with what is fresh by then."""
        self.now_s += 1.0
        if self.watchdog.tickers_to_ask():
            self.asked.append(self.now_s)
            self.now_s += answer_s
            self.watchdog.repaired(fresh(self.clock.now()))


def every_minute(ticker: str, after: datetime) -> Callable[[datetime], list[Bar]]:
    """REST has each minute's bar of a ticker a second after its end; those `after` are fresh."""

    def fresh(now: datetime) -> list[Bar]:
        bars = [bar(ticker, n, "100") for n in range(60)]
        return [b for b in bars if b.start >= after and b.end + timedelta(seconds=1) <= now]

    return fresh


def nothing(now: datetime) -> list[Bar]:
    """REST has no bar either: nobody trades."""
    return []


# a stream that brought its last bar at a minute's end, so many seconds late
@pytest.mark.parametrize("late_s", [0, 1, 5, 11])
def test_a_stream_that_falls_mute_is_found_and_restarted_within_ninety_seconds(
    late_s: int,
) -> None:
    market = Market()
    for _ in range(5 * 60 + late_s):
        market.second(every_minute("SPY", OPEN + 5 * MINUTE))
        if int(market.now_s) % 60 == late_s % 60:
            market.watchdog.heard("SPY")
    last_s = market.now_s
    assert market.restarts == []
    while not market.restarts:
        market.second(every_minute("SPY", OPEN + 5 * MINUTE))
        assert market.now_s <= last_s + DETECTED_S
    assert market.stream.state is StreamState.MUTE
    assert market.watchdog.blind() == {"SPY"}


def test_a_stream_that_is_mute_from_its_first_second_is_found_too() -> None:
    market = Market()
    while not market.restarts:
        market.second(every_minute("SPY", OPEN))
        assert market.now_s <= DETECTED_S


def test_a_mute_stream_is_blind_until_it_brings_a_bar_again() -> None:
    market = Market()
    while not market.restarts:
        market.second(every_minute("SPY", OPEN))
    market.stream.lost()
    market.stream.live()
    assert market.watchdog.blind() == {"SPY"}, "it says that it is well, as it did before"
    market.watchdog.heard("SPY")
    assert market.watchdog.blind() == frozenset()


def test_a_stream_that_stays_mute_after_a_restart_is_restarted_again() -> None:
    market = Market()
    while len(market.restarts) < 3:
        market.second(every_minute("SPY", OPEN))
        market.stream.live()
        assert market.watchdog.blind() == ({"SPY"} if market.restarts else set())
        assert market.now_s <= 3 * (SILENCE + BLIND_BARS).total_seconds()


def test_a_mute_stream_is_not_restarted_while_it_connects() -> None:
    market = Market()
    while not market.restarts:
        market.second(every_minute("SPY", OPEN))
    for _ in range(300):
        market.second(every_minute("SPY", OPEN))
    assert len(market.restarts) == 1


def test_a_quiet_ticker_is_asked_about_and_is_not_taken_for_a_mute_stream() -> None:
    market = Market()
    for _ in range(15 * 60):
        market.second(nothing)
    assert market.restarts == []
    assert market.watchdog.blind() == frozenset()
    assert 10 <= len(market.asked) <= 12, "once in a while, and not every second"


def test_one_busy_ticker_keeps_its_stream_from_being_asked_about() -> None:
    market = Market("SPY", "QUIET")
    for second in range(15 * 60):
        market.second(nothing)
        if second % 60 == 0:
            market.watchdog.heard("SPY")
    assert market.asked == []


@pytest.mark.parametrize(("age_s", "mute"), [(14, False), (15, False), (16, True)])
def test_a_bar_that_may_still_be_on_its_way_proves_nothing(age_s: int, mute: bool) -> None:
    market = Market()
    while not market.watchdog.tickers_to_ask():
        market.now_s += 1
    ended = market.clock.now() - timedelta(seconds=age_s)
    one = bar("SPY", 0, "100")
    market.watchdog.repaired(
        [Bar("SPY", ended - MINUTE, one.open, one.high, one.low, one.close, one.volume)]
    )
    assert bool(market.restarts) is mute


def test_a_gap_repaired_while_the_stream_speaks_does_not_make_it_mute() -> None:
    market = Market()
    while not market.watchdog.tickers_to_ask():
        market.now_s += 1
    market.watchdog.heard("SPY")
    market.watchdog.repaired([bar("SPY", 0, "100")])
    assert market.restarts == []


def test_bars_of_another_market_prove_nothing_of_this_one() -> None:
    market = Market()
    crypto, restarts = live("crypto"), list[str]()
    market.watchdog.watch_market(crypto, ["BTC/USD"], lambda: restarts.append("crypto"))
    while not restarts:
        market.watchdog.heard("SPY")
        market.second(every_minute("BTC/USD", OPEN))
        assert market.now_s <= DETECTED_S
    assert (market.restarts, market.watchdog.blind()) == ([], {"BTC/USD"})


def test_before_the_open_and_after_the_close_silence_is_no_sign() -> None:
    early = SessionPlan(STOCKS.date, STOCKS.stock, None, STOCKS.end)
    assert early.stock is not None
    market = Market(plan=early)
    market.clock.advance(early.stock.close + MINUTE)
    for _ in range(600):
        market.second(every_minute("SPY", OPEN))
    assert market.asked == []


@pytest.mark.parametrize("state", [state for state in StreamState if state is not StreamState.LIVE])
def test_a_stream_that_is_not_up_is_blind_and_rest_is_asked_every_thirty_seconds(
    state: StreamState,
) -> None:
    market = Market("SPY", "QQQ")
    market.stream.state = state
    assert market.watchdog.blind() == {"SPY", "QQQ"}
    for _ in range(310):
        market.second(nothing, answer_s=0)
    assert [later - now for now, later in zip(market.asked, market.asked[1:], strict=False)] == [
        31.0
    ] * (len(market.asked) - 1)
    assert len(market.asked) == 10


def test_tickers_are_told_by_their_stream() -> None:
    market = Market("SPY", "QQQ")
    assert market.watchdog.tickers_of(market.stream) == {"SPY", "QQQ"}
    assert market.watchdog.tickers_of(live("other")) == frozenset()


# how long ago REST told the state of the open orders, while their stream is lost
@pytest.mark.parametrize(("age_s", "sees"), [(0, True), (9.999, True), (10, False), (600, False)])
def test_order_states_are_known_for_ten_seconds_after_rest_has_told_them(
    age_s: float, sees: bool
) -> None:
    watch = Watch()
    stream = watch.orders()
    stream.lost()
    assert not watch.watchdog.sees_orders()
    watch.watchdog.confirmed()
    watch.now_s += age_s
    assert watch.watchdog.sees_orders() is sees


def test_order_states_are_known_while_their_stream_is_up_whatever_rest_says() -> None:
    watch = Watch()
    stream = watch.orders()
    watch.now_s += 3600
    assert watch.watchdog.sees_orders()
    stream.lost()
    assert not watch.watchdog.sees_orders()
    stream.live()
    assert watch.watchdog.sees_orders()


def test_while_rest_refuses_our_keys_nothing_is_seen_though_the_stream_speaks() -> None:
    watch = Watch()
    watch.orders()
    assert watch.watchdog.sees_orders()
    watch.watchdog.refused()
    assert not watch.watchdog.sees_orders()
    watch.watchdog.confirmed()
    assert watch.watchdog.sees_orders()


def test_a_coordinator_without_an_order_stream_counts_as_seeing() -> None:
    assert Watch().watchdog.sees_orders()


def test_a_fast_brokers_ten_seconds_are_at_least_one_of_ours() -> None:
    watch = Watch(speed=600)
    watch.orders().lost()
    watch.watchdog.confirmed()
    watch.clock.advance(OPEN + MINUTE)
    watch.now_s += 0.99
    assert watch.watchdog.sees_orders()
    watch.now_s += 0.02
    assert not watch.watchdog.sees_orders()


def test_a_brokers_clock_that_stands_asks_nothing_and_makes_nothing_old() -> None:
    watch = Watch(speed=600)
    watch.orders().lost()
    watch.watchdog.confirmed()
    watch.now_s += 3600
    assert watch.watchdog.sees_orders()
    assert watch.look() is None


def test_the_account_is_looked_at_every_twenty_seconds_and_in_full_every_ten_minutes() -> None:
    watch = Watch()
    watch.orders()
    found = watch.looks(1300)
    assert list(found) == list(range(20, 1301, 20))
    assert [second for second, depth in found.items() if depth is Depth.ACTIVITIES] == [600, 1200]


def test_fees_and_deposits_are_asked_for_now_and_then() -> None:
    watch = Watch()
    looks = [watch.look(after_s=LOOKS.total_seconds()) for _ in range(DEEP_LOOKS // LOOKS)]
    assert looks == [Depth.ACCOUNT] * (len(looks) - 1) + [Depth.ACTIVITIES]


def test_a_difference_is_looked_at_sooner_and_in_full_so_that_no_deposit_is_called_rounding() -> (
    None
):
    watch = Watch()
    soon_s = SUSPICIOUS_LOOKS.total_seconds()
    assert watch.look(after_s=soon_s) is None
    looks = [watch.look(after_s=soon_s, suspicious=True) for _ in range(5)]
    assert looks == [Depth.ACTIVITIES] * 5


def test_without_the_order_stream_open_orders_are_asked_for_every_five_seconds() -> None:
    watch = Watch()
    watch.orders().lost()
    found: dict[int, Depth] = {}
    for second in range(1, 41):
        depth = watch.look(after_s=1)
        if depth is not None:
            found[second] = depth
            watch.watchdog.confirmed()
        assert watch.watchdog.sees_orders() or second < 2
    assert [second for second, depth in found.items() if depth is Depth.ACCOUNT] == [20, 40]
    assert list(found) == [1, 6, 11, 16, 20, 25, 30, 35, 40]


def test_a_look_that_is_wanted_soon_is_due_now_and_the_next_as_ever() -> None:
    watch = Watch()
    watch.orders()
    watch.now_s += 3
    assert watch.look() is None
    watch.watchdog.look_soon()
    assert watch.look() is Depth.ACCOUNT
    assert list(watch.looks(25)) == [20]


def test_a_fast_brokers_looks_are_at_least_a_quarter_of_our_second_apart() -> None:
    watch = Watch(speed=600)
    watch.orders()
    times = []
    for step in range(1, 101):
        watch.now_s += 0.01
        watch.clock.advance(OPEN + step * 6 * timedelta(seconds=1))
        if watch.look() is not None:
            times.append(step)
    assert times == [25, 50, 75, 100]
