"""What the oracle answers: signals, orders, fills and the books at the session's end.

Rule: values only. A minute is always the START (aware UTC) of the bar that was decided on; money
is in dollars, quantities in shares or coins, all exact Decimals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]
Reason = Literal["signal", "stop", "target"]
Cause = Literal["max_daily_trades", "max_daily_loss", "minimum"]


@dataclass(frozen=True, slots=True)
class OracleSignal:
    """What a strategy wished at one bar of the session: +1, 0 or -1."""

    strategy: str
    symbol: str
    minute: dt.datetime
    signal: int


@dataclass(frozen=True, slots=True)
class OracleOrder:
    """A market order of `qty`, decided at `price` (the bar's close)."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    minute: dt.datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class OracleFill:
    """The one execution of an order: gross quantity, fill price, fee in dollars."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    minute: dt.datetime


@dataclass(frozen=True, slots=True)
class OracleDenial:
    """An entry that a signal asked for and a limit (or the broker's minimum) forbade."""

    strategy: str
    symbol: str
    minute: dt.datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class OracleResult:
    """A session: events in order of time, and each strategy's book at its end.

    positions and costs leave out what is zero. equity is at the last closes; pnl is equity less
    initial_cash; realized excludes fees, so that on a first day
    pnl = realized + (market value - costs) - fees, exactly. fees are this session's.
    """

    signals: tuple[OracleSignal, ...]
    orders: tuple[OracleOrder, ...]
    fills: tuple[OracleFill, ...]
    denials: tuple[OracleDenial, ...]
    cash: Mapping[str, Decimal]
    positions: Mapping[str, Mapping[str, Decimal]]
    costs: Mapping[str, Mapping[str, Decimal]]
    equity: Mapping[str, Decimal]
    pnl: Mapping[str, Decimal]
    realized: Mapping[str, Decimal]
    fees: Mapping[str, Decimal]
