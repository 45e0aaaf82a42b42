"""What a configuration says of the account as a whole is what its session trades by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coordinator.config import parse_config
from coordinator.core import records as r
from coordinator.core.setup import Setup
from coordinator.settings import Settings
from coordinator.shell.run import Run
from tests.coordinator.bad_configs import controls, entry, several
from tests.coordinator.bench import PLAN, Bench, D, asset, order_id, spec

NOWHERE = Settings("k", "s", "https://x", "https://x", "wss://x", Path("x"), "")


def bench(document: str, *specs: Any) -> Bench:
    """A bench whose engine is the one that a run of this configuration makes."""
    config = parse_config(document, "bench")
    setup = Setup(
        "bench",
        "simulated",
        "iex",
        "hash",
        specs,
        controls=config.controls.as_controls(),
        crossing=config.crossing,
        crypto_fee_rate=config.crypto_fee_rate,
    )
    run = Run(setup, NOWHERE, 1.0, lambda _: None)
    made = Bench(*specs)
    tickers = {ticker for one in specs for ticker in one.tickers}
    made.engine = run.engine(made.books, {t: asset(t) for t in tickers}, PLAN)
    return made


@pytest.mark.parametrize(
    ("rate", "fee", "got"),
    [("0.0025", "0.25", "0.9975"), ("0.01", "1.00", "0.99"), ("0", "0", "1")],
)
def test_a_crypto_buy_costs_the_configured_fee(rate: str, fee: str, got: str) -> None:
    document = several(entry(tickers=["BTC/USD"])).replace(
        '"strategies"', f'"crypto_fee_rate": {rate}, "strategies"'
    )
    story = bench(document, spec("A", {("BTC/USD", 0): 1}, cash="101"))
    story.minute(0, {"BTC/USD": "100"})
    story.fill(story.order("A"), "100")
    (fill,) = [f for f in story.records if isinstance(f, r.FillBooked)]
    assert (fill.qty, fill.fee) == (D(1), D(fee))
    assert story.position("A", "BTC/USD") == D(got)


def test_entries_beyond_a_configured_control_are_denied() -> None:
    story = bench(controls(max_order_notional=4999.99), spec("A", {("SPY", 0): 1}, cash="5050"))
    story.minute(0, {"SPY": "100"})
    assert story.denials() == [("A", "max_order_notional")]
    story = bench(controls(max_order_notional=5000), spec("A", {("SPY", 0): 1}, cash="5050"))
    story.minute(0, {"SPY": "100"})
    assert story.denials() == []


@pytest.mark.parametrize("crossing", [True, False])
def test_opposite_wishes_change_hands_inside_only_if_that_was_asked_for(crossing: bool) -> None:
    said = {("SPY", 0): 1, ("SPY", 5): -1}
    story = bench(several(entry(), crossing=crossing), spec("A", said), spec("B", {("SPY", 5): 1}))
    story.minute(0, {"SPY": "100"})
    story.fill(story.order("A"), "100")
    story.minute(5, {"SPY": "100"})
    crossed = [
        f for f in story.records if isinstance(f, r.FillBooked) and "cross" in f.execution_id
    ]
    assert [f.client_order_id for f in crossed] == (
        [order_id("A", 2), order_id("B", 1)] if crossing else []
    )
