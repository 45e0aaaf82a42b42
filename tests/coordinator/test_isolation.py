"""A user's strategy that goes wrong, in whatever way, stops alone."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.lanes import Lanes
from coordinator.core.values import Bar, exactly
from coordinator.shell.cell import Budget
from coordinator.shell.worker_process import bar_of, bar_values
from coordinator.strategies import MomentumStrategy, RsiStrategy, adapt
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.isolating import (
    BREAKS_AT,
    MIB,
    SIGNALS,
    WAYS,
    Does,
    Turns,
    answers,
    bars,
    explained,
    isolated,
    named,
    on_a_loop,
    signals,
)

SMALL = Budget(growth_bytes=64 * MIB)
AT = "at bar SPY 2026-03-17 13:33:00+00:00"
TOLD = {
    "raises": f"StrategyRaised {AT}: ValueError: no idea",
    "raises what no journal can hold": f"StrategyRaised {AT}: ValueError:   {286 * 'x'}",
    "raises what cannot be shown": f"StrategyRaised {AT}: Mute: and cannot say why",
    "recurses": f"StrategyRaised {AT}: RecursionError: maximum recursion depth exceeded",
    "leaves": f"StrategyRaised {AT}: SystemExit: 3",
    "loops": f"StrategyHung {AT}: no answer within 1 s",
    "sleeps": f"StrategyHung {AT}: no answer within 1 s",
    "exits": f"StrategyDied {AT}: its process ended by itself, with exit status 3",
    "is killed": f"StrategyDied {AT}: its process was ended by SIGSEGV",
    "grows": f"StrategyLeaked {AT}: it has grown by more than 64 MiB",
    "says buy": f"StrategyMisanswered {AT}: it answered 'buy'; it must answer 1, -1 or 0",
    "says two": f"StrategyMisanswered {AT}: it answered 2; it must answer 1, -1 or 0",
    "says true": f"StrategyMisanswered {AT}: it answered True; it must answer 1, -1 or 0",
    "says nothing": f"StrategyMisanswered {AT}: it answered None; it must answer 1, -1 or 0",
    "says half": f"StrategyMisanswered {AT}: it answered 0.5; it must answer 1, -1 or 0",
}


def test_every_way_to_go_wrong_has_its_words() -> None:
    assert list(TOLD) == list(WAYS)


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_one_that_goes_wrong_is_faulted_and_the_others_answer_on(way: str) -> None:
    bad, good = named("Bad", Turns(way)), named("Good", Turns())
    with isolated([bad, good], BUILT_IN, budget=SMALL) as specs:
        lanes = Lanes(specs)
        seen = on_a_loop(lambda: [signals(lanes, *specs, bar) for bar in bars()])
        assert lanes.fault(specs[0]).startswith(TOLD[way])
        assert lanes.fault(specs[1]) == ""
    for minute, (bads, goods) in enumerate(seen):
        assert bads == (SIGNALS[minute % 3] if minute < BREAKS_AT else 0)
        assert goods == SIGNALS[minute % 3]


def test_memory_that_grows_from_bar_to_bar_is_noticed_too() -> None:
    kept: list[bytearray] = []

    def grow(bar: Bar) -> int:
        kept.append(bytearray(b"x") * 20 * MIB)
        return 1

    with isolated([named("Leak", Does(grow))], BUILT_IN, budget=SMALL) as (leak,):
        assert answers(Lanes([leak]), leak, bars()) == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert not kept


def test_what_it_loads_to_get_ready_is_no_leak() -> None:
    loaded = Does(lambda bar: 1, at_start=lambda: kept.append(bytearray(b"x") * 100 * MIB))
    kept: list[bytearray] = []
    with isolated([named("Model", loaded)], BUILT_IN, budget=SMALL) as (model,):
        assert answers(Lanes([model]), model, bars(minutes=[0, 1])) == [1, 1]


def test_one_that_is_slow_on_its_history_delays_the_others_by_start_s_and_no_more() -> None:
    def nap(bar: Bar) -> int:
        time.sleep(1 if bar.start.minute == 30 else 0.3)
        return 1

    budget = Budget(answer_s=0.1, start_s=2)
    with isolated([named("Slow", Does(nap))], BUILT_IN, budget=budget) as (slow,):
        lanes = Lanes([slow])
        said = answers(lanes, slow, bars(minutes=range(20)))
        late = "its answers before the session took 2 s more than 0.1 s each"
        assert lanes.fault(slow).endswith(late)
    assert said[:3] == [1, 1, 1], "a first answer that is slow is no fault"
    assert said[7:] == [0] * 13


@pytest.mark.thorough
def test_many_tickers_together_have_a_budget_for_each_minute() -> None:
    def nap(bar: Bar) -> int:
        time.sleep(0.2)
        return 1

    budget = Budget(answer_s=60, minute_s=0.7)
    tickers = ("A", "B", "C", "D", "E")
    with isolated([named("Slow", Does(nap), *tickers)], BUILT_IN, budget=budget) as (slow,):
        lanes = Lanes([slow])
        warm = bars(*tickers, minutes=[0])
        assert answers(lanes, slow, warm) == [1, 1, 1, 1, 1]  # before the session, no loop waits
        few, all_five = bars("A", "B", minutes=[1, 2, 3]), bars(*tickers, minutes=[4])
        assert on_a_loop(lambda: answers(lanes, slow, few)) == [1, 1, 1, 1, 1, 1]
        assert on_a_loop(lambda: answers(lanes, slow, all_five)) == [1, 1, 1, 0, 0]
        assert "it took more than 0.7 s for the bars of one minute" in lanes.fault(slow)


@pytest.mark.parametrize(
    ("ready", "told"),
    [
        (lambda: {}["x"], "StrategyRaised at bar SPY 2026-03-17 13:30:00+00:00: KeyError: 'x'"),
        (lambda: time.sleep(3600), "StrategyHung at bar SPY 2026-03-17 13:30:00+00:00: not ready"),
        (lambda: os._exit(1), "StrategyDied at bar SPY 2026-03-17 13:30:00+00:00: its process"),
    ],
)
def test_one_that_cannot_get_ready_is_faulted_at_its_first_bar(ready: Any, told: str) -> None:
    bad, good = named("Bad", Does(lambda bar: 1, at_start=ready)), named("Good", Turns())
    with isolated([bad, good], BUILT_IN, budget=Budget(start_s=0.3)) as specs:
        lanes = Lanes(specs)
        lanes.feed_all([bars()[0]])
        assert lanes.fault(specs[0]).startswith(told)
        assert lanes.fault(specs[1]) == ""


def test_a_process_that_ends_takes_all_of_its_strategys_tickers_and_nobody_elses() -> None:
    def on_b(bar: Bar) -> int:
        return os._exit(0) if bar.symbol == "B" and bar.start.minute == 32 else 1  # type: ignore[return-value]

    rule = Does(on_b)
    same, twin = named("One", rule, "A", "B"), named("Two", rule, "A")
    other = named("Three", replace(rule, longest_window=2), "A")
    with isolated([same, twin, other], BUILT_IN) as specs:
        lanes = Lanes(specs)
        assert lanes.lane(specs[0], "A") is lanes.lane(specs[1], "A")
        assert lanes.lane(specs[0], "A") is not lanes.lane(specs[2], "A")
        for bar in bars("A", "B", minutes=range(4)):
            lanes.feed_all([bar])
        assert ["with exit status 0" in lanes.fault(spec) for spec in specs] == [True, True, False]


def test_what_it_prints_and_logs_is_told_in_the_log_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def talk(bar: Bar) -> int:
        print("close is", bar.close)
        logging.getLogger("mine").warning("hm\x1b[2J")
        os.write(1, b"raw")
        os.write(2, b"raw")
        return 1

    caplog.set_level(logging.INFO, "coordinator")
    with isolated([named("Talk", Does(talk))], BUILT_IN) as (one,):
        assert answers(Lanes([one]), one, bars(minutes=[0, 1])) == [1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "[Talk] says: close is 100",
        "[Talk] says: WARNING mine: hm [2J",
        "[Talk] says: close is 101",
        "[Talk] says: WARNING mine: hm [2J",
    ]
    assert capfd.readouterr() == ("", "")


def test_a_flood_of_words_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    chatty = Does(lambda bar: print("x" * 10**6) or print("y\n" * 10**6) or 1)
    with isolated([named("Chat", chatty)], BUILT_IN) as (one,):
        assert answers(Lanes([one]), one, bars(minutes=[0])) == [1]
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"[Chat] says: {300 * 'x'}", "[Chat] says: (2996002 more characters)"]


def test_the_built_in_strategies_stay_where_they_are() -> None:
    own = [named("A", MomentumStrategy()), named("B", RsiStrategy())]
    with isolated(own, BUILT_IN) as specs:
        assert [spec.rule for spec in specs] == [spec.rule for spec in own]

    class Derived(MomentumStrategy):
        """A user's, however close to one of ours."""

        @property
        def history_bars(self) -> int:
            return 21

    with isolated([named("C", Derived())], BUILT_IN) as (derived,):
        assert derived.rule.longest_window == 20
        assert derived.history_bars == 21
        assert not isinstance(derived.rule, MomentumStrategy)


def test_parameters_without_a_hash_are_no_obstacle() -> None:
    class Weighs(MomentumStrategy):
        weights: dict[str, float] = {}  # noqa: RUF012

    with isolated([named("A", Weighs()), named("B", Weighs())], BUILT_IN) as specs:
        lanes = Lanes(specs)
        assert answers(lanes, specs[0], bars()) == [0] * 9
        assert lanes.lane(specs[0], "SPY") is not lanes.lane(specs[1], "SPY")


class Averages:
    """Reads frames, remembers between bars and tickers, and draws by lot."""

    window = 3

    def __init__(self) -> None:
        self.seen = 0

    def generate_signal(self, bars: Any) -> int:
        self.seen += 1
        drift = bars["close"].iloc[-1] - bars["close"].mean()
        return int(drift > 0) - int(drift < 0) if (self.seen + random.randrange(5)) % 5 else 0  # noqa: S311


class Thirds(MomentumStrategy):
    """Decides by quotients that need more digits than a decimal has by default."""

    def start(self) -> Any:
        known = [Decimal(1)]

        def step(bar: Bar) -> int:
            before, now = sum(known) / 3, bar.close / 17
            known.append(bar.close * bar.volume)
            return (now * 7 > before / 7) - (now.as_tuple().digits[-1] > 4)

        return step


prices = st.decimals("0.0001", "99999", places=4)
walks = st.lists(st.tuples(prices, prices), min_size=1, max_size=30)


@pytest.mark.thorough
@settings(deadline=None, max_examples=25)
@given(walks=st.lists(walks, min_size=1, max_size=3), seed=st.integers(0, 9))
@pytest.mark.parametrize("kind", [Averages, Thirds])
def test_signals_are_the_same_in_and_out_of_a_process_of_its_own(
    kind: Any, walks: list[Any], seed: int
) -> None:
    fed = [
        Bar(f"T{n}", bar.start, price, price, price, price, volume)
        for n, walk in enumerate(walks)
        for bar, (price, volume) in zip(bars(minutes=range(len(walk))), walk, strict=True)
    ]
    tickers = [f"T{n}" for n in range(len(walks))]
    make = lambda: adapt(kind())  # noqa: E731
    random.seed(seed)
    with isolated([named("A", make(), *tickers)], BUILT_IN) as (there,):
        walled = answers(Lanes([there]), there, fed)
    here = named("A", make(), *tickers)
    assert walled == exactly(answers)(Lanes([here]), here, fed)


maybe = st.none() | st.decimals("0", "1e9", places=9)


@given(
    numbers=st.lists(st.decimals("0", "1e12"), min_size=5, max_size=5),
    count=st.none() | st.integers(0),
    vwap=maybe,
)
def test_a_bar_crosses_to_the_other_process_exactly(
    numbers: list[Decimal], count: int | None, vwap: Decimal | None
) -> None:
    bar = Bar("BTC/USD", bars()[0].start, *numbers, count, vwap)
    text = json.dumps(bar_values(bar))
    assert bar_of(json.loads(text)) == bar
    assert json.dumps(bar_values(bar_of(json.loads(text)))) == text


@pytest.mark.thorough
def test_twenty_sessions_leave_no_process_and_no_file() -> None:
    def left() -> tuple[list[str], str]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return os.listdir("/dev/fd"), children

    before = left()
    for _ in range(20):
        specs = [named("Bad", Turns("exits")), named("Good", Turns())]
        with isolated(specs, BUILT_IN) as walled:
            answers(Lanes(walled), walled[0], bars())
    assert left() == before


@dataclass(frozen=True)
class Explains:
    """Explains itself by what it is told to."""

    what: Callable[[], Any]
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        return Explaining(self.what).step


@dataclass
class Explaining:
    """A step that remembers the last close."""

    what: Callable[[], Any]
    close: Decimal = Decimal(0)

    def step(self, bar: Bar) -> int:
        self.close = bar.close
        return 1

    def explain(self) -> dict[str, Any]:
        return {"close": self.close, "average": 1 / 3, "more": self.what()}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("what", "more"),
    [
        (lambda: None, "too few bars"),
        (lambda: "a text", "a text"),
        (lambda: WAYS["raises"](), "ValueError: no idea"),
        (lambda: WAYS["leaves"](), "SystemExit: 3"),
        (lambda: WAYS["loops"](), "no answer within 0.5 s"),
        (lambda: WAYS["sleeps"](), "no answer within 0.5 s"),
    ],
    ids=["nothing", "a text", "raises", "leaves", "loops", "sleeps"],
)
def test_a_users_strategy_explains_itself_from_its_process_and_trades_on_whatever_that_does(
    what: Callable[[], Any], more: str
) -> None:
    with isolated([named("own", Explains(what))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        first, second = bars(minutes=range(2))
        assert answers(lanes, own, [first]) == [1]
        [told] = explained(lanes, own)
        if list(told) == ["explain()"]:
            assert more in str(told["explain()"])
        else:
            assert told == {"close": "100", "average": "0.333333", "more": more}
        assert answers(lanes, own, [second]) == [1]
        assert lanes.fault(own) == ""


COUNT = itertools.count()


def deaf() -> None:
    """As code that no signal interrupts, for longer than an explanation may take."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(1.0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


def test_an_explanation_that_does_not_come_is_told_and_what_comes_of_it_later_is_no_signal() -> (
    None
):
    with isolated([named("own", Explains(deaf))], BUILT_IN, budget=Budget(answer_s=9)) as [own]:
        lanes = Lanes([own])
        first, second, third = bars(minutes=range(3))
        answers(lanes, own, [first])
        [told] = explained(lanes, own)
        assert told == {"explain()": "no answer within 0.5 s; ask again after its next bar"}
        assert on_a_loop(lambda: answers(lanes, own, [second, third])) == [1, 1]
        assert lanes.fault(own) == ""


def test_explanations_on_many_tickers_have_half_a_second_between_two_bars_for_all_of_them() -> None:
    tickers = ("SPY", "QQQ", "IWM")
    with isolated([named("own", Explains(WAYS["loops"]), *tickers)], BUILT_IN) as [own]:
        lanes = Lanes([own])
        for minute in range(2):
            minutes = bars(*tickers, minutes=[minute])
            on_a_loop(lambda minutes=minutes: [lanes.feed_all([bar]) for bar in minutes])
            first, *others = (str(told["explain()"]) for told in explained(lanes, own))
            assert "no answer within 0.5 s" in first
            for words in others:
                assert words.startswith(("no answer within 0.5 s", "no time was left for it"))
            again, *_ = explained(lanes, own)
            assert again["explain()"] == first, "it is not asked a second time"
        assert lanes.fault(own) == ""


def test_on_each_ticker_it_says_what_it_saw_there_and_is_asked_once_a_bar() -> None:
    tickers = ("SPY", "QQQ")
    with isolated([named("own", Explains(lambda: next(COUNT)), *tickers)], BUILT_IN) as [own]:
        lanes = Lanes([own])
        for bar in bars(*tickers):
            lanes.feed_all([bar])
        spy, qqq = explained(lanes, own)
        assert (spy["more"], qqq["more"]) == ("0", "1")
        assert explained(lanes, own) == [spy, qqq]
        on_a_loop(lambda: lanes.feed_all(bars("SPY", minutes=[1])))
        assert [told["more"] for told in explained(lanes, own)] == ["2", "3"]


def test_while_a_strategy_explains_itself_the_loop_goes_on() -> None:
    with isolated([named("own", Explains(WAYS["sleeps"]))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        answers(lanes, own, bars())
        lane = lanes.lane(own, "SPY")

        async def beside() -> int:
            assert lane.explain() == {"explain()": "no answer yet; ask again"}
            hearing = asyncio.create_task(own.rule.wait_for_explanations())  # type: ignore[attr-defined]
            turns = 0
            while not hearing.done():
                await asyncio.sleep(0)
                turns += 1
            return turns

        assert asyncio.run(beside()) > 100
        assert "no answer within 0.5 s" in str(lane.explain()["explain()"])


def test_a_bar_goes_first_and_what_was_asked_before_it_is_forgotten() -> None:
    with isolated([named("own", Explains(WAYS["sleeps"]))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        first, second = bars(minutes=range(2))
        answers(lanes, own, [first])
        lane = lanes.lane(own, "SPY")

        async def meanwhile() -> None:
            lane.explain()
            hearing = asyncio.create_task(own.rule.wait_for_explanations())  # type: ignore[attr-defined]
            await asyncio.sleep(0)
            assert answers(lanes, own, [second]) == [1]
            await hearing

        asyncio.run(meanwhile())
        assert lanes.fault(own) == ""
        [told] = explained(lanes, own)
        assert "no answer within 0.5 s" in str(told["explain()"]), "it is asked anew"


def test_two_who_ask_at_once_are_both_answered() -> None:
    with isolated([named("own", Explains(lambda: "so"))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        answers(lanes, own, bars())
        lane = lanes.lane(own, "SPY")

        async def both() -> None:
            lane.explain()
            await asyncio.gather(own.rule.wait_for_explanations(), own.rule.wait_for_explanations())  # type: ignore[attr-defined]

        asyncio.run(both())
        assert lane.explain()["more"] == "so"


def test_of_a_process_that_has_ended_it_is_said_and_the_next_bar_finds_it() -> None:
    with isolated([named("own", Explains(WAYS["exits"]))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        first, second = bars(minutes=range(2))
        answers(lanes, own, [first])
        assert explained(lanes, own) == [{"explain()": "not asked: its process has ended"}]
        answers(lanes, own, [second])
        assert "its process" in lanes.fault(own)
        [told] = explained(lanes, own)
        assert str(told["explain()"]).startswith("not asked: its process")


def test_a_strategy_that_has_failed_explains_nothing() -> None:
    with isolated([named("own", Turns("raises"))], BUILT_IN) as [own]:
        lanes = Lanes([own])
        answers(lanes, own, bars())
        assert "no idea" in lanes.fault(own)
        assert explained(lanes, own) == [{}]


def test_a_strategy_and_its_shadow_share_no_process_though_their_rules_are_equal() -> None:
    rule = Does(lambda bar: 1)
    twins = [named("Live", rule), named("Twin", rule), named("Shadow", rule)]
    with isolated(twins, BUILT_IN, beside={"Shadow"}) as (live, twin, shadow):
        assert live.rule is twin.rule
        assert shadow.rule is not live.rule
