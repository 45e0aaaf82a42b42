"""Portfolio history: buckets of equity as it was seen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from simulator.errors import Rejection
from simulator.history import portfolio_history

FIRST = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
SERIES = [(FIRST + timedelta(minutes=n), Decimal(100_000 + n)) for n in range(30)]
NOW = FIRST + timedelta(hours=1)
BASE = Decimal(100_000)


def test_each_bucket_shows_its_last_equity() -> None:
    shape = portfolio_history(SERIES, NOW, BASE, {"timeframe": "15Min", "period": "1D"})
    assert shape["equity"] == [100_014, 100_029]
    assert shape["profit_loss"] == [14, 29]
    assert shape["profit_loss_pct"][1] == pytest.approx(0.00029)
    assert shape["timestamp"] == [int(FIRST.timestamp()), int(FIRST.timestamp()) + 900]
    assert (shape["base_value"], shape["base_value_asof"]) == (100_000, "2026-03-17")


@pytest.mark.parametrize(
    ("query", "frame", "points"),
    [
        ({}, "1D", 1),
        ({"period": "1D"}, "1Min", 30),
        ({"period": "2W"}, "15Min", 2),
        ({"period": "1A"}, "1D", 1),
        ({"period": "1D", "start": "2026-03-17T13:50:00Z"}, "1Min", 10),
        ({"period": "1D", "end": "2026-03-17T13:34:00Z"}, "1Min", 5),
    ],
)
def test_period_and_span_choose_the_points(query: dict[str, str], frame: str, points: int) -> None:
    shape = portfolio_history(SERIES, NOW, BASE, query)
    assert (shape["timeframe"], len(shape["equity"])) == (frame, points)


@pytest.mark.parametrize("query", [{"period": "week"}, {"timeframe": "1Week"}, {"end": "soon"}])
def test_bad_parameters_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(Rejection) as refusal:
        portfolio_history(SERIES, NOW, BASE, query)
    assert refusal.value.status == 422
