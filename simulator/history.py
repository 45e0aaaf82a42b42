"""Portfolio history out of the equity seen at each minute. Pure.

Rule: equity is what was true then; a bucket shows its last value, and nothing is filled in between.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from simulator.calendar import NEW_YORK
from simulator.errors import malformed
from simulator.listing import Query, moment
from simulator.money import exact
from simulator.wire import number

_FRAMES = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600, "1D": 86400}
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_UNITS = {"D": 1, "W": 7, "M": 30, "A": 365}
_PERIOD = re.compile(r"(\d{1,3})([DWMA])")


@exact
def portfolio_history(
    series: Sequence[tuple[datetime, Decimal]],
    now: datetime,
    base: Decimal,
    query: Query,
) -> dict[str, Any]:
    """The arrays of GET /v2/account/portfolio/history; timestamps in epoch seconds.

    series: (broker time, dollars), oldest first. Raises Rejection (422) on bad parameters.
    """
    days = _period_days(query.get("period") or "1M")
    frame = query.get("timeframe") or ("1Min" if days < 7 else "15Min" if days < 30 else "1D")
    if frame not in _FRAMES:
        raise malformed(f"invalid timeframe {frame!r}; use one of {', '.join(_FRAMES)}")
    end = moment(query, "end") or now
    start = moment(query, "start") or end - min(timedelta(days=days), end - _EARLIEST)
    buckets: dict[int, Decimal] = {}
    for at, equity in series:
        if start <= at <= end:
            buckets[_bucket(at, frame)] = equity
    values = list(buckets.values())
    return {
        "timestamp": list(buckets),
        "equity": [number(value) for value in values],
        "profit_loss": [number(value - base) for value in values],
        "profit_loss_pct": [float((value - base) / base) for value in values],
        "base_value": number(base),
        "base_value_asof": series[0][0].astimezone(NEW_YORK).date().isoformat(),
        "timeframe": frame,
    }


def _period_days(text: str) -> int:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise malformed(f"invalid period {text!r}; write a number and D, W, M or A")
    return int(match[1]) * _UNITS[match[2]]


def _bucket(at: datetime, frame: str) -> int:
    if frame == "1D":
        day = at.astimezone(NEW_YORK)
        return int(day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    size = _FRAMES[frame]
    return int(at.timestamp()) // size * size
