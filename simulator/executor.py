"""Executes orders against bars: how much a bar lets fill, at which fee, and the order after it.

Rule: nothing is booked here. The only state is how much of a symbol's newest bar is used up.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from simulator.assets import is_crypto
from simulator.fills import FillModel
from simulator.ledger import crypto_fees
from simulator.matching import Match
from simulator.money import QTY_STEP, ZERO, exact, floor_to
from simulator.values import Bar, Execution, Order, OrderStatus

_ONE_SHARE = Decimal(1)


class Executor:
    """Executes orders at the prices that matching found.

    held: the net position in a symbol. ids: gives a new unique id at each call. fee_rate: of
    crypto, a fraction.
    """

    def __init__(
        self,
        model: FillModel,
        held: Callable[[str], Decimal],
        ids: Callable[[], str],
        fee_rate: Decimal,
    ) -> None:
        self._model = model
        self._held = held
        self._ids = ids
        self._fee_rate = fee_rate
        self._used: dict[str, tuple[datetime, Decimal]] = {}  # symbol -> bar start, qty executed

    def execute(
        self, order: Order, match: Match, bar: Bar, now: datetime
    ) -> tuple[Order, Execution | None]:
        """The order after it met a bar (itself, if nothing happened), and the execution, if any."""
        if match.triggered != order.triggered:
            order = replace(order, triggered=match.triggered, updated_at=now)
        if match.price is None:
            return order, None
        wanted = order.remaining()
        if wanted is None:
            wanted = floor_to(order.unspent() / match.price, QTY_STEP)
        qty = min(wanted, self._capacity(order, bar, wanted))
        if qty <= 0:
            return order, None
        self._used[order.symbol] = (bar.start, qty + self._used_of(order.symbol, bar))
        return self._fill(order, qty, wanted - qty, match.price, now)

    def _capacity(self, order: Order, bar: Bar, wanted: Decimal) -> Decimal:
        """The quantity that the fill model still lets execute against this bar."""
        limit = self._model.capacity(bar)
        if limit is None:
            return wanted
        left = max(ZERO, limit - self._used_of(order.symbol, bar))
        whole = not is_crypto(order.symbol) and wanted == wanted.to_integral_value()
        return floor_to(left, _ONE_SHARE if whole else QTY_STEP)

    def _used_of(self, symbol: str, bar: Bar) -> Decimal:
        start, used = self._used.get(symbol, (bar.start, ZERO))
        return used if start == bar.start else ZERO

    @exact
    def _fill(
        self, order: Order, qty: Decimal, leaves: Decimal, price: Decimal, now: datetime
    ) -> tuple[Order, Execution]:
        fee_qty, fee_cash = crypto_fees(order.symbol, order.side, qty, price, self._fee_rate)
        cumulative = order.filled_qty + qty
        change = order.side.sign * qty - fee_qty
        fill = Execution(
            id=self._ids(),
            activity_id=f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}::{self._ids()}",
            order_id=order.id,
            client_order_id=order.ticket.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee_qty=fee_qty,
            fee_cash=fee_cash,
            at=now,
            cum_qty=cumulative,
            leaves_qty=leaves,
            position_qty=self._held(order.symbol) + change,
        )
        after = replace(
            order,
            filled_qty=cumulative,
            filled_cost=order.filled_cost + qty * price,
            status=OrderStatus.FILLED if fill.is_final else OrderStatus.PARTIALLY_FILLED,
            filled_at=now if fill.is_final else None,
            updated_at=now,
        )
        return after, fill
