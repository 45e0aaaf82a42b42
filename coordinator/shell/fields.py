"""Parsers of single fields of the broker's messages: times, numbers, names, tickers.

Strict about every value that moves money or names something; fields that are not used are ignored.
No value that passes here can harm a sum, a log or a table later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgpack

from coordinator.core.values import COIN, EXACT, ZERO, Side, exactly, storable
from coordinator.errors import BrokerError
from coordinator.shell.garbage import shown

Raw = Mapping[str, Any]
Parse = Callable[[Any, str], Decimal]
_COIN_PLACES = -9
_QUOTE_CURRENCIES = ("USDT", "USDC", "USD", "BTC")
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A time outside of these is nonsense, and arithmetic with it would leave the calendar."""
LONGEST_NAME, LONGEST_NOTE = 256, 500
LEAST, MOST = 1e-29, 1e18
"""A number between these is surely within the bounds of `parse_number`."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRADED_ON = re.compile(r"\bon ([0-9]{4}-[0-9]{2}-[0-9]{2})\b")
LONGEST_DELAY = timedelta(days=31)
"""Between a sale and the date of a fee for it: some are posted once a month."""
_OPTION = re.compile(r"[A-Z]{1,6}[0-9]{6}[CP][0-9]{8}")
_SHARES_OF_AN_OPTION = 100
MOST_DIGITS, LARGEST_EXPONENT = 60, 30
"""A number beyond these is no price or quantity, and would cost exactness or time."""


class Malformed(BrokerError):
    """A message of the broker that lacks something, or has a wrong value."""


def fields(raw: Any, what: str) -> Raw:
    """The fields of a JSON object; `what` names it for the error.

    Raises:
        Malformed: it is no object.
    """
    if not isinstance(raw, Mapping):
        raise Malformed(f"{what} that is no object: {shown(raw)}")
    return raw


def parse_time(value: Any) -> datetime:
    """An aware UTC time from ISO 8601 text (nanoseconds are cut) or a msgpack timestamp.

    Raises:
        Malformed: it is neither, names no zone, or lies outside of [EARLIEST, LATEST).
    """
    try:
        if isinstance(value, msgpack.Timestamp):
            moment: datetime = value.to_datetime()
        elif isinstance(value, str) and value.isprintable():  # fromisoformat would stop at a NUL
            moment = datetime.fromisoformat(value)
        else:
            raise Malformed(f"not a time: {shown(value)}")
        if moment.tzinfo is None:
            raise Malformed(f"a time without its zone: {shown(value)}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"not a time: {shown(value)}") from None
    if not EARLIEST <= moment < LATEST:
        raise Malformed(f"a time of no message: {shown(value)}")
    return moment


def day_of(raw: Raw, *, is_fee: bool) -> date:
    """An activity's date; of a fee the date of its sales.

    Alpaca names that in a fee's description, and may list the fee with the date of a later day.

    Raises:
        Malformed: it has no date.
    """
    try:
        day = date.fromisoformat(words(raw.get("date"))[:10])
    except ValueError:
        raise Malformed(f"an activity without a date: {shown(raw)}") from None
    for told in _TRADED_ON.findall(words(raw.get("description"))) if is_fee else ():
        with suppress(ValueError):
            traded = date.fromisoformat(told)
            return traded if day - LONGEST_DELAY <= traded < day else day
    return day


def parse_optional_time(value: Any) -> datetime | None:
    """The time, if there is one that can be read."""
    try:
        return parse_time(value)
    except Malformed:
        return None


def parse_number(value: Any, what: str) -> Decimal:
    """A finite decimal, exactly as it was written on the wire; `what` names it for the error.

    Raises:
        Malformed: it is no number, or one beyond every price and quantity.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed(f"{what} is not a number: {shown(value)}")
    try:
        text = str(value)
        if not _NUMBER.fullmatch(text):
            raise Malformed(f"{what} is not a number: {shown(text)}")
        number = Decimal(text)
    except (InvalidOperation, ValueError):  # an exponent, or an integer, beyond all bounds
        raise Malformed(f"{what} is no amount: {shown(value)}") from None
    if abs(number.adjusted()) > LARGEST_EXPONENT or len(number.as_tuple().digits) > MOST_DIGITS:
        raise Malformed(f"{what} is no amount: {shown(value)}")
    return number


def name_of(raw: Raw, key: str, what: str) -> str:
    """A text that names something, with unprintable characters escaped.

    Raises:
        Malformed: it is missing, empty, no text, or longer than any name.
    """
    value = raw.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise Malformed(f"{what} without its {key}: {shown(raw)}")
    return words(value)


def words(value: Any) -> str:
    """A text of the broker's on one line, unprintable characters escaped; '' for anything else."""
    if not isinstance(value, str):
        return ""
    text = value[:LONGEST_NOTE]
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def symbol_of(raw: Raw, what: str) -> str:
    """The ticker that a message is about, as the configuration writes it.

    Raises:
        Malformed: it names none.
    """
    return as_configured(name_of(raw, "symbol", what), words(raw.get("asset_class")))


def side_of(raw: Raw, what: str) -> Side:
    """The side of an order or a fill; a sale that goes short is a sale.

    Raises:
        Malformed: it is neither a buy nor a sale.
    """
    try:
        return Side(words(raw.get("side")).removesuffix("_short"))
    except ValueError:
        raise Malformed(f"{what} without a side: {shown(raw)}") from None


def parse_dollars(value: Any, what: str) -> Decimal:
    """An amount of money, to the last digit that is stored.

    Raises:
        Malformed: it is no number.
    """
    return storable(parse_number(value, what))


def parse_qty(value: Any, what: str) -> Decimal:
    """A quantity, to the nine decimals that Alpaca's have at most.

    Further ones are a float's noise, and would be a difference between the account and the books.

    Raises:
        Malformed: it is no number.
    """
    qty = parse_number(value, what)
    return qty if qty.as_tuple().exponent >= _COIN_PLACES else qty.quantize(COIN, context=EXACT)  # type: ignore[operator]


def signed(raw: Raw, key: str, what: str, parse: Parse = parse_qty) -> Decimal:
    """A number, zero if it is missing; `parse` reads it.

    Raises:
        Malformed: it is no number.
    """
    value = raw.get(key)
    return ZERO if value is None or value == "" else parse(value, what)


def amount(raw: Raw, key: str, what: str, parse: Parse = parse_qty) -> Decimal:
    """A number that is never negative, zero if it is missing.

    Raises:
        Malformed: it is no number, or negative.
    """
    number = signed(raw, key, what, parse)
    if number < 0:
        raise Malformed(f"{what} is negative: {number}")
    return number


@exactly
def of_one(price: Decimal, symbol: str) -> Decimal:
    """What one unit of `symbol` costs at a price, to the last digit that is stored.

    An option's price is that of a single share.
    """
    return storable(price * _SHARES_OF_AN_OPTION if _OPTION.fullmatch(symbol) else price)


def as_configured(symbol: str, asset_class: str) -> str:
    """A crypto position's 'BTCUSD' as 'BTC/USD'; any other symbol unchanged."""
    if "/" in symbol or asset_class != "crypto":
        return symbol
    for quote in _QUOTE_CURRENCIES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol
