"""What somebody is told of at once: a table of records, and of streams before and after."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from coordinator.core import records as r
from coordinator.core.alerts import Alert, AlertKind, alerts_of, stream_alerts
from coordinator.shell.alarms import Alarms
from tests.coordinator.bench import OPEN, D

STOPPED = r.EntriesStopped(OPEN, "A", "max_daily_loss")
KILLED = r.Killed(OPEN, "operator")
FREEZES = r.DiscrepancyFound(OPEN, "position", "SPY", "", D(1), D(2), "SPY: 1 against 2", "d1")
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
