"""A strategy that looks at several tickers together: what it sees of a minute, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator import Bar, MultiTickerStrategy, Window
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.reload import Reload, Removal
from coordinator.core.setup import Setup
from coordinator.core.values import Side, exactly
from coordinator.errors import OperatorError
from coordinator.shell import startup
from coordinator.shell.cell import Budget
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.bench import Bench, D, bar
from tests.coordinator.isolating import WAYS, explained, isolated, named, on_a_loop
from tests.coordinator.pairs import FORMS, Leader, LeaderByStep

SPY_AND_QQQ = [("100", "50"), ("101", "50"), ("101", "52"), ("103", "52"), ("102", "51.9")]
LED = [(0, 0), (1, -1), (-1, 1), (1, -1), (-1, 1)]
"""What leads there, by (SPY, QQQ)."""


def spec(rule: Any, *tickers: str, name: str = "Pair") -> StrategySpec:
    return named(name, rule, *(tickers or ("SPY", "QQQ")))


def fed(lanes: Lanes, *bars: Bar) -> None:
    """The bars of one minute."""
    lanes.feed_all(bars)


def said(lanes: Lanes, one: StrategySpec) -> tuple[int, ...]:
    return tuple(lanes.lane(one, ticker).signal for ticker in one.tickers)


def minutes(closes: Sequence[tuple[str, str]]) -> list[tuple[Bar, Bar]]:
    return [(bar("SPY", n, spy), bar("QQQ", n, qqq)) for n, (spy, qqq) in enumerate(closes)]


@pytest.mark.parametrize("kind", FORMS)
@exactly
def test_every_form_sees_a_minutes_bars_together_and_answers_by_ticker(
    kind: type[MultiTickerStrategy],
) -> None:
    one = spec(kind())
    lanes, found = Lanes([one]), []
    for both in minutes(SPY_AND_QQQ):
        fed(lanes, *both)
        found.append(said(lanes, one))
    assert found == LED


class Notes(MultiTickerStrategy):
    """Writes down what it is given."""

    strategy_type: ClassVar[str] = "notes"
    window: Window = 1
    answers: tuple[tuple[str, Any], ...] = ()

    def step(self, bars: Mapping[str, Bar]) -> Any:
        SEEN.append([(ticker, str(one.close)) for ticker, one in bars.items()])
        return dict(self.answers)


SEEN: list[list[tuple[str, str]]] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def test_it_is_asked_once_a_minute_with_the_bars_that_came_in_the_order_of_its_tickers() -> None:
    lanes = Lanes([spec(Notes(), "SPY", "QQQ", "IWM")])
    fed(lanes, bar("QQQ", 0, "2"), bar("IWM", 0, "3"), bar("SPY", 0, "1"))
    fed(lanes, bar("IWM", 1, "4"))
    fed(lanes)
    assert SEEN == [[("SPY", "1"), ("QQQ", "2"), ("IWM", "3")], [("IWM", "4")]]


def test_a_bar_that_comes_after_its_minute_is_a_look_of_its_own() -> None:
    lanes = Lanes([spec(Notes())])
    for one in (bar("SPY", 0, "1"), bar("SPY", 1, "2"), bar("QQQ", 0, "3")):
        fed(lanes, one)
    assert SEEN == [[("SPY", "1")], [("SPY", "2")], [("QQQ", "3")]]


def test_history_is_seen_minute_by_minute_whatever_the_order_in_which_it_is_fed() -> None:
    lanes = Lanes([spec(Notes())])
    lanes.warm("SPY", [bar("SPY", n, str(n)) for n in (-3, -2, -1)])
    lanes.warm("QQQ", [bar("QQQ", n, str(n)) for n in (-2, -1)])
    lanes.step_tables()
    assert SEEN == [[("SPY", "-3")], [("SPY", "-2"), ("QQQ", "-2")], [("SPY", "-1"), ("QQQ", "-1")]]


def test_each_ticker_has_ten_windows_of_history() -> None:
    lanes = Lanes([spec(Notes())])
    lanes.warm("SPY", [bar("SPY", n, "1") for n in range(-30, 0)])
    lanes.step_tables()
    assert len(SEEN) == 10


def test_equal_rules_share_a_computation_only_on_the_same_tickers_in_the_same_order() -> None:
    specs = [
        spec(Leader(), name="A"),
        spec(Leader(), name="B"),
        spec(Leader(), "QQQ", "SPY", name="C"),
        spec(Leader(), "SPY", name="D"),
        spec(Leader(lookback=3), name="E"),
    ]
    lanes = Lanes(specs)
    a, b, c, d, e = (lanes.lane(one, "SPY") for one in specs)
    assert a is b
    assert len({id(lane) for lane in (a, c, d, e)}) == 4


class Raises(Leader):
    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> dict[str, int]:
        raise ValueError("no idea")


def test_one_that_raises_stops_on_all_of_its_tickers_and_nobody_else() -> None:
    bench = Bench(spec(Raises()), spec(Leader(), name="Other"))
    for n, (spy, qqq) in enumerate(SPY_AND_QQQ):
        bench.minute(n, {"SPY": spy, "QQQ": qqq})
    day = bench.books.days["Pair"]
    assert day.stopped == "fault: ValueError at the bars of 2026-03-17 13:31:00+00:00: no idea"
    assert bench.sent()
    assert {name for name, *_ in bench.sent()} == {"Other"}


def test_a_pair_trades_each_of_its_tickers_as_it_says() -> None:
    bench = Bench(spec(Leader()))
    bench.minute(0, {"SPY": "100", "QQQ": "50"})
    bench.minute(1, {"SPY": "101", "QQQ": "50"})
    bench.fill(bench.order("Pair"), "101")
    bench.minute(2, {"SPY": "101", "QQQ": "52"})
    spy = bench.order("Pair").qty
    assert bench.sent()[:2] == [
        ("Pair", "SPY", Side.BUY, spy),
        ("Pair", "SPY", Side.SELL, spy),
    ]


def test_nothing_is_decided_on_a_ticker_that_has_no_bar_in_the_minute() -> None:
    both = Notes(answers=(("SPY", 1), ("QQQ", 1)))
    bench = Bench(spec(both))
    bench.minute(0, {"QQQ": "50"})
    assert [ticker for _, ticker, *_ in bench.sent()] == ["QQQ"]
    assert bench.engine.lanes.lane(bench.specs[0], "SPY").signal == 0


def test_a_ticker_that_it_does_not_name_is_left_as_it_is() -> None:
    lanes = Lanes([one := spec(Notes(answers=(("QQQ", -1),)))])
    fed(lanes, bar("SPY", 0, "1"), bar("QQQ", 0, "2"))
    assert said(lanes, one) == (0, -1)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"IWM": 1}, "answered a signal of 'IWM'; its tickers are SPY, QQQ"),
        ({"SPY": 2}, "Notes.step, of SPY, answered 2; it must answer 1, -1 or 0"),
        ({"SPY": True}, "answered True; it must answer 1, -1 or 0"),
    ],
)
def test_an_answer_that_is_no_signal_of_its_tickers_is_an_error_that_says_so(
    answers: dict[str, Any], words: str
) -> None:
    lanes = Lanes([one := spec(Notes(answers=tuple(answers.items())))])
    fed(lanes, bar("SPY", 0, "1"))
    assert words in lanes.fault(one)


class Silent(Leader):
    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> Any:
        return 1


def test_an_answer_that_is_for_no_ticker_says_what_one_looks_like() -> None:
    lanes = Lanes([one := spec(Silent())])
    for both in minutes(SPY_AND_QQQ):
        fed(lanes, *both)
    assert "it must answer signals by ticker, such as {'SPY': 1}, or {}" in lanes.fault(one)


class WithWhatThereIs(Leader):
    waits_for_all: ClassVar[bool] = False

    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> dict[str, int]:
        return {max(bars): 1}


def test_a_quiet_ticker_holds_back_who_waits_for_all_of_them_alone() -> None:
    waiting, going = spec(Leader(), name="A"), spec(WithWhatThereIs(), name="B")
    lanes = Lanes([waiting, going])
    for n in range(3):
        fed(lanes, bar("SPY", n, str(n + 1)))
    assert said(lanes, waiting) == (0, 0)
    assert said(lanes, going) == (1, 0)


@pytest.mark.parametrize("body", ["pass", "two"])
def test_one_that_reads_bars_in_no_way_or_in_two_is_told_which_there_are(body: str) -> None:
    class Unclear(MultiTickerStrategy):
        strategy_type: ClassVar[str] = "unclear"
        window: Window = 1
        if body == "two":
            step = Notes.step

            def signals(self, bars: Any) -> Any:
                return {}

    with pytest.raises(OperatorError, match=r"give it one of signals\(bars\), generate_signals"):
        Lanes([spec(Unclear())])


present = st.lists(st.tuples(*[st.none() | st.integers(90, 110)] * 3), min_size=1, max_size=25)


@settings(max_examples=100, deadline=None)
@given(present, st.data(), st.sampled_from([LeaderByStep(), Leader(lookback=3)]))
@exactly
def test_a_restart_at_any_minute_says_what_a_run_that_never_stopped_says(
    tape: list[tuple[int | None, ...]], data: st.DataObject, rule: MultiTickerStrategy
) -> None:
    one = spec(rule, "SPY", "QQQ", "BTC/USD")
    tickers = one.tickers
    played = [
        tuple(bar(t, n, str(close)) for t, close in zip(tickers, closes, strict=True) if close)
        for n, closes in enumerate(tape)
    ]
    whole = Lanes([one])
    at = data.draw(st.integers(0, len(played)))
    for some in played[:at]:
        fed(whole, *data.draw(st.permutations(some)))
    bench = Bench(one)
    startup.warm_up(bench.engine, {}, [b for some in played[:at] for b in some], bench.now)
    for some in played[at:]:
        fed(whole, *some)
        fed(bench.engine.lanes, *some)
        assert said(whole, one) == said(bench.engine.lanes, one)


@exactly
def test_one_that_joins_a_session_says_what_it_would_have_said_from_the_start() -> None:
    one, other = spec(Leader()), spec(Leader(lookback=4), name="Joins")
    whole, joined = Bench(one, other), Bench(one)
    played = minutes([*SPY_AND_QQQ, *SPY_AND_QQQ[::-1]])
    for both in played[:6]:
        whole.bars(*both)
        joined.bars(*both)
    so_far = {t: tuple(both[n] for both in played[:6]) for n, t in enumerate(("SPY", "QQQ"))}
    setup = Setup("bench", "paper", "iex", "other", (one, other), joined.engine._gate.controls,
                  False, D("0.0025"))  # fmt: skip
    asked = Reload(joined.now, "me", setup, Removal.DORMANT, history=dict.fromkeys(so_far, ()),
                   so_far=so_far)  # fmt: skip
    assert joined.handle(asked).answer
    lanes = joined.engine.lanes
    for both in played[6:]:
        whole.bars(*both)
        joined.bars(*both)
        assert said(lanes, other) == said(whole.engine.lanes, other)
        assert said(lanes, one) == said(whole.engine.lanes, one)


class Goes(MultiTickerStrategy):
    """Goes wrong at its third minute, in one of the ways there are."""

    strategy_type: ClassVar[str] = "goes"
    window: Window = 1
    way: str
    _seen: int = 0

    def start_together(self, tickers: Sequence[str]) -> Any:
        minutes = iter(range(99))
        return lambda bars: WAYS[self.way]() if next(minutes) == 2 else {tickers[0]: 1}


@pytest.mark.parametrize("kind", FORMS)
@exactly
def test_behind_its_wall_it_says_what_it_says_here(kind: type[MultiTickerStrategy]) -> None:
    found = []
    with isolated([spec(kind())], BUILT_IN) as [walled]:
        lanes = Lanes([walled])
        for both in minutes(SPY_AND_QQQ):
            fed(lanes, *both)
            found.append(said(lanes, walled))
    assert found == LED


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("raises", "no idea"),
        ("loops", "no answer within 0.2 s"),
        ("exits", "ended by itself, with exit status 3"),
        ("says two", "it answered 2; it must answer 1, -1 or 0 by ticker"),
        ("says nothing", "it answered None; it must answer 1, -1 or 0 by ticker"),
    ],
)
def test_what_goes_wrong_behind_the_wall_stops_it_alone(way: str, words: str) -> None:
    bad, good = spec(Goes(way=way), name="Bad"), spec(Leader(), name="Good")
    with isolated([bad, good], BUILT_IN, budget=Budget(answer_s=0.2)) as [bad, good]:
        lanes = Lanes([bad, good])
        for both in minutes(SPY_AND_QQQ):
            on_a_loop(lambda both=both: fed(lanes, *both))
        assert words in lanes.fault(bad)
        assert said(lanes, bad) == (0, 0)
        assert said(lanes, good) == LED[-1]
        assert lanes.fault(good) == ""


@pytest.mark.parametrize("walled", [False, True], ids=["here", "walled"])
def test_it_explains_each_ticker_with_what_it_tells_of_all_and_of_that_one(walled: bool) -> None:
    with isolated([spec(Leader())], BUILT_IN if walled else (Leader,)) as [one]:
        lanes = Lanes([one])
        fed(lanes, *minutes(SPY_AND_QQQ)[0])
        told = dict(zip(one.tickers, explained(lanes, one), strict=True))
    assert {t: {k: str(v) for k, v in of.items()} for t, of in told.items()} == {
        "SPY": {"lookback": "2", "place": "1"},
        "QQQ": {"lookback": "2", "place": "2"},
    }
