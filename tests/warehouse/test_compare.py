"""Two strategies side by side: what a trader could check on paper from a few fills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from tests.warehouse.builder import Day, Source, d
from warehouse import Store, load_session
from warehouse.compare import Comparison, compare
from warehouse.errors import NothingToCompare
from warehouse.queries import query

pytestmark = pytest.mark.thorough

Trade = tuple[str, str]
"""A price paid and a price received, ten shares of SPY."""


def days(
    strategy: str, trades: Sequence[Trade], *, account: str = "PA1", mode: str = "paper"
) -> list[Source]:
    """A session a day from 17 March on, each with one round trip."""
    found = []
    day = Day(f"{strategy}-{account}-0", account=account, mode=mode, tickers={strategy: ["SPY"]})
    for number, (paid, received) in enumerate(trades):
        if number:
            day = day.next_day(f"{strategy}-{account}-{number}")
        day.buy(strategy, "SPY", "10", paid, decision_price=d("100"))
        day.sell(strategy, "SPY", "10", received, decision_price=d(received))
        found.append(day.source())
    return found


def load(folder: Path, *sources: Source) -> Path:
    """A warehouse of these sessions."""
    path = folder / "w.duckdb"
    with Store.open(path) as store:
        for source in sources:
            result = load_session(store, source)
            assert result.quarantined == 0, result.message
    return path


LIVE = (("100", "103"), ("100", "99"), ("100", "101"))
SHADOW = (("100.1", "102"), ("100", "99"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three days of Alpha, and two of them of its shadow Beta, and an old backtest of Alpha."""
    return load(
        tmp_path,
        *days("Alpha", LIVE),
        *days("Beta (shadow)", SHADOW, account="SH-PA1", mode="shadow"),
        *days("Alpha", LIVE[:1], account="BT-1", mode="backtest"),
    )


def test_the_days_that_both_have_are_compared_and_no_others(place: Path) -> None:
    found = compare(place, "Alpha", "Beta")
    assert found.days == (date(2026, 3, 17), date(2026, 3, 18))
    assert (found.a.mode, found.b.mode) == ("paper", "shadow")
    assert (found.of_a.net_pnl, found.of_b.net_pnl) == (d("20"), d("9"))
    assert (found.of_a.round_trips, found.of_a.fills) == (2, 4)
    assert (found.of_a.hit_rate, found.of_b.hit_rate) == (0.5, 0.5)


def test_risk_is_that_of_the_daily_returns(place: Path) -> None:
    of_a = compare(place, "Alpha", "Beta").of_a
    up, down = 30 / 10_000, -10 / 10_030
    mean, deviation = (up + down) / 2, abs(up - down) / math.sqrt(2)
    assert of_a.sharpe == pytest.approx(mean / deviation * math.sqrt(252))
    assert of_a.max_drawdown == pytest.approx(10 / 10_030)
    assert of_a.total_return == pytest.approx(20 / 10_000)


def test_the_fall_of_one_that_moved_within_a_day_is_that_of_its_whole_history(
    tmp_path: Path,
) -> None:
    day = Day("z1", tickers={"Alpha": ["SPY"], "Beta": ["QQQ"]})
    found = [day.source()]
    day = day.next_day("z2")
    day.activity("Alpha", "dividend", "-1000")
    found.append(day.source())
    day = day.moved_to("a2")
    day.activity("Alpha", "dividend", "400")
    path = load(tmp_path, *found, day.source())
    (whole,) = query(path, "SELECT max_drawdown FROM v_performance WHERE strategy = 'Alpha'").rows
    assert compare(path, "Alpha", "Beta").of_a.max_drawdown == pytest.approx(whole[0])
    assert whole == (pytest.approx(0.06),)


def test_slippage_is_against_the_close_that_decided(place: Path) -> None:
    of_b = compare(place, "Alpha", "Beta").of_b
    assert of_b.slippage_cost == d("1"), "ten shares, ten cents dearer"
    assert of_b.slippage_bps == pytest.approx(10 * 1001 / (1001 + 1020 + 1000 + 990))


def test_days_that_move_together_correlate(place: Path) -> None:
    assert compare(place, "Alpha", "Beta").correlation == pytest.approx(1)
    one = compare(place, "Alpha", "Beta", end=date(2026, 3, 17))
    assert (len(one.days), one.correlation, one.of_a.sharpe) == (1, None, None)


def test_minutes_in_which_they_decided_otherwise_are_listed(tmp_path: Path) -> None:
    early, late = Day("s1", tickers={"Alpha": ["SPY"]}), Day("s2", tickers={"Beta": ["SPY"]})
    early.buy("Alpha", "SPY", "10", "100")  # 13:31
    early.sell("Alpha", "SPY", "10", "101")  # 13:32
    late.buy("Beta", "SPY", "9", "100")
    late.bar("SPY", "100", minute=5)
    late.at = late.at.replace(minute=35)
    late.sell("Beta", "SPY", "9", "101")  # 13:36
    found = compare(load(tmp_path, early.source(), late.source()), "Alpha", "Beta")
    assert (found.symbols, found.agreed) == (("SPY",), 1)
    assert [(f"{one.at:%H:%M}", one.symbol, one.a, one.b) for one in found.differing] == [
        ("13:32", "SPY", "sell", "-"),
        ("13:36", "SPY", "-", "sell"),
    ]


def test_tickers_that_only_one_trades_are_no_difference(tmp_path: Path) -> None:
    one, other = Day("s1", tickers={"Alpha": ["SPY"]}), Day("s2", tickers={"Beta": ["QQQ"]})
    one.buy("Alpha", "SPY", "10", "100")
    other.buy("Beta", "QQQ", "10", "100")
    found = compare(load(tmp_path, one.source(), other.source()), "Alpha", "Beta")
    assert (found.symbols, found.agreed, found.differing) == ((), 0, ())


@pytest.mark.parametrize("name", ["Alpha@backtest", "Alpha@BT-1"])
def test_a_strategy_is_compared_with_a_history_of_its_own(place: Path, name: str) -> None:
    found = compare(place, "Alpha@paper", name)
    assert (found.a.account, found.b.account) == ("PA1", "BT-1")
    assert found.of_a.net_pnl == found.of_b.net_pnl == d("30")
    assert found.agreed == 2


def test_a_comparison_is_the_same_the_other_way_round(place: Path) -> None:
    there, back = compare(place, "Alpha", "Beta"), compare(place, "Beta", "Alpha")
    assert (there.of_a, there.of_b) == (back.of_b, back.of_a)
    assert there.correlation == back.correlation
    assert turned(back) == [(one.at, one.a, one.b) for one in there.differing]


def turned(found: Comparison) -> list[tuple[object, str, str]]:
    """The differences, seen from the other side."""
    return [(one.at, one.b, one.a) for one in found.differing]


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("Alpha", "Alpa", "strategy 'Alpa'; did you mean 'Alpha'? What was not loaded"),
        ("Nobody", "Alpha", "known: Alpha, Beta"),
        ("UNASSIGNED_", "Alpha", "multi-trader end-of-day"),
        ("Alpha@live", "Beta", "has no history 'Alpha@live'"),
        (
            "Beta",
            "Beta",
            r"Beta is one history, Beta \(shadow, SH-PA1\), with 2026",
        ),
        ("Alpha@paper", "Alpha@PA1", "Alpha@paper and Alpha@PA1 are one history, Alpha "),
        ("Alpha@backtest", "Beta@paper", "has no history 'Beta@paper'"),
    ],
)
def test_what_cannot_be_compared_is_said(place: Path, a: str, b: str, said: str) -> None:
    with pytest.raises(NothingToCompare, match=said.replace("?", r"\?")):
        compare(place, a, b)


def test_two_without_a_common_day_are_told_theirs(tmp_path: Path) -> None:
    later = Day("s9", day=date(2026, 4, 1), tickers={"Late": ["SPY"]})
    later.buy("Late", "SPY", "1", "100")
    place = load(tmp_path, *days("Alpha", LIVE), later.source())
    with pytest.raises(NothingToCompare, match=r"2026-03-17 to 2026-03-19 \(paper\), Late 2026-04"):
        compare(place, "Alpha", "Late")
    with pytest.raises(NothingToCompare, match="between these dates"):
        compare(place, "Alpha", "Late", start=date(2026, 5, 1))


def test_of_one_name_the_histories_without_a_common_day_are_told_once(tmp_path: Path) -> None:
    old = Day(
        "b", day=date(2025, 4, 1), account="BT-1", mode="backtest", tickers={"Alpha": ["SPY"]}
    )
    place = load(tmp_path, *days("Alpha", LIVE), old.source())
    with pytest.raises(NothingToCompare, match=r"^The histories of Alpha have no day in common: "):
        compare(place, "Alpha", "Alpha")


def test_one_that_failed_on_some_of_the_days_is_told_with_the_first_of_them(tmp_path: Path) -> None:
    alphas, betas = days("Alpha", LIVE), days("Beta", SHADOW, account="PA2")
    for number, source in enumerate(alphas):
        if number:
            fault = {"strategy": "Alpha", "reason": f"KeyError in own/alpha.py:{number}"}
            source.tables["faults"] = [{"session_id": source.session_id, **fault}]
    found = compare(load(tmp_path, *alphas, *betas), "Alpha", "Beta")
    assert [(one.history.strategy, one.days, one.reason) for one in found.failed] == [
        ("Alpha", (date(2026, 3, 18),), "KeyError in own/alpha.py:1")
    ]
    assert compare(tmp_path / "w.duckdb", "Beta", "Alpha", end=date(2026, 3, 17)).failed == ()
