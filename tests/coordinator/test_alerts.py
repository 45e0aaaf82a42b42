"""What somebody is told of at once: a table of records, and of streams before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from coordinator.core import records as r
from coordinator.core.alerts import (
    Alert,
    AlertKind,
    alerts_of,
    differences_alert,
    standing_alerts,
    stream_alerts,
)
from coordinator.core.live_view import LiveView, StrategyView
from coordinator.shell.alarms import Alarms
from tests.coordinator.bench import OPEN, D

STOPPED = r.EntriesStopped(OPEN, "A", "max_daily_loss")
KILLED = r.Killed(OPEN, "operator")
FREEZES = r.DiscrepancyFound(OPEN, "position", "SPY", "", D(1), D(2), "SPY: 1 against 2", "d1")
VIEW = LiveView(
    at=OPEN,
    account="PA1",
    session_id="s",
    coordinator="bench",
    mode="paper",
    opens_at=OPEN,
    closes_at=OPEN,
    strategies=(),
    streams={},
    limits={},
)
TELLS = r.DiscrepancyFound(OPEN, "cash", "", "", D(1), D(2), "cash: 1 against 2")


@pytest.mark.parametrize(
    ("record", "news"),
    [
        (STOPPED, [("halt", "A", "A opens nothing more today: max_daily_loss.")]),
        (KILLED, [("halt", "account", "Killed by operator: everything is cancelled and sold.")]),
        (
            FREEZES,
            [
                ("discrepancy", "SPY", "SPY: 1 against 2"),
                ("halt", "SPY", "Nothing is bought until d1 is over."),
            ],
        ),
        (TELLS, [("discrepancy", "account", "cash: 1 against 2")]),
        (r.DiscrepancyResolved(OPEN, "d1", "explained"), []),
        (r.Revived(OPEN, "operator"), []),
    ],
)
def test_a_record_that_halts_trading_or_differs_is_news(
    record: r.Record, news: list[tuple[str, str, str]]
) -> None:
    found = list(alerts_of([record]))
    assert [(one.kind.value, one.subject, one.reason) for one in found] == news
    assert all(one.at == OPEN for one in found)


@pytest.mark.parametrize(
    ("before", "now", "kinds"),
    [
        ({}, {"orders": "live"}, []),
        ({}, {"orders": "refused"}, [AlertKind.STREAM_LOST]),
        ({"orders": "live"}, {"orders": "connecting"}, [AlertKind.STREAM_LOST]),
        ({"orders": "live"}, {"orders": "connected but mute"}, [AlertKind.STREAM_LOST]),
        ({"orders": "connecting"}, {"orders": "waiting for the slot"}, []),
        ({"orders": "connecting"}, {"orders": "live"}, [AlertKind.STREAM_BACK]),
        ({"orders": "live"}, {"orders": "stopped"}, []),
        (
            {"orders": "live", "stock bars": "connecting"},
            {"orders": "connecting", "stock bars": "live"},
            [AlertKind.STREAM_LOST, AlertKind.STREAM_BACK],
        ),
    ],
)
def test_a_stream_that_stops_speaking_is_lost_until_it_speaks_again(
    before: Mapping[str, str], now: Mapping[str, str], kinds: list[AlertKind]
) -> None:
    assert [one.kind for one in stream_alerts(before, now, OPEN)] == kinds


def test_what_halted_trading_before_a_session_is_told_in_the_words_of_its_records() -> None:
    stopped = StrategyView("A", D(1), D(1), D(1), D(0), D(0), 0, {}, 0, stopped="max_daily_loss")
    view = replace(
        VIEW,
        strategies=(stopped, replace(stopped, name="B", stopped="")),
        killed=True,
        frozen={"position.BTC/USD": "BTC/USD: 1 against 2", "cash": "cash: 1 against 2"},
    )
    found = list(standing_alerts(view))
    assert [(one.kind.value, one.subject, one.reason) for one in found] == [
        (
            "halt",
            "account",
            "The account is killed: nothing is bought until `multi-trader revive`.",
        ),
        ("discrepancy", "BTC/USD", "BTC/USD: 1 against 2"),
        ("halt", "BTC/USD", "Nothing is bought until position.BTC/USD is over."),
        ("discrepancy", "account", "cash: 1 against 2"),
        ("halt", "account", "Nothing is bought until cash is over."),
        ("halt", "A", "A opens nothing more today: max_daily_loss."),
    ]
    assert {one.at for one in found} == {VIEW.at}
    assert list(standing_alerts(VIEW)) == []


@pytest.mark.parametrize(("found", "what"), [(1, "1 difference"), (2, "2 differences")])
def test_differences_at_the_end_are_told_by_their_number(found: int, what: str) -> None:
    told = differences_alert(found, OPEN)
    assert (told.kind, told.subject) == (AlertKind.DISCREPANCY, "account")
    assert told.reason == f"{what} at the end: see the day's report."


def heard_by(alarms: Alarms) -> list[Alert]:
    heard: list[Alert] = []
    alarms.listen(heard.append)
    return heard


def test_of_other_coordinators_only_what_concerns_the_account_is_told() -> None:
    alarms = Alarms()
    heard = heard_by(alarms)
    alarms.on_foreign_records([STOPPED, KILLED])
    assert [one.subject for one in heard] == ["account"]
    alarms.on_records([STOPPED])
    assert [one.subject for one in heard] == ["account", "A"]


def test_a_stream_that_stays_lost_is_told_of_once() -> None:
    alarms = Alarms()
    heard = heard_by(alarms)
    for state in ("live", "connecting", "connecting", "connected but mute", "live", "live"):
        alarms.on_streams({"orders": state}, OPEN)
    assert [one.kind for one in heard] == [AlertKind.STREAM_LOST, AlertKind.STREAM_BACK]
