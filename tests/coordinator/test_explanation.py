"""`explain`: what the indicators were, what was done about it, and what holds an entry back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.amounts import UNKNOWN, shown
from coordinator.core.explanation import Explanation
from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.messages import Act, OperatorAsked
from coordinator.core.values import MINUTE, UNASSIGNED, Denial, Side
from coordinator.shell.control_client import ask
from coordinator.shell.control_protocol import Reply, Request
from coordinator.shell.isolated_rule import IsolatedRule
from coordinator.shell.stream_watch import StreamWatch
from coordinator.strategies import (
    AdaptiveStrategy,
    BollingerStrategy,
    BuyAndHoldStrategy,
    DonchianStrategy,
    MacdStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    MovingAverageCrossoverStrategy,
    RsiStrategy,
    Strategy,
    VwapReversionStrategy,
)
from coordinator.strategies.base import Values
from tests.coordinator.at_the_door import BY, Door, at_the_door
from tests.coordinator.bench import CLOSE, OPEN, STOCKS, Bench, D, bar, order_id, spec, stranger
from tests.coordinator.test_strategies_library import candles
from tests.simulator.clients import until

BARS = candles(3, 300)
HIGHS, LOWS, CLOSES, VOLUMES = (
    np.array([float(getattr(bar, name)) for bar in BARS])
    for name in ("high", "low", "close", "volume")
)


def values(strategy: Strategy, bars: int = len(BARS)) -> Values:
    """What a strategy's step tells after so many bars."""
    step = strategy.start()
    for one in BARS[:bars]:
        step(one)
    return step.__self__.explain()  # type: ignore[attr-defined, no-any-return]


# --- values: each indicator is TA-Lib's, or a plain sum over the bars


def expected() -> dict[Strategy, dict[str, float]]:
    """A few strategies, with what each should have seen at the last bar."""
    upper, middle, _ = talib.BBANDS(CLOSES, 20, 1.0, 1.0)
    deviation = {"SMA(20)": middle[-1], "STDDEV(20)": upper[-1] - middle[-1]}
    z = (CLOSES[-1] - middle[-1]) / (upper[-1] - middle[-1])
    macd, line, _ = talib.MACD(CLOSES, 12, 26, 9)
    crossing = {"SMA(10)": talib.SMA(CLOSES, 10)[-1], "SMA(30)": talib.SMA(CLOSES, 30)[-1]}
    typical = ((HIGHS + LOWS + CLOSES) / 3)[-30:]
    vwap = (typical * VOLUMES[-30:]).sum() / VOLUMES[-30:].sum()
    loud = VOLUMES[-1] > VOLUMES[-20:].mean()
    return {
        RsiStrategy(): {"RSI(14)": talib.RSI(CLOSES, 14)[-1]},
        MomentumStrategy(): {
            "close 20 bars before": CLOSES[-21],
            "change": CLOSES[-1] / CLOSES[-21] - 1,
        },
        MeanReversionStrategy(): {**deviation, "z": z},
        BollingerStrategy(): {**deviation, "z": z},
        MovingAverageCrossoverStrategy(): crossing,
        MacdStrategy(): {"MACD": macd[-1], "signal line": line[-1]},
        DonchianStrategy(): {
            "highest high before": HIGHS[-21:-1].max(),
            "lowest low before": LOWS[-11:-1].min(),
        },
        VwapReversionStrategy(): {
            "VWAP(30)": vwap,
            "long below": vwap * 0.995,
            "flat above": vwap,
        },
        AdaptiveStrategy(): {
            **crossing,
            "RSI(14)": talib.RSI(CLOSES, 14)[-1],
            "volume": VOLUMES[-1],
            "SMA(20) of volume": VOLUMES[-20:].mean(),
            "trend's vote": np.sign(crossing["SMA(10)"] - crossing["SMA(30)"]),
            "volume's vote": np.sign(CLOSES[-1] - CLOSES[-2]) if loud else 0,
        },
    }


@pytest.mark.parametrize("strategy", expected(), ids=lambda s: s.strategy_type)
def test_a_strategy_tells_the_values_of_its_indicators(strategy: Strategy) -> None:
    told = values(strategy)
    for name, value in expected()[strategy].items():
        assert float(told[name] or 0) == pytest.approx(value, abs=1e-9, rel=1e-9), name
    assert all(isinstance(value, int | float | Decimal) for value in told.values())


@pytest.mark.parametrize("strategy", expected(), ids=lambda s: s.strategy_type)
@given(bars=st.integers(1, 60))
def test_a_value_is_unknown_exactly_while_its_indicator_has_too_few_bars(
    strategy: Strategy, bars: int
) -> None:
    is_known = None not in values(strategy, bars).values()
    # These look one bar further back than their window: a change needs the bar before.
    needs = strategy.longest_window + isinstance(
        strategy, RsiStrategy | MomentumStrategy | DonchianStrategy
    )
    assert is_known is (bars >= needs)


@given(seed=st.integers(0, 50), bars=st.integers(1, 300))
def test_the_votes_that_are_told_are_those_that_made_the_signal(seed: int, bars: int) -> None:
    step = AdaptiveStrategy(short_window=2, long_window=5, rsi_period=3, volume_window=3).start()
    signal = [step(one) for one in candles(seed, bars)][-1]
    told = step.__self__.explain()  # type: ignore[attr-defined]
    votes = [told[name] or 0 for name in ("trend's vote", "RSI's vote", "volume's vote")]
    if bars >= 5:
        assert signal == (sum(votes) >= 2) - (sum(votes) <= -2)


def test_ten_places_of_a_price_are_told_as_they_are() -> None:
    step = MovingAverageCrossoverStrategy(short_window=1, long_window=2).start()
    for close in ("0.00001234567", "0.00001234569"):
        step(bar("BTC/USD", 0, close))
    assert step.__self__.explain() == {  # type: ignore[attr-defined]
        "SMA(1)": D("0.00001234569"),
        "SMA(2)": D("0.00001234568"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (D("450.2300"), "450.23"),
        (D("1000"), "1000"),
        (D(1) / D(3), "0.333333333333"),
        (D("1E+3"), "1000"),
        (55.123456789, "55.1235"),
        (-1, "-1"),
        (None, UNKNOWN),
    ],
)
def test_a_number_is_shown_without_an_exponent_or_trailing_zeros(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_strategy_that_offers_no_values_or_fails_at_it_is_explained_without() -> None:
    class Grumpy:
        longest_window = 1

        def start(self) -> Callable[[object], int]:
            return self

        def __call__(self, _: object) -> int:
            return 1

        def explain(self) -> Values:
            raise RuntimeError("no")

    def lane(rule: object) -> Lane:
        return Lane(StrategySpec("A", "a", {}, rule, ("SPY",), D(1), 0))  # type: ignore[arg-type]

    assert lane(BuyAndHoldStrategy()).explain() == {}
    assert lane(Grumpy()).explain() == {"explain()": "raised RuntimeError: no"}


# --- the decision


def told(bench: Bench, ticker: str = "SPY") -> Explanation:
    """Why A did what it did."""
    [one] = bench.engine.explain("A", bench.now, ticker)
    return one


def pause(bench: Bench) -> None:
    bench.handle(OperatorAsked(bench.now, Act.PAUSE, BY, "A"))


def kill(bench: Bench) -> None:
    bench.handle(OperatorAsked(bench.now, Act.KILL, BY))


def blind(bench: Bench) -> None:
    bench.handle(m.SightChanged(bench.now, orders=True, blind=frozenset({"SPY"})))


def unseen(bench: Bench) -> None:
    bench.handle(m.SightChanged(bench.now, orders=False, blind=frozenset()))


def nothing(bench: Bench) -> None:
    pass


# what happens before the bar on which SPY's signal is given -> one word, and words of the sentence
DENIALS = [
    (nothing, {"warmup": 5}, 1, "warming_up", "2 of 5 bars"),
    (nothing, {}, 0, "no_signal", "leaves all as it is"),
    (nothing, {}, -1, "no_signal", "wants to be flat, and it is"),
    (nothing, {}, 1, "entry", f"Order {order_id('A')} (signal): buy 99.0099 at about 100"),
    (nothing, {"cash": "0.5"}, 1, "no_cash", "$0.50 cannot buy the least"),
    (nothing, {"max_daily_trades": 0}, 1, "denied", "max_daily_trades: 0 entries a day."),
    (pause, {}, 1, "denied", "paused: until `multi-trader resume A`."),
    (kill, {}, 1, "denied", "killed: the whole account, until `multi-trader revive`."),
    (blind, {}, 1, "denied", "blind: its stream brings no bars"),
    (unseen, {}, 1, "orders_unseen", "not known"),
]


@pytest.mark.parametrize(("before", "given", "signal", "did", "words"), DENIALS)
def test_an_explanation_says_what_came_of_the_last_bar(
    before: Callable[[Bench], None], given: dict[str, str], signal: int, did: str, words: str
) -> None:
    bench = Bench(spec("A", {("SPY", 1): signal}, **given))  # type: ignore[arg-type]
    bench.minute(0, {"SPY": "100"})
    before(bench)
    bench.minute(1, {"SPY": "100"})
    one = told(bench)
    assert (one.did, one.signal) == (did, signal)
    assert words in one.because
    assert (one.bars_seen, one.close, one.bar_end) == (2, "100", OPEN + 2 * MINUTE)


def test_before_the_first_bar_there_is_nothing_to_explain_yet() -> None:
    one = told(Bench(spec("A", {("SPY", 0): 1})))
    assert (one.did, one.bar_end, one.close, one.values) == ("no_bar", None, "", {})
    assert one.held_back == ("session: its market is closed.",)


def test_a_position_is_explained_by_its_stop_its_target_and_the_signal() -> None:
    said = {("SPY", 0): 1, ("SPY", 2): -1}
    bench = Bench(spec("A", said, stop_loss_pct="0.02", take_profit_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    assert told(bench).because.endswith("it is filled, bought 99.0099 so far.")
    bench.minute(1, {"SPY": "101"})
    one = told(bench)
    assert one.because == "It holds, and the signal is 0, the stop is at 98, the target is at 105."
    assert one.position == "99.0099 at 100 on average"
    bench.minute(2, {"SPY": "101"})
    assert told(bench).did == "exit"
    assert told(bench).because.startswith(f"Order {order_id('A', 2)} (signal): sell 99.0099")


def test_a_position_that_a_human_sold_is_explained_with_what_to_do() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    by_hand = (bench.now, "x1", "by-hand", UNASSIGNED, "SPY", Side.SELL, D("99.0099"), D(100))
    bench.books.apply_all([r.FillBooked(*by_hand, D(0), D(0), cum_qty=D("99.0099"))])
    bench.minute(1, {"SPY": "101"})
    assert told(bench).because == (
        "It holds, and the signal is 0. But 99.0099 SPY left the account without an order, and"
        " cannot be sold: see `multi-trader import-account`."
    )


def test_a_repeated_signal_waits_for_its_own_open_order() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): 1}))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100"})
    assert told(bench).did == "order_open"


def test_a_denial_that_is_not_written_twice_is_still_told() -> None:
    bench = Bench(spec("A", {("SPY", n): 1 for n in range(3)}, max_daily_trades=0))
    for minute in range(3):
        bench.minute(minute, {"SPY": "100"})
        assert told(bench).did == "denied"
    assert len(bench.denials()) == 1


OF_ORDERS_ALONE = {
    Denial.WITHDRAWN,
    Denial.NOT_HELD,
    Denial.SESSION_OVER,
    Denial.NEVER_REACHED_BROKER,
}
"""Why an order was never sent; no entry is denied for it."""


@pytest.mark.parametrize("denial", [one for one in Denial if one not in OF_ORDERS_ALONE])
def test_every_denial_of_an_entry_has_a_sentence(denial: Denial) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=0))
    bench.minute(0, {"SPY": "100"})
    bench.books.denied["A", "SPY"] = denial.value  # as a journal brings it back
    assert f"the entry was denied: {denial}: " in told(bench).because


# shares that a human bought at 100, what the account still has, and what UNASSIGNED lacks; the last
# account is in debt
@pytest.mark.parametrize(
    ("bought", "left", "lacking"), [("20", "8,500", "1,500"), ("150", "0", "14,500")]
)
def test_cash_that_a_human_has_spent_is_not_told_as_cash_to_spend(
    bought: str, left: str, lacking: str
) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), cash="10500")
    bench.handle(stranger("by-hand", "QQQ", Side.BUY, bought, "100", bench.now))
    bench.minute(0, {"SPY": "100"})
    one = told(bench)
    assert one.limits["cash"] == f"${left}.00 of $10,000.00 equity can be spent"
    assert one.because.endswith(
        f"denied: buying_power: the account has ${left}.00 of cash that no open order holds;"
        f" UNASSIGNED is short of ${lacking}.00."
    )


def test_a_book_in_debt_has_nothing_to_buy_with() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}), cash="20000")
    bench.books.ledger["A"].cash = D("-3")
    bench.minute(0, {"SPY": "100"})
    assert "its $0.00 cannot buy the least" in told(bench).because


def test_a_late_bar_is_told_as_such() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"}, late_s=91)
    assert told(bench).did == "denied"
    assert "stale: the bar came more than 90 s late" in told(bench).because


def test_a_strategy_that_failed_says_how() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, raises_at=0))
    bench.minute(0, {"SPY": "100"})
    one = told(bench)
    assert one.did == "fault"
    assert "RuntimeError" in one.because
    assert "no idea" in one.held_back[0]


def test_nothing_is_decided_on_the_bar_that_ends_at_the_close() -> None:
    bench = Bench(spec("A", {("SPY", 389): 1}), plan=STOCKS)
    bench.minute(389, {"SPY": "100"})
    assert bench.now == CLOSE
    assert told(bench).did == "last_bar"


def test_all_that_holds_an_entry_back_is_told_at_once() -> None:
    bench = Bench(spec("A", {("SPY", 0): 0}, max_daily_trades=0, warmup=3))
    bench.minute(0, {"SPY": "100"})
    pause(bench)
    blind(bench)
    bench.minute(1, {"SPY": "40"})  # a leap that may be a split
    reasons = [text.partition(":")[0] for text in told(bench).held_back]
    assert reasons == ["warm-up", "paused", "frozen", "blind", "max_daily_trades"]
    bench.now = CLOSE + timedelta(seconds=1)
    assert told(bench).held_back[0] == "session: its market is closed."


def test_the_limits_say_how_much_of_them_is_used() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=3, max_daily_loss="500"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    bench.minute(1, {"SPY": "99"})
    assert told(bench).limits == {
        "cash": "$99.01 of $9,900.99 equity can be spent",
        "max_position_size": "100 % of equity",
        "max_daily_trades": "1 of 3 used",
        "max_daily_loss": "$99.01 of $500.00 used",
    }


def test_asking_after_every_message_changes_no_record_and_no_command() -> None:
    def play(*, asks: bool) -> tuple[list[r.Record], list[m.Command]]:
        real = StrategySpec("A", "rsi", {}, RsiStrategy(rsi_period=2), ("SPY", "QQQ"), D(10_000), 0)
        bench = Bench(real, crossing=True)
        for index, one in enumerate(BARS[:120]):
            price = str(one.close)
            for ticker in ("SPY", "QQQ"):
                bench.minute(index, {ticker: price})
                if asks:
                    bench.engine.explain("A", bench.now)
            for order in bench.books.orders.open():
                bench.fill(order, price)
                if asks:
                    bench.engine.explain("A", bench.now)
        return bench.records, bench.commands

    asked, left_alone = play(asks=True), play(asks=False)
    assert asked == left_alone
    assert len(asked[1]) > 10


# --- over the control socket


def test_a_session_that_runs_explains_each_ticker_of_a_strategy(short_path: Path) -> None:
    async def story(door: Door) -> None:
        spy, qqq = (await door.ask("explain", "A")).explained
        assert (spy.ticker, qqq.ticker) == ("SPY", "QQQ")
        assert (spy.did, qqq.did) == ("entry", "no_signal")
        assert (spy, qqq) == door.desk.live.clerk.explain("A")

    at_the_door(short_path, story)


def test_a_session_without_its_order_stream_decides_nothing_until_rest_tells_of_the_orders(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        live = door.desk.live
        assert live.clerk.explain("A", "QQQ")[0].did == "no_signal"
        live.watchdog.watch_orders(StreamWatch("orders", lambda: None))  # it never comes up
        await until(lambda: live.clerk.explain("A", "QQQ")[0].did == "orders_unseen")
        live._inbox.put(m.AccountSeen(door.desk.bench.now, 0, None, {}))
        await until(lambda: live.clerk.explain("A", "QQQ")[0].did == "no_signal")

    at_the_door(short_path, story)


@pytest.mark.parametrize(
    ("strategy", "ticker", "said"),
    [
        ("Z", "", "no strategy 'Z' trades here; there are: A."),
        ("a", "", "no strategy 'a' trades here; did you mean 'A'? There are: A."),
        ("A", "TLT", "A does not trade TLT; it trades SPY, QQQ."),
    ],
)
def test_what_is_not_traded_is_not_explained_and_what_is_is_named(
    short_path: Path, strategy: str, ticker: str, said: str
) -> None:
    async def story(door: Door) -> None:
        request = Request(do="explain", by=BY, strategy=strategy, ticker=ticker)
        reply = await asyncio.to_thread(ask, door.address, request)
        assert reply == Reply(done=False, said=said)

    at_the_door(short_path, story)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (("SPY",), "A does not trade QQQ; it trades SPY."),
        ((), "no strategy 'A' trades here; there are: none."),
    ],
)
def test_what_a_reload_takes_out_while_it_explains_itself_is_not_explained(
    short_path: Path, left: tuple[str, ...], said: str
) -> None:
    class Slow(IsolatedRule):
        """A user's rule that is still at its answer when a reload takes its ticker, or itself."""

        def __init__(self, door: Door) -> None:
            self._engine = door.desk.live.engine

        async def wait_for_explanations(self) -> None:
            [spec] = self._engine.specs
            self._engine.specs = (replace(spec, tickers=left),) if left else ()

    async def story(door: Door) -> None:
        engine = door.desk.live.engine
        engine.specs = tuple(replace(spec, rule=Slow(door)) for spec in engine.specs)
        request = Request(do="explain", by=BY, strategy="A", ticker="QQQ")
        reply = await asyncio.to_thread(ask, door.address, request)
        assert reply == Reply(done=False, said=said)

    at_the_door(short_path, story)
