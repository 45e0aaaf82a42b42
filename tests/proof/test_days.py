"""Days of trading with nights between; and a bug that only a further day shows is noticed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coordinator.core import order_records
from tests.proof.days import over_days

pytestmark = pytest.mark.thorough
SEED = 4


def test_days_and_the_nights_between_them_violate_nothing() -> None:
    wrong, edits = over_days(SEED)
    assert wrong == []
    assert edits > 5


def test_that_orders_are_forgotten_overnight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_records, "LATE_FILLS", timedelta(0))
    wrong, _ = over_days(SEED)
    assert any("invariant 5" in line for line in wrong)
