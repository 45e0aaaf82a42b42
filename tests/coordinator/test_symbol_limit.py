"""The symbols that a plan grants, given out in the order of the configuration, and explained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.config import parse_config
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.values import is_crypto
from coordinator.engine_setup import specs_of
from coordinator.shell.symbol_limit import allot, explain_refusal

NAMES = [f"{a}{b}" for a in "ABCDEF" for b in "GHIJKLMNOP"]


def specs(**tickers: list[str]) -> list[StrategySpec]:
    strategies: list[dict[str, Any]] = [
        {"name": name, "strategy_type": "rsi", "tickers": wanted}
        for name, wanted in tickers.items()
    ]
    return specs_of(parse_config({"strategies": strategies}, "test").active, None)


def stocks(of: list[StrategySpec]) -> list[str]:
    return [ticker for ticker in tickers_of(of) if not is_crypto(ticker)]


@pytest.mark.parametrize(
    ("tickers", "room", "fits", "lacks"),
    [
        ({"A": NAMES[:20], "B": NAMES[20:30]}, 30, ("A", "B"), {}),
        ({"A": NAMES[:20], "B": NAMES[20:31]}, 30, ("A",), {"B": 11}),
        ({"A": NAMES[:20], "B": NAMES[15:31], "C": ["AG"]}, 30, ("A", "C"), {"B": 11}),
        ({"A": NAMES[:31], "B": NAMES[:2], "C": NAMES[:30]}, 30, ("B", "C"), {"A": 31}),
        ({"A": NAMES[:2], "B": ["BTC/USD", "AI"]}, 2, ("A",), {"B": 1}),
        ({"A": NAMES[:2], "B": ["BTC/USD"]}, 2, ("A", "B"), {}),
    ],
)
def test_symbols_are_given_out_in_the_order_of_the_configuration(
    tickers: dict[str, list[str]], room: int, fits: tuple[str, ...], lacks: dict[str, int]
) -> None:
    all_of_them = specs(**tickers)
    allotment = allot(all_of_them, stocks(all_of_them), room)
    assert (allotment.fits, allotment.lacks) == (fits, lacks)


@given(
    st.lists(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 30),
)
def test_what_fits_together_needs_no_more_symbols_than_there_are(
    tickers: list[list[str]], room: int
) -> None:
    all_of_them = specs(**{f"S{n}": wanted for n, wanted in enumerate(tickers)})
    allotment = allot(all_of_them, stocks(all_of_them), room)
    served = [spec for spec in all_of_them if spec.name in allotment.fits]
    assert len(tickers_of(served)) <= room
    assert len(allotment.fits) + len(allotment.lacks) == len(all_of_them)


def test_a_refusal_says_what_is_wanted_what_was_granted_who_fits_and_what_to_do() -> None:
    all_of_them = specs(A=NAMES[:20], B=NAMES[20:34], C=NAMES[:5])
    said = explain_refusal(all_of_them, "iex", stocks(all_of_them), ())
    assert said == (
        "the broker does not grant all 34 symbols that the configuration wants on the iex feed; it"
        " granted none. In the configuration's order, 30 symbols do for these strategies: A, C;"
        " and not for these: B (14 more). Nothing was traded. Give the strategies fewer tickers,"
        ' or disable some, or set "feed": "sip" if the plan has it: that feed has no such limit.'
        " A second coordinator does not help, for the limit is the account's."
    )


def test_what_was_granted_in_part_is_what_counts() -> None:
    all_of_them = specs(A=["SPY"], B=["QQQ", "IWM"])
    said = explain_refusal(all_of_them, "sip", ["SPY", "QQQ", "IWM"], ["SPY", "TLT"])
    assert "it granted SPY." in said
    assert "1 symbols do for these strategies: A; and not for these: B (2 more)." in said
    assert '"sip"' not in said


def test_a_refusal_of_few_symbols_blames_no_strategy() -> None:
    all_of_them = specs(A=["BTC/USD", "ETH/USD"])
    said = explain_refusal(all_of_them, "iex", ["BTC/USD", "ETH/USD"], [])
    assert "on the crypto feed; it granted none." in said
    assert "subscriptions of other programs may count too" in said
    assert "these strategies" not in said
    assert '"sip"' not in said
