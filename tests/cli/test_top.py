"""`multi-trader top`: every frame fits its terminal, is in order, scrolls, and is true."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.frame import KEYS, SORTS, Look, frame
from cli.keys import NAMED, names
from coordinator.commands.running import Answered
from coordinator.core.live_view import LiveView, StrategyView
from coordinator.core.risk import Limits
from coordinator.shell.control_protocol import Reply
from coordinator.shell.recent import Event
from tests.cli.conftest import Said
from tests.cli.test_explain import home as home
from tests.cli.test_explain import said
from tests.coordinator.bench import CLOSE, OPEN, D

Command = Callable[[Sequence[str]], Said]


def strategy(number: int) -> StrategyView:
    """The n-th of many: the higher its number, the more it has won, traded and holds."""
    held = {"SPY": D("12.9473"), "BTC/USD": D("0.182822235")} if number % 2 else {}
    return StrategyView(
        f"strategy_{number:03}",
        D(10_000),
        D(5_000),
        D(10_000 + number),
        D(number),
        D(number - 100),
        number,
        held,
        number % 3,
    )


def view(count: int, **changes: object) -> LiveView:
    """A session of so many strategies."""
    return replace(
        LiveView(
            at=OPEN + timedelta(minutes=5, seconds=4),
            account="PA1",
            session_id="s",
            coordinator="stocks",
            mode="paper",
            opens_at=OPEN,
            closes_at=CLOSE,
            strategies=tuple(strategy(n) for n in range(count)),
            streams={"orders": "live", "stock bars": "live"},
            limits={"strategy_001": Limits(max_daily_trades=10, max_daily_loss=D(200))},
            last_bar=OPEN + timedelta(minutes=5),
        ),
        **changes,  # type: ignore[arg-type]
    )


def answered(live: LiveView, events: int = 3) -> Answered:
    """What a coordinator answers after 4 ms."""
    said = tuple(Event(OPEN + timedelta(seconds=n), "INFO", f"line {n}") for n in range(events))
    return Answered(
        "PA1", live.coordinator, Reply(done=True, said="", status=live, events=said), 0.004
    )


def drawn(
    answers: Sequence[Answered],
    look: Look = Look(),  # noqa: B008
    *,
    width: int = 80,
    height: int | None = 24,
    note: str = "",
) -> list[str]:
    """The lines of a frame in a terminal of this size."""
    text = io.StringIO()
    console = Console(file=text, width=width, height=height, force_terminal=True, color_system=None)
    console.print(frame(answers, look, width=width, height=height, note=note).drawn)
    return text.getvalue().splitlines()


def seen(lines: Sequence[str]) -> list[str]:
    """The strategies of a frame, in order."""
    return [line.split()[0] for line in lines if line.startswith("strategy_")]


@pytest.mark.parametrize("count", [1, 5, 13, 14, 15, 200])
@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (80, 10), (60, 24), (40, 16), (120, 50), (200, 300)]
)
def test_a_frame_fills_its_terminal_and_never_overflows(
    count: int, width: int, height: int
) -> None:
    lines = drawn([answered(view(count))], width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("q quit")
    assert seen(lines), "at least one strategy is seen"


def test_at_eighty_columns_every_figure_is_whole() -> None:
    lines = drawn([answered(view(3))])
    for whole in (
        "stocks  PA1  paper  13:35:04 UTC, closes 20:00",
        "live: orders, stock bars; last bar 4 s ago; lag 0 ms; answer 4 ms",
        "Equity 30,003.00   Day P&L -297.00   Positions 2   Open orders 3",
        "Strategies 1-3 of 3, by name",
        KEYS,
    ):
        assert whole in lines
    [row] = [line.split() for line in lines if line.startswith("strategy_001")]
    assert row[:3] == ["strategy_001", "10,001.00", "-99.00"]
    assert row[-3:] == ["1", "1/10", "50%"]
    assert "13:30:02 line 2" in lines


@pytest.mark.parametrize("width", [40, 50, 60, 70])
def test_a_narrow_terminal_leaves_columns_out_and_keeps_names_equity_and_the_head(
    width: int,
) -> None:
    lines = drawn([answered(view(3))], width=width)
    assert seen(lines) == ["strategy_000", "strategy_001", "strategy_002"]
    assert "10,001.00" in next(line for line in lines if line.startswith("strategy_001"))
    head = lines[: next(n for n, line in enumerate(lines) if line.startswith("Strategies "))]
    assert not any("…" in line for line in head)
    assert any("closes 20:00" in line for line in head)


def test_a_wide_terminal_tells_why_a_strategy_stopped_and_puts_figures_beside_names() -> None:
    why = "fault: StrategyRaised at bar SPY 2026-03-17 14:00:00+00:00: IndexError (gap.py:17)"
    stopped = replace(strategy(1), stopped=why)
    lines = drawn([answered(view(2, strategies=(strategy(0), stopped)))], width=200)
    row = next(line for line in lines if line.startswith("strategy_001"))
    assert why in row
    assert row.startswith("strategy_001  10,001.00"), "no gulf between name and figures"


def test_why_a_strategy_stopped_is_read_at_eighty_columns_too() -> None:
    stopped = replace(strategy(1), stopped="max_daily_loss")
    lines = drawn([answered(view(2, strategies=(strategy(0), stopped)))])
    row = next(line for line in lines if line.startswith("strategy_001"))
    assert row.rstrip().endswith("max_daily_loss")


def test_a_screen_shows_a_page_of_two_hundred_and_scrolls_to_the_last() -> None:
    answers = [answered(view(200))]
    first = drawn(answers)
    page = len(seen(first))
    assert f"Strategies 1-{page} of 200, by name" in first
    look, found = Look(), list[str]()
    for _ in range(200 // page + 1):
        one = frame(answers, look, height=24)
        found += seen(drawn(answers, one.look))
        look = one.look.after("page down", one.page)
    assert sorted(set(found)) == [strategy(n).name for n in range(200)]
    last = frame(answers, Look().after("end", page), height=24)
    assert seen(drawn(answers, last.look))[-1] == "strategy_199"
    assert last.look.first == 200 - page
    assert last.look.after("home", page).first == 0


@pytest.mark.parametrize(
    ("key", "first", "turned"),
    [
        ("n", "strategy_000", "strategy_199"),
        ("e", "strategy_199", "strategy_000"),
        ("d", "strategy_199", "strategy_000"),
        ("t", "strategy_199", "strategy_000"),
        ("o", "strategy_002", "strategy_000"),
        ("p", "strategy_001", "strategy_000"),
    ],
)
def test_a_key_sorts_and_r_turns_the_order_round(key: str, first: str, turned: str) -> None:
    answers, look = [answered(view(200))], Look("x" if key == "n" else "n").after(key, 10)
    lines = drawn(answers, look)
    assert seen(lines)[0] == first
    assert any(line.endswith(f"of 200, by {SORTS[key][0]}") for line in lines)
    round_ = look.after("r", 10)
    assert seen(drawn(answers, round_))[0] == turned
    assert round_.after("r", 10) == look


@pytest.mark.thorough
@settings(deadline=None)  # drawing a frame takes its time on a busy machine
@given(st.lists(st.sampled_from([*SORTS, "r", "up", "down", "page up", "page down", "end", "x"])))
def test_whatever_keys_are_pressed_a_full_page_is_seen(keys: list[str]) -> None:
    answers, look = [answered(view(30))], Look()
    for key in keys:
        one = frame(answers, look, height=24)
        look = one.look.after(key, one.page)
    last = frame(answers, look, height=24)
    assert 0 <= last.look.first <= 30 - last.page
    assert len(seen(drawn(answers, look))) == last.page


def test_what_keeps_the_account_from_buying_is_said_in_the_head() -> None:
    troubled = view(
        2,
        streams={"orders": "live", "stock bars": "lost"},
        blind=frozenset({"SPY"}),
        killed=True,
        frozen={"cash": "cash differs by 3"},
        strategies=(
            *(replace(strategy(0), halted="flattened"), replace(strategy(1), halted="paused")),
            replace(strategy(2), stopped="frozen"),
        ),
    )
    lines = drawn([answered(troubled)])
    for words in ("KILLED", "FROZEN: cash differs by 3", "BLIND: no bars come of SPY"):
        assert any(line.startswith(words) for line in lines)
    assert lines[1].startswith("lost: stock bars; live: orders;")
    states = [line.split()[-1] for line in lines if line.startswith("strategy")]
    assert states == ["flattened", "paused", "frozen"]


def test_a_shadow_is_in_the_table_and_in_no_sum() -> None:
    alone = drawn([answered(view(3))])
    beside = drawn([answered(view(3, shadows=(replace(strategy(900), name="twin"),)))])
    (row,) = [line for line in beside if line.startswith("twin")]
    assert row.rstrip().endswith("shadow")
    sums = [line for line in alone if line.startswith("Equity ")]
    assert [line for line in beside if line.startswith("Equity ")] == sums


def test_several_coordinators_stand_in_one_table_with_a_head_each() -> None:
    others = [
        answered(replace(view(1), coordinator=f"c{n}", strategies=(strategy(n),))) for n in range(5)
    ]
    lines = drawn(others)
    assert "and 2 more: c3, c4" in lines
    assert len(seen(lines)) == 5
    assert any(line.startswith("Equity 50,010.00") for line in lines)


def test_when_nobody_answers_any_more_the_last_answer_stays_with_a_word() -> None:
    lines = drawn([answered(view(2))], note="No coordinator answers any more.")
    assert "No coordinator answers any more." in lines
    assert len(seen(lines)) == 2
    assert len(lines) <= 24


def test_a_million_is_shown_without_cents() -> None:
    rich = replace(strategy(1), equity=D("1234567.89"), day_pnl=D("-0.005"))
    lines = drawn([answered(view(1, strategies=(rich,)))])
    assert "1,234,568" in next(line for line in lines if line.startswith("strategy"))


def test_what_a_strategy_holds_stands_in_its_line_and_a_dash_where_it_holds_nothing() -> None:
    one = strategy(1)
    held, flat = ({"SPY": D("3"), "QQQ": D("0")}, {"SPY": D("0")})
    lines = drawn([answered(view(1, strategies=(replace(one, positions=held),)))], width=120)
    assert " 3 SPY " in next(line for line in lines if line.startswith("strategy_"))
    lines = drawn([answered(view(1, strategies=(replace(one, positions=flat),)))], width=120)
    assert " - " in next(line for line in lines if line.startswith("strategy_"))


def test_the_last_events_stand_under_their_heading() -> None:
    lines = [line.rstrip() for line in drawn([answered(view(3))])]
    assert [line[-6:] for line in lines[lines.index("Last events") + 1 :][:3]] == [
        "line 0",
        "line 1",
        "line 2",
    ]


@pytest.mark.parametrize("day_pnl", ["0", "-0.004", "0.004"])
def test_a_day_without_a_gain_has_no_sign(day_pnl: str) -> None:
    idle = replace(strategy(1), day_pnl=D(day_pnl))
    drawing = "".join(drawn([answered(view(1, strategies=(idle,)))]))
    assert "0.00" in drawing
    assert not re.search(r"[+-]0\.00", drawing)


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        (b"q", ["q"]),
        (b"ed", ["e", "d"]),
        *((code, [name]) for code, name in NAMED.items()),
        (b"\x1b[A\x1b[Bq", ["up", "down", "q"]),
        (b"\x1b[1;5A", []),
        (b"\xc3", ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_a_key_is_known_by_what_the_terminal_sends(pressed: bytes, keys: list[str]) -> None:
    assert list(names(pressed)) == keys


def test_once_prints_one_frame_of_the_session_that_runs(command: Command, home: Path) -> None:
    answer = said(command, home, "top", "--once")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("bench  PA1  simulated  13:40:00 UTC")
    assert "last bar 540 s ago" in answer.out
    assert "Open orders 1" in answer.out
    assert "q quit" not in answer.out


def test_without_a_terminal_it_prints_one_frame_as_well(command: Command, home: Path) -> None:
    assert said(command, home, "top").out.startswith("bench  PA1")


def test_json_keeps_every_digit_and_has_the_events(command: Command, home: Path) -> None:
    [one] = json.loads(said(command, home, "top", "--json").out)
    assert Decimal(one["strategies"][0]["cash"]) == 10_000
    assert one["limits"]["A"]["max_daily_trades"] is None
    assert one["answered_after_s"] > 0
    assert isinstance(one["events"], list)


def test_without_a_coordinator_it_says_what_to_do_next(command: Command) -> None:
    answer = command(["top"])
    assert (answer.code, answer.out) == (1, "")
    assert "multi-trader run" in answer.err
