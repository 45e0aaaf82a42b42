"""A session on Prefect's pages: what is shown, how often, and that Prefect cannot disturb it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from coordinator.bootstrap import LiveView, RunOptions, StrategyView, run_configured
from coordinator.config import parse_config
from coordinator.core.alerts import Alert, AlertKind
from coordinator.core.risk import Limits
from coordinator.shell.alarms import Alarms, Listener
from flows import live
from flows.board import slug
from flows.live import Due, Outbox, refused_start, shown
from flows.showing import one_line, percent_gone, plain, state_sentence, strategy_rows, troubles

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 17, 20, tzinfo=UTC)
D = Decimal
A = StrategyView(
    "A", D(10_000), D(4_000), D("10250.5"), D("250.5"), D("-12.25"), 3, {"SPY": D("10.5000")}, 1
)
B = StrategyView("B", D(5_000), D(5_000), D(5_000), D(0), D(0), 0, {}, 0, stopped="max_daily_loss")
VIEW = LiveView(
    at=OPEN + timedelta(hours=3, minutes=15),
    account="SIM0001",
    session_id="stocks_only.2026-03-17",
    coordinator="stocks_only",
    mode="simulated",
    opens_at=OPEN,
    closes_at=CLOSE,
    strategies=(A,),
    streams={"orders": "live", "stock bars": "live"},
    limits={"A": Limits(max_daily_trades=20, max_daily_loss=D(500))},
    last_bar=OPEN + timedelta(hours=3, minutes=15),
)


@pytest.mark.parametrize(
    ("at", "percent"),
    [
        (OPEN - timedelta(minutes=10), 0.0),
        (OPEN, 0.0),
        (OPEN + timedelta(hours=3, minutes=15), 50.0),
        (CLOSE, 100.0),
        (CLOSE + timedelta(seconds=40), 100.0),
    ],
)
def test_progress_is_the_share_of_the_session_that_is_gone(at: datetime, percent: float) -> None:
    assert percent_gone(replace(VIEW, at=at)) == percent


def test_a_glance_tells_the_money_the_orders_and_the_streams() -> None:
    assert state_sentence(VIEW) == (
        "**$10,250.50**, **-$12.25** today, 1 open orders."
        " At 16:45 UTC, last bar 16:45; streams: orders live, stock bars live."
    )


def test_a_bar_of_another_day_is_shown_with_its_date() -> None:
    before_the_open = replace(VIEW, last_bar=CLOSE - timedelta(days=4))
    assert "last bar 2026-03-13 20:00;" in state_sentence(before_the_open)


def test_what_is_wrong_stands_first() -> None:
    wrong = replace(
        VIEW,
        strategies=(A, B),
        killed=True,
        frozen={"d1": "SPY: 1 against 2"},
        blind=frozenset({"QQQ"}),
    )
    assert troubles(wrong) == [
        "**⚠ KILLED: nothing is bought.**",
        "**⚠ Frozen:** SPY: 1 against 2.",
        "**⚠ B opens nothing more:** max\\_daily\\_loss.",
    ]
    assert state_sentence(wrong).startswith("**⚠ KILLED")
    assert "No bars of QQQ." in state_sentence(wrong)


def test_a_row_tells_a_strategys_money_and_how_much_of_its_limits_is_used() -> None:
    first, second = strategy_rows(replace(VIEW, strategies=(A, B)))
    assert first == {
        "Strategy": "A",
        "State": "trading",
        "Equity": "$10,250.50",
        "Day P&L": "-$12.25",
        "Trades": "3 / 20",
        "Daily loss": "$12.25 / $500.00",
        "Orders": "1",
        "Positions": "10.5 SPY",
    }
    assert second["State"].startswith("stopped: ")
    assert (second["Positions"], second["Trades"]) == ("none", "0 / any")
    assert second["Daily loss"] == "$0.00 / any"
    [paused] = strategy_rows(replace(VIEW, strategies=(replace(B, halted="paused"),)))
    assert paused["State"] == "paused"


def test_anothers_words_cannot_shape_the_page() -> None:
    assert plain("a\n<b> [c](d) `e` |") == "a  b  \\[c\\](d) \\`e\\`  "
    assert len(plain("x" * 1_000)) < 310
    assert one_line("max_daily_loss\n of  A") == "max_daily_loss of A"


@pytest.mark.parametrize(
    ("name", "key"), [("stocks_only", "stocks-only"), ("A B/1", "a-b-1"), ("-", "session")]
)
def test_an_artifacts_key_is_made_of_the_coordinators_name(name: str, key: str) -> None:
    assert slug(name) == key


@dataclass
class FakeSession:
    """A session whose clock and alerts a test moves."""

    now: LiveView = VIEW
    alarms: Alarms = field(default_factory=Alarms)
    listeners: list[Listener] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alarms.listen = self.listeners.append  # type: ignore[method-assign]

    def view(self) -> LiveView:
        return self.now


@dataclass
class Recorder:
    """A board that remembers, and answers as it is told."""

    progress: list[float] = field(default_factory=list)
    tables: list[Sequence[Mapping[str, str]]] = field(default_factory=list)
    trouble: Callable[[], Awaitable[None]] | None = None

    async def show_progress(self, percent: float, text: str) -> None:
        if self.trouble:
            await self.trouble()
        self.progress.append(percent)

    async def show_table(self, rows: Sequence[Mapping[str, str]], text: str) -> None:
        if self.trouble:
            await self.trouble()
        self.tables.append(rows)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  it happens in a task that tells nobody
            await asyncio.sleep(0.001)


def test_the_last_state_is_shown_at_the_end() -> None:
    async def main() -> Recorder:
        session, board = FakeSession(), Recorder()
        async with shown(session, board, _silent, look_s=60):
            await until(lambda: board.progress == [50.0])
            session.now = replace(VIEW, at=CLOSE)
        return board

    board = asyncio.run(main())
    assert board.progress == [50.0, 100.0]
    assert len(board.tables) == 2


async def _away() -> None:
    raise httpx.ConnectError("refused")


async def _odd() -> None:
    raise ValueError("Prefect's own fault")


async def _never() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("trouble", [_away, _odd, _never])
def test_prefect_that_is_away_wrong_or_silent_holds_nothing_up_and_is_tried_again(
    trouble: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.02)
    monkeypatch.setattr(live, "LEAST_PROGRESS_S", 0.0)
    monkeypatch.setattr(live, "PROGRESS", timedelta(0))
    caplog.set_level("INFO", "coordinator.flow")

    async def main() -> int:
        session, board = FakeSession(), Recorder(trouble=trouble)
        turns = 0
        async with shown(session, board, _silent, look_s=0.001):
            async with asyncio.timeout(10):
                while "does not show" not in caplog.text:
                    await asyncio.sleep(0)  # trading: the loop stays free
                    turns += 1
            board.trouble = None
            await until(lambda: board.progress)
        return turns

    assert asyncio.run(main()) > 0
    assert caplog.text.count("Prefect does not show the session") == 1
    assert caplog.text.count("Prefect shows the session again") == 1


@pytest.mark.parametrize(
    ("speed", "hours", "most"),
    [(1, 6.5, 391), (600, 6.5, 9), (100_000, 24, 2)],
)
def test_updates_are_bounded_by_the_brokers_time_and_by_ours(
    speed: float, hours: float, most: int
) -> None:
    due, shown_times = Due(live.PROGRESS, live.LEAST_PROGRESS_S), 0
    for second in range(round(hours * 3_600 / speed) + 1):
        shown_times += due.take(OPEN + timedelta(seconds=second * speed), float(second))
    assert most - 1 <= shown_times <= most


def alert(kind: AlertKind, subject: str = "orders", minute: int = 0) -> Alert:
    return Alert(OPEN + timedelta(minutes=minute), kind, subject, f"{subject} {kind.value}")


LOST, BACK = alert(AlertKind.STREAM_LOST), alert(AlertKind.STREAM_BACK)


@pytest.mark.parametrize(
    ("put", "sent"),
    [
        pytest.param([(0, LOST), (30, BACK)], [(0, LOST), (30, BACK)], id="a loss and a return"),
        pytest.param([(0, LOST), (1, BACK), (2, LOST), (3, BACK)], [(0, LOST), (10, BACK)], id="f"),
        pytest.param([(0, LOST), (1, BACK), (2, LOST)], [(0, LOST)], id="lost as it was told"),
        pytest.param(
            [(0, alert(AlertKind.HALT, "A")), (0, alert(AlertKind.HALT, "B"))],
            [(0, alert(AlertKind.HALT, "A")), (0, alert(AlertKind.HALT, "B"))],
            id="two things",
        ),
        pytest.param(
            [(0, alert(AlertKind.HALT, "A")), (60, alert(AlertKind.HALT, "A", 1))],
            [(0, alert(AlertKind.HALT, "A")), (60, alert(AlertKind.HALT, "A", 1))],
            id="halted again",
        ),
    ],
)
def test_of_one_thing_the_newest_is_told_and_not_more_often_than_every_ten_seconds(
    put: list[tuple[int, Alert]], sent: list[tuple[int, Alert]]
) -> None:
    outbox, told = Outbox(), []
    for second in range(100):
        for when, news in put:
            if when == second:
                outbox.put(news)
        told += [(second, news) for news in outbox.take(float(second))]
    assert told == sent


def test_a_flood_of_things_is_bounded() -> None:
    outbox = Outbox()
    for number in range(10_000):
        outbox.put(alert(AlertKind.DISCREPANCY, f"S{number}"))
    assert len(list(outbox.take(0.0))) == live.MOST_WAITING


Sent = tuple[str, str, str, str]


def _silent(news: Alert, account: str, coordinator: str, session_id: str) -> None:
    pass


def test_alerts_are_sent_with_the_sessions_names_and_the_last_ones_at_the_end() -> None:
    sent: list[Sent] = []

    def send(news: Alert, account: str, coordinator: str, session_id: str) -> None:
        sent.append((news.kind.value, account, coordinator, session_id))

    async def main() -> None:
        session = FakeSession()
        async with shown(session, Recorder(), send, look_s=0.001):
            session.listeners[0](LOST)
            await until(lambda: len(sent) == 1)
            session.listeners[0](BACK)

    asyncio.run(main())
    names = ("SIM0001", "stocks_only", "stocks_only.2026-03-17")
    assert sent == [("stream-lost", *names), ("stream-back", *names)]


def test_a_kill_that_holds_when_a_session_begins_is_sent() -> None:
    sent: list[Alert] = []

    async def main() -> None:
        session = FakeSession(replace(VIEW, killed=True))
        async with shown(session, Recorder(), lambda news, *_: sent.append(news), look_s=0.001):
            pass

    asyncio.run(main())
    assert [(one.kind, one.subject) for one in sent] == [(AlertKind.HALT, "account")]


def test_prefect_that_takes_no_event_is_no_fault_of_the_sessions() -> None:
    def send(news: Alert, account: str, coordinator: str, session_id: str) -> None:
        raise RuntimeError("no loop")

    refused_start("stocks_only", "no keys", send)


@pytest.mark.thorough
def test_a_real_session_is_shown_while_it_trades_and_once_more_when_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LEAST_PROGRESS_S", 0.0)
    board, sent = Recorder(), list[Alert]()

    @contextlib.asynccontextmanager
    async def observed(session: live.Watched) -> AsyncIterator[None]:
        async with shown(session, board, lambda news, *_: sent.append(news), look_s=0.02):
            stopper = asyncio.create_task(stop_after_some())
            yield
            await stopper

    async def stop_after_some() -> None:
        await until(lambda: len(board.progress) > 3)
        stop.set()

    config = parse_config(
        {"strategies": [{"name": "A", "strategy_type": "momentum", "tickers": ["SPY"]}]}, "one"
    )
    options = RunOptions(simulate=True, date=OPEN.date(), clock_speed=100_000, home=tmp_path)
    stop, leases = asyncio.Event(), tmp_path / "leases"
    running = run_configured(
        config, options, {}, stop=stop, leases_folder=leases, observers=[observed]
    )
    assert asyncio.run(running).status == "StoppedEarly"
    assert 0 <= board.progress[0] < board.progress[-1] < 100
    assert board.progress == sorted(board.progress)
    assert [row["Strategy"] for row in board.tables[-1]] == ["A"]
    assert sent == []
