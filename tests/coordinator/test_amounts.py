"""Amounts in the words of the terminal, of Prefect's pages and of the log."""

from __future__ import annotations

from decimal import Decimal

import pytest

from coordinator.core.amounts import dollars, gain, units

MOST_DIGITS = "12345678901234567.123456789012345678"
"""More than the 28 digits to which decimals are rounded unless told otherwise."""


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("1234567.895", "$1,234,567.90"),
        ("-0.5", "-$0.50"),
        ("-0.004", "$0.00"),
        ("-1234.5", "-$1,234.50"),
    ],
)
def test_dollars_have_cents_and_their_sign_in_front(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1234.5", "+$1,234.50"),
        ("-0.5", "-$0.50"),
        ("0", "$0.00"),
        ("0.004", "$0.00"),
        ("-0.004", "$0.00"),
    ],
)
def test_a_gain_has_a_plus_unless_it_is_less_than_a_cent(amount: str, text: str) -> None:
    assert gain(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("qty", "text"),
    [
        ("10", "10"),
        ("10.500", "10.5"),
        ("-0.000000001", "-0.000000001"),
        ("1E+3", "1000"),
        ("0E-18", "0"),
        (MOST_DIGITS, MOST_DIGITS),
    ],
)
def test_units_show_every_digit_and_no_zero_behind_them(qty: str, text: str) -> None:
    assert units(Decimal(qty)) == text
