"""Shadow strategies decide beside a session, equal their backtest, and survive what a process may.

A session's records come from a backtest of its live strategies: what a session tells its shadows.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from coordinator.arming import refuse_untradable
from coordinator.backtest.session import Session
from coordinator.backtest.setup import Opened
from coordinator.commands.accounts import Operator
from coordinator.commands.control import find
from coordinator.config import parse_config
from coordinator.core import records as r
from coordinator.core.reload import Reload, Removal
from coordinator.core.statement import Rows, statement
from coordinator.core.values import SHADOW_ACCOUNT, SHADOW_MARK, Bar
from coordinator.engine_setup import setup_of
from coordinator.errors import OperatorError
from coordinator.readers import as_shadows, session_sources
from coordinator.settings import simulator_settings
from coordinator.shadow import Shadow
from coordinator.shell.journal import Journal
from coordinator.shell.run import Run
from coordinator.shell.shadows import Beginning, Following, shadow_journal
from coordinator.shell.startup import warm_up_needs
from coordinator.status import read_status
from tests.backtest.recording import MONDAY, TUESDAY, backtest, strategy, write_recording
from tests.backtest.test_over_sockets import COMPARED, told
from tests.docs.reading import blocks
from warehouse import LoadStatus, Store, load_session, schemas
from warehouse.queries import ask
from warehouse.report import render_report

ACCOUNT = "PA1"
LIVE = strategy("Live", "SPY", "QQQ")
TWIN = strategy(
    "Twin", "SPY", "QQQ", kind="rsi", mode="shadow", risk_config={"stop_loss_pct": 0.001}
)
OTHER = strategy("Other", "QQQ", mode="shadow")
RICH = {"name": "Rich", "strategy_type": "buy_and_hold", "tickers": ["QQQ"], "mode": "shadow"}
RICH |= {"initial_cash": 1_000_000.0}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two tickers."""
    return write_recording(
        tmp_path_factory.mktemp("bars") / "b.parquet", ["SPY", "QQQ"], MONDAY, TUESDAY
    )


@dataclass
class Day:
    """A session of LIVE on one day, played in memory, whose shadows are told minute by minute."""

    folder: Path
    bars: Path
    day: date = TUESDAY
    shadows: Sequence[dict[str, Any]] = (TWIN,)
    model: str = "spread"
    told: list[r.Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / ACCOUNT).mkdir(exist_ok=True)
        self.test = backtest(self.folder, {"strategies": [LIVE]}, self.bars, start=self.day)
        setup = replace(self.test.setup, account=ACCOUNT)
        start, tape = next(iter(self.test._starts)), self.test._recording.tape
        exchange, books = self.test._exchange, self.test._books
        opened = Opened.on(books, setup, tape, exchange, start)
        self.session = Session(setup, tape, exchange, books, opened)
        self.journal = Journal(self.folder / ACCOUNT / "journal.db", ACCOUNT, "test")
        self.journal.append(self.name, self.session.records)
        self.seen = len(self.session.records)

    @property
    def name(self) -> str:
        """The session's id on its account."""
        return f"{self.day}.test.{ACCOUNT}"

    @property
    def bars_so_far(self) -> list[Bar]:
        """The bars that the session has seen since it began."""
        seen = [one.bars for one in self.session.records if isinstance(one, r.BarsSeen)]
        return [bar for bars in seen for bar in bars]

    def begin(self, *shadows: dict[str, Any]) -> Shadow:
        """A process that starts, with these shadows."""
        document = {"name": "test", "strategies": [LIVE, *(shadows or self.shadows)]}
        setup = setup_of(parse_config(document, "test"), None, simulated=False)
        needs = warm_up_needs(setup.all_specs, self.session.plan)
        tape = self.test._recording.tape
        beginning = Beginning(
            ACCOUNT,
            self.name,
            self.session.plan,
            tape.hours,
            self.folder / ACCOUNT / "journal.db",
            tape.history(needs),
            self.bars_so_far,
            self.session.now,
        )
        settings = simulator_settings("http://127.0.0.1", self.folder)
        run = Run(setup, settings, 1.0, lambda _: None, self.model)
        return Shadow(run, beginning)

    def minutes(self, count: int = 10_000) -> Iterable[list[r.Record]]:
        """Play, and yield what each minute made durable."""
        for _ in range(count):
            if self.session.now >= self.session.plan.end:
                return
            self.session.step()
            fresh = self.session.records[self.seen :]
            self.seen = len(self.session.records)
            self.journal.append(self.name, fresh)
            yield fresh

    def rows(self) -> Rows:
        """The shadows' newest session as the warehouse takes it."""
        return session_sources(self.folder)[-1].rows()


def test_a_shadow_is_its_own_backtest_to_the_last_digit(tmp_path: Path, bars: Path) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes():
        shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    [played] = backtest(tmp_path, {"strategies": [TWIN]}, bars, start=TUESDAY).play()
    assert len(day.rows()["fills"]) > 20
    assert compared(day.rows()) == compared(as_shadows(played.rows()))


def test_a_shadows_order_rests_for_as_many_minutes_as_in_its_backtest(
    tmp_path: Path, bars: Path
) -> None:
    """Orders for more than a bar's volume: later bars fill them. The close ends the largest, and
    the other strategy's exit, which had to wait for that, stands for the next open."""
    day = Day(tmp_path, bars, shadows=(TWIN, RICH), model="participation:0.0001")
    shadow = day.begin()
    for records in day.minutes():
        shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    config = {"strategies": [TWIN, RICH]}
    [played] = backtest(tmp_path, config, bars, start=TUESDAY, fill_model=day.model).play()
    ours, theirs = (
        sorted((str(o["client_order_id"]), o["status"], o["closed_at"]) for o in rows["orders"])
        for rows in (day.rows(), played.rows())
    )
    assert ours == theirs
    assert {status for _, status, _ in ours} == {"filled", "canceled", "expired", "accepted"}
    assert compared(day.rows()) == compared(as_shadows(played.rows()))


@pytest.mark.parametrize(
    ("model", "told"), [("", "spread"), ("close", "close"), ("participation:1", "participation:1")]
)
def test_a_shadows_rows_say_which_model_filled_it_and_beside_alpaca_that_is_a_backtests(
    tmp_path: Path, bars: Path, model: str, told: str
) -> None:
    day = Day(tmp_path, bars, model=model)
    shadow = day.begin()
    for records in day.minutes(30):
        shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    config = {"strategies": [TWIN]}
    [played] = backtest(tmp_path, config, bars, start=TUESDAY, fill_model=told).play()
    ours, theirs = day.rows(), played.rows()
    assert ours["strategies"][-1]["params"] == theirs["strategies"][-1]["params"]
    assert ours["strategies"][-1]["params"] == {"fill_model": told}
    assert ours["fills"][0]["price"] == theirs["fills"][0]["price"]


def compared(rows: Rows) -> dict[str, list[tuple[object, ...]]]:
    """What is told of a day's shadows."""
    return {table: told(rows, table, names) for table, names in COMPARED.items()}


@pytest.mark.thorough
@pytest.mark.parametrize("lost", [0, 1, 3], ids=["nothing", "a minute", "three minutes"])
def test_a_process_that_dies_loses_no_decision_and_no_fill_of_a_shadow(
    tmp_path: Path, bars: Path, lost: int
) -> None:
    """`lost` minutes were durable in the account's journal, and not yet in the shadows'."""
    (tmp_path / "whole").mkdir()
    whole = Day(tmp_path / "whole", bars)
    shadow = whole.begin()
    for records in whole.minutes(150):
        shadow.follow(records)

    (tmp_path / "broken").mkdir()
    broken = Day(tmp_path / "broken", bars)
    for life in (70, 40, 40):
        shadow = broken.begin()
        lived = list(broken.minutes(life))
        for records in lived[: len(lived) - lost]:
            shadow.follow(records)
        shadow.close()
    broken.begin().close()

    assert len(whole.rows()["fills"]) > 10
    assert compared(broken.rows()) == compared(whole.rows())


def test_a_shadows_order_that_rested_when_its_process_died_is_canceled_by_the_next_start(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars, shadows=(RICH,), model="participation:0.0001")
    shadow = day.begin()
    for records in day.minutes(15):
        shadow.follow(records)
    shadow.close()
    assert [row["status"] for row in day.rows()["orders"]] == ["partially_filled"]
    day.begin().close()
    [order] = day.rows()["orders"]
    assert (order["status"], order["filled_qty"] > 0) == ("canceled", True)
    assert order["filled_qty"] == sum(fill["qty"] for fill in day.rows()["fills"])


def test_a_session_of_shadows_ends_as_the_accounts_does(tmp_path: Path, bars: Path) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes(5):
        shadow.follow(records)
    [before] = day.rows()["sessions"]
    shadow.end(r.SessionEnd.STOPPED_EARLY)
    [after] = day.rows()["sessions"]
    assert (before["closed_at"], after["status"]) == (None, "stopped_early")


def test_shadows_keep_the_bars_of_their_own_tickers_alone(tmp_path: Path, bars: Path) -> None:
    day = Day(tmp_path, bars, shadows=(OTHER,))
    shadow = day.begin()
    for records in day.minutes(15):
        shadow.follow(records)
    shadow.close()
    assert {bar.symbol for bar in day.bars_so_far} == {"SPY", "QQQ"}
    assert {row["symbol"] for row in day.rows()["bars"]} == {"QQQ"}


def test_what_a_shadow_gave_back_is_there_for_it_at_a_later_start_and_only_the_rest_is_paid_in(
    tmp_path: Path, bars: Path
) -> None:
    """The first 900,000 dollars are there before the session begins."""
    day, paid = Day(tmp_path, bars), []
    for cash in (900_000.0, 500_000.0, 900_000.0, 1_000_000.0):
        list(day.minutes(1))
        day.begin({**RICH, "initial_cash": cash}).close()
        deposits = (r for r in day.rows()["activities"] if r["allocated_by"] == "shadow")
        paid.append(sum(row["amount"] for row in deposits))
    assert paid == [0, 0, 0, 100_000]


@pytest.mark.thorough
def test_a_shadows_book_lives_on_into_the_next_session(tmp_path: Path, bars: Path) -> None:
    for day in (MONDAY, TUESDAY):
        session = Day(tmp_path, bars, day)
        shadow = session.begin()
        for records in session.minutes():
            shadow.follow(records)
        shadow.end(r.SessionEnd.COMPLETED)
        shadow.close()
        (tmp_path / ACCOUNT / "journal.db").unlink()
    played = list(backtest(tmp_path, {"strategies": [TWIN]}, bars).play())
    sources = session_sources(tmp_path)
    assert [source.session_id[:10] for source in sources] == ["2026-03-16", "2026-03-17"]
    for source, memory in zip(sources, played, strict=True):
        assert compared(source.rows()) == compared(as_shadows(memory.rows()))


def test_a_session_of_shadows_whose_process_died_is_ended_by_the_next_days(
    tmp_path: Path, bars: Path
) -> None:
    monday = Day(tmp_path, bars, MONDAY)
    shadow = monday.begin()
    for records in monday.minutes(10):
        shadow.follow(records)
    shadow.close()
    (tmp_path / ACCOUNT / "journal.db").unlink()
    Day(tmp_path, bars).begin().close()
    told = [row for source in session_sources(tmp_path) for row in source.rows()["sessions"]]
    status = [row["status"] for row in told if row["mode"] == "shadow"]
    assert status == ["stopped_early", "open"]


def test_a_bar_that_is_corrected_changes_no_decision_of_a_shadow(
    tmp_path: Path, bars: Path
) -> None:
    """The correction reaches the shadows together with the next minute's bars."""
    fills = []
    for corrects in (False, True):
        folder = tmp_path / str(corrects)
        folder.mkdir()
        day = Day(folder, bars)
        shadow, late = day.begin(), list[r.BarsSeen]()
        for records in day.minutes(60):
            shadow.follow([*records, *late])
            seen = [one for one in records if isinstance(one, r.BarsSeen)]
            late = [replace(one, origin=r.Origin.CORRECTED) for one in seen if corrects]
        fills.append(compared(day.rows())["fills"])
    assert len(fills[0]) > 5
    assert fills[0] == fills[1]


def test_what_fails_in_a_shadow_is_told_and_reaches_nobody_else(
    tmp_path: Path, bars: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    minutes = day.minutes(30)
    for _, records in zip(range(15), minutes, strict=False):
        shadow.follow(records)
    shadow._session._journal._connection.close()  # type: ignore[union-attr]
    for records in minutes:
        shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    failures = [line for line in caplog.records if "stand still" in line.getMessage()]
    assert len(failures) == 1
    assert failures[0].levelno == logging.ERROR
    assert "They stand still" in shadow.summary()


def test_what_a_shadow_buys_and_sells_is_told_in_dollars_and_cents(
    tmp_path: Path, bars: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    with caplog.at_level(logging.INFO, "coordinator"):
        for records in day.minutes(120):
            shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    told = [line for line in caplog.messages if line.endswith("(simulated)")]
    assert told
    form = r"\[Twin\] shadow: (buy|sell) [\d.]+ (SPY|QQQ) @ \$\d+\.\d\d \(simulated\)"
    assert all(re.fullmatch(form, line) for line in told)


def test_a_journal_of_shadows_that_was_changed_stops_the_shadows_and_not_the_session(
    tmp_path: Path, bars: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = Day(tmp_path, bars)
    day.begin().close()
    path = shadow_journal(tmp_path / ACCOUNT, "test")
    path.write_bytes(b"no database at all" * 1000)
    for other in path.parent.glob("*-wal"):
        other.unlink()
    shadow = day.begin()
    assert shadow.views() == ()
    assert "stand still" in caplog.text
    [account] = session_sources(tmp_path)
    assert account.session_id == day.name, "the account's sessions are loaded all the same"


def test_shadows_that_cannot_begin_leave_their_journal_closed(
    tmp_path: Path, bars: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = Day(tmp_path, bars)
    day.begin().close()
    path = shadow_journal(tmp_path / ACCOUNT, "test")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET body = replace(body, 'Twin', 'Twim')")
    shadow = day.begin()
    assert shadow.views() == ()
    assert "the journal was changed or damaged" in caplog.text
    assert not list(path.parent.glob("*-wal")), "SQLite's log goes with the last who is there"
    shadow.close()


def test_a_shadow_that_is_promoted_after_they_failed_counts_as_a_shadow_no_more(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    shadow._session._journal._connection.close()  # type: ignore[union-attr]
    for records in day.minutes(2):
        shadow.follow(records)
    reload(day, shadow, {**TWIN, "mode": "live"})
    assert shadow.specs == ()


def reload(
    day: Day, shadow: Shadow, *shadows: dict[str, Any], removal: Removal = Removal.DORMANT
) -> None:
    """Another configuration, as the session hands it to the shadows."""
    document = {"name": "test", "strategies": [LIVE, *shadows]}
    setup = setup_of(parse_config(document, "test"), None, simulated=False)
    needs = warm_up_needs(setup.all_specs, day.session.plan)
    history = {t: tuple(b) for t, b in day.test._recording.tape.history(needs).items()}
    so_far = {t: tuple(bar for bar in day.bars_so_far if bar.symbol == t) for t in history}
    theirs = replace(setup, specs=setup.shadows, shadows=())
    shadow.take_up(Reload(day.session.now, "test", theirs, removal, history=history, so_far=so_far))


def test_a_shadow_joins_a_session_that_trades_with_a_book_of_its_own(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars, shadows=())
    shadow = day.begin(TWIN)
    for records in day.minutes(60):
        shadow.follow(records)
    before = compared(day.rows())
    reload(day, shadow, TWIN, OTHER)
    for records in day.minutes():
        shadow.follow(records)
    rows = day.rows()
    cash = {view.name: view.initial_cash for view in shadow.views()}
    assert cash == {"Twin": 10_000, "Other": 10_000}
    assert {row["strategy"] for row in rows["fills"]} == {"Twin (shadow)", "Other (shadow)"}
    assert set(before["fills"]) <= set(told(rows, "fills", COMPARED["fills"]))


@pytest.mark.thorough
def test_a_rich_shadow_that_joins_can_buy_as_one_that_was_there_from_the_start(
    tmp_path: Path, bars: Path
) -> None:
    rich = {**TWIN, "name": "Rich", "initial_cash": 1_000_000.0}
    day = Day(tmp_path, bars, shadows=())
    shadow = day.begin(OTHER)
    for records in day.minutes(20):
        shadow.follow(records)
    reload(day, shadow, OTHER, rich)
    for records in day.minutes():
        shadow.follow(records)
    orders = day.rows()["orders"]
    status = {o["status"] for o in orders if str(o["client_order_id"]).startswith("Rich.")}
    assert "filled" in status
    assert "rejected" not in status


@pytest.mark.parametrize("removal", Removal)
def test_a_shadow_that_is_promoted_leaves_its_simulated_book_behind(
    tmp_path: Path, bars: Path, removal: Removal
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes():
        shadow.follow(records)
        if any(view.positions for view in shadow.views()):
            break
    reload(day, shadow, {**TWIN, "mode": "live"}, removal=removal)
    orders = len(day.rows()["orders"])
    for records in day.minutes(30):
        shadow.follow(records)
    assert shadow.specs == ()
    held = day.rows()["positions"]
    assert bool(held) is (removal is Removal.DORMANT)
    assert len(day.rows()["orders"]) == orders, "a shadow that is none any more decides nothing"


def test_shadows_are_in_no_record_of_the_account(tmp_path: Path, bars: Path) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes(120):
        shadow.follow(records)
    account = statement(day.session.records)
    assert len(day.rows()["fills"]) > 5
    for table in ("strategies", "orders", "fills", "positions", "pnl_daily", "equity"):
        assert "Twin" not in {row["strategy"] for row in account[table]}, table


def test_a_shadow_is_shown_beside_the_account_and_in_no_sum_of_it(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes(60):
        shadow.follow(records)
    [status] = read_status(tmp_path, tmp_path / "leases")
    assert [view.name for view in status.strategies] == ["Live"]
    assert list(status.shadows) == list(shadow.views())
    assert [view.name for view in status.shadows] == ["Twin"]


@pytest.mark.thorough
def test_no_question_about_the_account_is_answered_otherwise_because_of_a_shadow(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    for records in day.minutes():
        shadow.follow(records)
    shadow.end(r.SessionEnd.COMPLETED)
    day.session.finish()
    day.journal.append(day.name, day.session.records[day.seen :])
    account, beside = session_sources(tmp_path)
    asked = [block.text for block in blocks("sql") if block.document == "docs/sql.md"]
    questions = [re.sub(r"LIMIT \d+", "", text) for text in asked]
    questions += [
        f"SELECT {by}, {what} FROM {table} JOIN sessions USING (session_id) GROUP BY {by}"
        for table, what in (("pnl_daily", "sum(net_pnl)"), ("fills", "count(*)"))
        for by in ("account", "mode", "strategy", "session_id")
        if (table, by) != ("fills", "mode")
    ]
    with Store.open(":memory:") as alone, Store.open(":memory:") as both:
        load_session(alone, account)
        for source in (account, beside):
            result = load_session(both, source)
            assert result.status is LoadStatus.LOADED, result.message
        for question in questions:
            found = ask(both, question).rows
            assert [row for row in ask(alone, question).rows if row not in found] == [], question
        page = render_report(both, None)
    assert f"Session {account.session_id}." in page, "the newest session is the account's"
    beside_it = page.partition("Shadow strategies: simulated fills, in no sum above")[2]
    assert "Twin (shadow)" in beside_it
    assert "Twin" not in page.partition("Shadow strategies")[0]


def test_there_is_nothing_of_a_shadow_to_pause_and_it_is_said_what_to_do(
    tmp_path: Path, bars: Path
) -> None:
    day = Day(tmp_path, bars)
    day.begin().close()
    with pytest.raises(OperatorError, match="Twin is a shadow: it has nothing at the broker"):
        find(Operator(tmp_path, {}, "test", lambda _: None), "Twin")


# live tickers, shadow tickers -> may be traded together
@pytest.mark.parametrize(
    ("live", "shadow", "allowed"),
    [
        (["SPY"], ["QQQ"], True),
        (["BTC/USD"], ["ETH/USD"], True),
        (["SPY", "BTC/USD"], ["ETH/USD"], True),
        ([], ["ETH/USD"], True),
        (["SPY"], ["BTC/USD"], False),
        (["BTC/USD"], ["SPY"], False),
        (["SPY"], ["QQQ", "BTC/USD"], False),
    ],
)
def test_a_shadow_brings_no_session_to_another_market(
    live: list[str], shadow: list[str], allowed: bool
) -> None:
    document = {"strategies": [strategy("Ghost", *shadow, mode="shadow")]}
    if live:
        document["strategies"].append(strategy("Live", *live))
    config = parse_config(document, "test")
    if allowed:
        refuse_untradable(config, simulated=False)
    else:
        with pytest.raises(OperatorError, match=r"Ghost are on a market .* of their own"):
            refuse_untradable(config, simulated=False)


class Heard:
    """Shadows that note what they are told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def __getattr__(self, name: str) -> Any:
        return self.told.append


def test_shadows_play_a_minute_once_the_sessions_own_orders_are_sent_and_each_once(
    tmp_path: Path, bars: Path
) -> None:
    played = [
        [record for record in records if isinstance(record, r.BarsSeen)]
        for records in Day(tmp_path, bars).minutes(20)
    ]
    minutes = [seen for seen in played if seen][:3]
    assert len(minutes) == 3
    shadows = Heard()
    following = Following(shadows)  # type: ignore[arg-type]
    following.saw(minutes[0])
    following.catch_up(at_rest=False)
    assert shadows.told == []
    following.saw(minutes[1])
    following.catch_up()
    following.catch_up()
    assert shadows.told == minutes[:2]
    following.saw(minutes[2])
    following.take_up(None)  # another configuration: what came before it is played as before it
    assert shadows.told == minutes[:3]


def test_a_minute_of_which_shadows_alone_want_more_bars_is_played_whole(
    tmp_path: Path, bars: Path
) -> None:
    records = [
        record
        for seen in Day(tmp_path, bars).minutes(30)
        for record in seen
        if isinstance(record, r.BarsSeen) and len(record.bars) == 2
    ]
    first, second = records[:2]
    early, late = (replace(second, bars=(one,)) for one in second.bars)
    shadows = Heard()
    following = Following(shadows)  # type: ignore[arg-type]
    for seen in (first, early, replace(late, at=late.at + timedelta(seconds=0.4))):
        following.saw([seen])
    following.catch_up()
    assert [[[bar.symbol for bar in seen.bars] for seen in minute] for minute in shadows.told] == [
        [["QQQ", "SPY"]],
        [["QQQ"], ["SPY"]],
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("dies", [False, True], ids=["lives on", "dies between"])
def test_bars_that_came_late_for_its_shadows_alone_change_no_fill_of_theirs(
    tmp_path: Path, bars: Path, dies: bool
) -> None:
    """Every minute of the session comes in two parts, as where a live ticker came first."""
    day = Day(tmp_path, bars)
    shadow = day.begin()
    following = Following(shadow)
    for number, records in enumerate(day.minutes()):
        for record in records:
            if not isinstance(record, r.BarsSeen) or len(record.bars) < 2:
                following.saw([record])
                continue
            parts = [replace(record, bars=(one,)) for one in record.bars]
            for part, after_s in zip(parts, (0.0, 0.3), strict=True):
                following.saw([replace(part, at=part.at + timedelta(seconds=after_s))])
        if dies and number == 60:
            shadow.close()
            shadow = day.begin()
            following = Following(shadow)
        following.catch_up()
    shadow.end(r.SessionEnd.COMPLETED)
    [played] = backtest(tmp_path, {"strategies": [TWIN]}, bars, start=TUESDAY).play()
    assert compared(day.rows())["fills"] == compared(as_shadows(played.rows()))["fills"]


class Broken:
    """Books, or an engine, of which nothing can be read."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


@pytest.mark.parametrize("what", ["books", "engine"])
def test_what_cannot_be_read_of_the_shadows_is_told_once_and_stops_nothing_else(
    tmp_path: Path, bars: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    day = Day(tmp_path, bars)
    shadow = day.begin()
    setattr(shadow._session.stage, what, Broken())
    spec = shadow.specs[0]
    if what == "books":
        assert shadow.views() == ()
    else:
        assert shadow.serves(spec, "SPY") is False
        assert shadow.explain("Twin", day.session.now, "SPY") == ()
    assert "They stand still: KeyError" in shadow.summary()
    assert len([line for line in caplog.records if "stand still" in line.getMessage()]) == 1
    for name, ticker in (("Live", ""), ("Twin", "IWM")):
        with pytest.raises(KeyError):
            shadow.explain(name, day.session.now, ticker)


def test_shadows_are_told_from_true_books_by_the_same_words_in_the_warehouse() -> None:
    assert (schemas.SHADOW_MARK, schemas.SHADOW_ACCOUNT) == (SHADOW_MARK, SHADOW_ACCOUNT)
