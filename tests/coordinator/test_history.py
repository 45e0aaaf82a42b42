"""Warm-up bars: the newest that count, from the file as far as it reaches, the rest from REST."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.session import Hours
from coordinator.core.values import MINUTE, Bar
from coordinator.settings import simulator_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.history import History, Need, read_bars, write_bars
from simulator.server import Simulator, SimulatorOptions

D = Decimal
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
QUIET = "DBB"


class Counted(Broker):
    """The real broker, which notes what bars it was asked for."""

    asked: list[tuple[str, datetime, datetime]]

    def bars(
        self, symbols: list[str], start: datetime, end: datetime, **more: Any
    ) -> dict[str, list[Bar]]:
        self.asked.append((symbols[0], start, end))
        return super().bars(symbols, start, end, **more)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Counted]:
    options = SimulatorOptions(
        date=date(2026, 3, 17), start=OPEN - 10 * MINUTE, quiet=frozenset({QUIET})
    )
    with Simulator(options) as simulator:
        settings = simulator_settings(simulator.url, Path("x"))
        yield Counted(AlpacaRest(settings), feed="iex")


@pytest.fixture
def broker(simulated: Counted) -> Counted:
    simulated.asked = []
    return simulated


@pytest.fixture(scope="module")
def sessions(simulated: Counted) -> list[Hours]:
    simulated.asked = []
    return simulated.calendar(date(2026, 2, 1), date(2026, 3, 24))


def test_a_stocks_history_is_regular_hours_only_back_over_the_weekend(
    broker: Counted, sessions: list[Hours]
) -> None:
    bars = History(broker, sessions).fetch([Need("SPY", 1000, OPEN)], {})["SPY"]
    assert len(bars) == 1000
    assert bars[-1].start == datetime(2026, 3, 16, 19, 59, tzinfo=UTC)
    assert [b.start.date().day for b in (bars[-391], bars[0])] == [13, 12]
    hours = {hours.date: hours for hours in sessions}
    assert all(hours[b.start.date()].covers(b.start) for b in bars)
    assert [b.start for b in bars] == sorted({b.start for b in bars})


def test_cryptos_history_is_every_minute_before(broker: Counted, sessions: list[Hours]) -> None:
    midnight = datetime(2026, 3, 17, tzinfo=UTC)
    bars = History(broker, sessions).fetch([Need("BTC/USD", 300, midnight)], {})["BTC/USD"]
    assert [b.start for b in bars] == [midnight - n * MINUTE for n in range(300, 0, -1)]


def test_a_quiet_ticker_has_as_many_bars_from_further_back(
    broker: Counted, sessions: list[Hours]
) -> None:
    bars = History(broker, sessions).fetch([Need(QUIET, 400, OPEN)], {})[QUIET]
    assert len(bars) == 400
    assert bars[-1].start - bars[0].start > timedelta(days=1)
    gaps = {b.start - a.start for a, b in itertools.pairwise(bars)}
    assert MINUTE in gaps
    assert 2 * MINUTE in gaps


def test_what_the_file_has_is_not_fetched_again(
    broker: Counted, sessions: list[Hours], tmp_path: Path
) -> None:
    history = History(broker, sessions)
    need = Need("SPY", 500, OPEN)
    bars = history.fetch([need], {})
    path = tmp_path / "warmup" / "2026-03-17.parquet"
    write_bars(path, bars)
    broker.asked.clear()
    assert history.fetch([need], read_bars(path)) == bars
    assert broker.asked == [("SPY", bars["SPY"][-1].start, OPEN)]


def before_a_split(bars: list[Bar]) -> list[Bar]:
    return [
        replace(bar, open=2 * bar.open, high=2 * bar.high, low=2 * bar.low, close=2 * bar.close)
        for bar in bars
    ]


def while_its_last_minute_ran(bars: list[Bar]) -> list[Bar]:
    return [*bars[:-1], replace(bars[-1], close=bars[-1].open, volume=D(1))]


@pytest.mark.parametrize("stored", [before_a_split, while_its_last_minute_ran])
def test_a_file_whose_last_bar_has_changed_since_is_fetched_anew(
    broker: Counted, sessions: list[Hours], stored: Callable[[list[Bar]], list[Bar]]
) -> None:
    history, need = History(broker, sessions), Need("SPY", 300, OPEN)
    bars = history.fetch([need], {})["SPY"]
    assert history.fetch([need], {"SPY": stored(bars[:-5])})["SPY"] == bars
    assert history.fetch([need], {"SPY": stored(bars)})["SPY"] == bars


def test_a_file_up_to_the_last_minute_before_the_session_is_enough_for_it(
    broker: Counted, sessions: list[Hours]
) -> None:
    history = History(broker, sessions)
    need = Need("BTC/USD", 300, datetime(2026, 3, 17, tzinfo=UTC))
    bars = history.fetch([need], {})
    assert history.fetch([need], bars) == bars


def test_what_the_file_lacks_is_fetched(
    broker: Counted, sessions: list[Hours], tmp_path: Path
) -> None:
    history = History(broker, sessions)
    whole = history.fetch([Need("SPY", 500, OPEN)], {})["SPY"]
    newer = history.fetch([Need("SPY", 300, OPEN)], {"SPY": whole[:400]})["SPY"]
    assert newer == whole[-300:]
    more = history.fetch([Need("SPY", 500, OPEN)], {"SPY": whole[:100]})["SPY"]
    assert more == whole


def test_each_ticker_is_fetched_once(broker: Counted, sessions: list[Hours]) -> None:
    needs = [Need("SPY", 100, OPEN), Need("QQQ", 50, OPEN)]
    found = History(broker, sessions).fetch(needs, {})
    assert {symbol: len(bars) for symbol, bars in found.items()} == {"SPY": 100, "QQQ": 50}
    assert [symbol for symbol, *_ in broker.asked] == ["SPY", "QQQ"]


def test_nothing_needed_is_nothing_fetched(broker: Counted, sessions: list[Hours]) -> None:
    assert History(broker, sessions).fetch([Need("SPY", 0, OPEN)], {}) == {"SPY": []}
    assert broker.asked == []


def made(symbol: str, minute: int, vwap: str | None = None, count: int | None = None) -> Bar:
    price = D("0.100000000000000001")
    average = None if vwap is None else D(vwap)
    return Bar(
        symbol, OPEN + minute * MINUTE, price, price, price, price, D("1.50"), count, average
    )


def test_bars_come_back_from_the_file_to_the_last_digit(tmp_path: Path) -> None:
    bars = {"BTC/USD": [made("BTC/USD", 0, "0.123456789", 3)], "SPY": [made("SPY", 1)]}
    path = tmp_path / "a" / "b" / "warmup" / "day.parquet"
    write_bars(path, bars)
    assert read_bars(path) == bars
    assert str(read_bars(path)["SPY"][0].volume) == "1.50"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(f.stat().st_mode) for f in list(path.parents)[:3]} == {0o700}
    assert [f.name for f in path.parent.iterdir()] == ["day.parquet"]


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1" + b"\x00" * 40 + b"PAR1"])
def test_a_file_that_cannot_be_read_is_told_and_fetched_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "day.parquet"
    path.write_bytes(content)
    assert read_bars(path) == {}
    assert "is not usable" in caplog.text


def test_a_file_that_is_not_there_is_no_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_bars(tmp_path / "none.parquet") == {}
    assert caplog.text == ""


def test_a_restart_in_mid_session_finds_the_same_history(
    broker: Counted, sessions: list[Hours]
) -> None:
    before = broker.clock() - 5 * MINUTE  # bars that start then, and later, exist by now
    bars = History(broker, sessions).fetch([Need("BTC/USD", 100, before)], {})["BTC/USD"]
    assert [bars[0].start, bars[-1].start] == [before - 100 * MINUTE, before - MINUTE]
