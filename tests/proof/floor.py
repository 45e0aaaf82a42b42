"""The trading floor: when the model's orders are executed, in what parts, and what goes wrong.

It drives the model through virtual time by the seed's chance and sends each change as an update.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.proof.face import order_json, update_json
from tests.proof.model import ENDED, Refused, TrueExecution, TrueOrder

if TYPE_CHECKING:
    from tests.proof.world import World

YOUNG = timedelta(seconds=20)


class Floor:
    """Answers the session's requests, and lets orders live."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.orders = 0
        self.partial_cancels = 0

    def handle(self, method: str, path: str, payload: Mapping[str, Any]) -> Any:
        """The answer to a request that has arrived now.

        Raises:
            Refused: the model's no.
        """
        world = self._world
        if method == "GET":
            self._hide(path)
            return world.face.get(path, payload)
        if method == "POST" and path == "/orders":
            order = self._accept(payload)
            return order_json(order)
        if method == "DELETE" and path.startswith("/orders/"):
            return self._cancel(world.face.order(path.removeprefix("/orders/")))
        raise Refused(404, 40410000, f"endpoint not found: {method} {path}")

    def _hide(self, path: str) -> None:
        """A young order may not be shown by the broker's id yet, though its execution is listed.

        Raises:
            Refused: it is not.
        """
        world = self._world
        order = world.brokerage.orders.get(path.removeprefix("/orders/"))
        young = order is not None and world.now() - order.submitted_at < YOUNG
        if young and world.faults.strikes("order shown late"):
            raise Refused(404, 40410000, "order not found")

    def by_hand(self, *, sells: bool = False) -> None:
        """A human buys or sells a little of something."""
        world, chance = self._world, self._world.chance
        listing = chance.choice(world.play.listings)
        selling = sells or chance.random() < 0.5
        most = world.brokerage.available(listing.symbol) if selling else Decimal(3)
        qty = (most * Decimal(chance.randrange(1, 50)) / 100).quantize(
            Decimal(1).scaleb(-listing.places), "ROUND_DOWN"
        )
        if not qty or not (selling or world.is_funded):
            return
        body = {
            "symbol": listing.symbol,
            "side": "sell" if selling else "buy",
            "qty": f"{qty:f}",
            "time_in_force": "gtc" if listing.crypto else "day",
            "client_order_id": world.new_id(),
        }
        try:
            self._accept(body, by_hand=True)
        except Refused as no:
            world.note("hand order refused", no)

    def replace_by_hand(self, order: TrueOrder, qty: Decimal) -> None:
        """A human gives an open order another quantity."""
        world = self._world
        new = world.brokerage.replace(order, world.new_id(), qty, world.now())
        self._tell(order, "replaced")
        self._tell(new, "new")
        self._plan_fills(new, at_once=False, slowly=False)

    def amended(self, fill: TrueExecution, event: str) -> None:
        """The broker has taken an execution back, or corrected it, and says so."""
        self._tell(fill.order, event, fill)

    def close(self) -> None:
        """The exchange closes: day orders end."""
        for order in list(self._world.brokerage.open_orders()):
            if not order.listing.crypto:
                self._end(order, "expired")

    def _accept(self, body: Mapping[str, Any], *, by_hand: bool = False) -> TrueOrder:
        world, chance, faults = self._world, self._world.chance, self._world.faults
        order = world.brokerage.accept(
            body["client_order_id"],
            world.face.listing(body["symbol"]),
            body["side"],
            Decimal(str(body["qty"])),
            body["time_in_force"],
            world.now(),
            by_hand=by_hand,
        )
        self.orders += not by_hand
        self._tell(order, "pending_new" if chance.random() < 0.5 else "accepted")
        if faults.strikes("rejected later"):
            self._later(chance.uniform(0.0, 1.0), self._end, order, "rejected")
            return order
        cancelled = faults.strikes("cancelled by the broker")
        if cancelled:
            self._later(chance.uniform(0.0, 20.0), self._end, order, "canceled")
        at_once = faults.strikes("fills at once")
        self._later(0.0 if at_once else chance.uniform(0.0, 0.4), self._work, order)
        self._plan_fills(order, at_once=at_once, slowly=cancelled)
        return order

    def _plan_fills(self, order: TrueOrder, *, at_once: bool, slowly: bool) -> None:
        chance, faults = self._world.chance, self._world.faults
        in_parts = faults.strikes("fills in parts")
        slowly = slowly or faults.strikes("fills slowly")
        at_s = 0.0
        for part in _parts(order, chance.randrange(2, 5) if in_parts else 1, chance):
            at_s += 0.0 if at_once else chance.uniform(0.0, 60.0 if slowly else 1.0)
            self._later(at_s, self._fill, order, part)

    def _work(self, order: TrueOrder) -> None:
        if order.status in ("pending_new", "accepted"):
            self._move(order, "new", "new")

    def _fill(self, order: TrueOrder, qty: Decimal) -> None:
        world, chance = self._world, self._world.chance
        if order.status in ENDED:
            return
        opens = world.opens_in_s(order.listing)
        if opens is None or opens > 0:
            if opens is not None:
                self._later(opens + chance.uniform(0.0, 5.0), self._fill, order, qty)
            return
        lag_s = chance.uniform(0.0, 3.0) if world.faults.strikes("fill list lags") else 0.0
        now = world.now()
        execution = world.brokerage.execute(
            order, qty, _price(world, order), now, now + timedelta(seconds=lag_s)
        )
        whole = order.status == "filled"
        self._tell(order, "fill" if whole else "partial_fill", execution)

    def _cancel(self, order: TrueOrder) -> None:
        chance = self._world.chance
        if order.status in ENDED:
            raise Refused(422, 42210000, f'order is already in "{order.status}" state')
        if order.status != "partially_filled":
            self._move(order, "pending_cancel", "pending_cancel")
        self._later(chance.uniform(0.0, 2.0), self._end, order, "canceled")

    def _end(self, order: TrueOrder, status: str) -> None:
        if order.status not in ENDED:
            self.partial_cancels += bool(order.executions)
            self._move(order, status, status)

    def _move(self, order: TrueOrder, status: str, event: str) -> None:
        self._world.brokerage.move(order, status, self._world.now())
        self._tell(order, event)

    def _later(self, after_s: float, act: Any, *args: Any) -> None:
        if after_s > 0:
            self._world.loop.call_later(after_s, act, *args)
        else:
            act(*args)

    def _tell(self, order: TrueOrder, event: str, execution: TrueExecution | None = None) -> None:
        """One update to whoever listens; each may be lost, come late or come twice."""
        world, chance, faults = self._world, self._world.chance, self._world.faults
        position = world.brokerage.held(order.symbol)
        message = update_json(order, event, world.now(), world.new_id(), execution, position)
        world.note(f"{event} of {order.client_order_id}", execution)
        amends = event.startswith("trade_")
        if not amends and faults.strikes("update garbled"):
            message = {"stream": "trade_updates", "data": {"event": event, "order": "?"}}
        for stream in world.streams("orders"):
            if not amends and faults.strikes("update lost"):
                continue
            after_s = chance.uniform(0.001, 0.2)
            if not amends and faults.strikes("update delayed"):
                after_s += chance.uniform(0.0, 40.0)
            stream.deliver(message, after_s)
            if faults.strikes("update doubled"):
                stream.deliver(message, after_s + chance.uniform(0.0, 40.0))


def _parts(order: TrueOrder, number: int, chance: Any) -> list[Decimal]:
    """An order's quantity in that many parts, in whole steps of its ticker."""
    steps = int(order.qty.scaleb(order.listing.places))
    cuts = sorted(chance.randrange(1, steps) for _ in range(number - 1)) if steps > number else []
    edges = [0, *cuts, steps]
    sizes = [b - a for a, b in pairwise(edges) if b > a]
    return [Decimal(size).scaleb(-order.listing.places) for size in sizes]


def _price(world: World, order: TrueOrder) -> Decimal:
    """The last price, a little off, with all the digits that the market allows."""
    places = 9 if order.listing.crypto else 4
    cents = world.tape.price_cents(order.symbol, world.now())
    base = cents * 10 ** (places - 2)
    return Decimal(base + world.chance.randint(-(base // 2000), base // 2000)).scaleb(-places)
