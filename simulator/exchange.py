"""Venue, tape, clock and sockets brought together: what every request and the pacer work on.

Rule: one thread, one loop; every method here finishes without awaiting, so that requests and
minutes never interleave inside one another. Broker time comes from the clock alone.
"""

import itertools
import logging
import time
import uuid
from collections import Counter
from datetime import datetime
from decimal import Decimal

from simulator.activities import Activity, coin_fees
from simulator.back_office import BackOffice, next_number
from simulator.clock import BrokerClock, Quiet
from simulator.errors import Rejection, forbidden
from simulator.faults import AccountFault
from simulator.faults.account import ResetAccount, SuspendTrading
from simulator.faults.script import read_faults
from simulator.faults.wire import Halt, OddUpdate
from simulator.feed import Feed, bars_at, bars_between, last_bar
from simulator.fills import fill_model
from simulator.halts import Halts
from simulator.market import Market
from simulator.mischief import Mischief
from simulator.opening import Opening
from simulator.options import SimulatorOptions
from simulator.protocols import Access, Slots
from simulator.shapes import update_json
from simulator.sockets import MarketHub, OrderHub
from simulator.stillness import Stillness
from simulator.timeframes import DAILY
from simulator.values import MINUTE, Bar, Order, Ticket, Update
from simulator.venue import Venue
from simulator.wire import Message
from simulator.wires import Wires

log = logging.getLogger("simulator")


class Exchange:
    """One account, its market and everybody connected to it."""

    def __init__(self, options: SimulatorOptions, opening: Opening) -> None:
        script = read_faults(options.faults, opening.start)
        self.options = options
        self.halts = Halts(script.all_of(Halt))
        self._suspensions = script.all_of(SuspendTrading)
        self.feed = self.halts.over(opening.feed)
        self.calendar = opening.calendar
        self.clock = BrokerClock(opening.start, options.clock_speed)
        self._open_account(options.account_number)
        self.access = Access(options.credentials, options.symbol_limit, options.refused)
        self.slots = Slots()
        self.wires = Wires()
        self.universe = tuple(opening.feed.symbols())
        self.markets = MarketHub(options, self.access, self.slots, self.wires, self.universe)
        self.order_streams = OrderHub(options, self.access, self.slots, self.wires)
        self.quiet = Quiet(self._waiting_frames, Stillness())
        self.mischief = Mischief(
            script,
            self.markets,
            self.order_streams,
            self.access,
            self.feed,
            self._act,
        )
        self.requests: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def _open_account(self, number: str) -> None:
        """An account with the cash of the start and nothing else."""
        options = self.options
        model = fill_model(options.fill_model)
        self.account_number = number
        self.venue = Venue(options.cash, model, lambda: str(uuid.uuid4()), options.cash_decimals)
        self.office = BackOffice(self.venue)
        self.late: list[tuple[datetime, Ticket]] = []
        """Orders whose POST was answered before they were taken, and when each arrives."""
        self.equity: list[tuple[datetime, Decimal]] = [(self.now(), options.cash)]
        self.last_equity = options.cash

    def now(self) -> datetime:
        """Broker time."""
        return self.clock.now(time.monotonic())

    @property
    def is_suspended(self) -> bool:
        """Whether the account's user has suspended trading."""
        return any(each.at <= self.now() < each.until for each in self._suspensions)

    def market(self, *, acting: bool = False) -> Market:
        """What is known now. acting: something is to happen, at a time later than any before."""
        now = self.now()
        return Market(
            now=self.clock.stamp(time.monotonic()) if acting else now,
            calendar=self.calendar,
            last=lambda symbol: last_bar(self.feed, symbol, now),
            halted_until=lambda symbol: self.halts.last_until(symbol, now),
        )

    def submit(self, ticket: Ticket) -> Order:
        """Take an order; the caller answers its client, then calls `work`. Raises Rejection."""
        if self.is_suspended:
            raise forbidden("new orders are rejected by user request")
        return self.venue.submit(ticket, self.market(acting=True))

    def work(self) -> None:
        """Fill what arrived and publish what happened."""
        self.venue.work(self.market(acting=True))
        self.publish()

    def admit_late(self) -> None:
        """Take the orders whose POST was answered before, if their time has come."""
        now = self.now()
        due = [ticket for at, ticket in self.late if at <= now]
        self.late = [(at, ticket) for at, ticket in self.late if at > now]
        for ticket in due:
            try:
                self.submit(ticket)
            except Rejection as refusal:
                log.warning("late order %s was refused: %s", ticket.client_order_id, refusal)
            else:
                self.work()

    def publish(self) -> list[Update]:
        """Send the venue's updates to the listeners; returns them."""
        updates = self.venue.take_updates()
        for update in updates:
            if update.order.id in self.office.silent:
                continue
            self._send(update_json(update, next(self._numbers)), update.at)
        return updates

    def has_clients(self) -> bool:
        """Whether time may pass: a client wants bars, or the clock runs freely."""
        return self.options.free_running or self.markets.has_listeners()

    def match(self, boundary: datetime) -> bool:
        """Fill resting orders against the bars that end at `boundary`; returns whether any changed.

        Nobody knows these bars yet, and the clock does not say `boundary` yet.
        """
        start = boundary - MINUTE
        symbols = {order.symbol for order in self.venue.orders.open()}
        bars = bars_at(self.feed, symbols, start)
        if bars:
            self.venue.on_bars(list(bars.values()), self.market(acting=True))
        return bool(self.publish())

    def turn(self, boundary: datetime) -> bool:
        """End the minute at `boundary`; returns whether a client has something to react to.

        Bars go out in the same step in which the clock first says `boundary`.
        """
        self.clock.stand(boundary)
        disturbed = self.mischief.turn(boundary)
        self.publish()
        sent = self._stream(boundary - MINUTE)
        self._turn_session(boundary)
        updates = self.publish()
        if sent or updates or disturbed:
            self.quiet.stir()
            self.equity.append((boundary, self.venue.account.funds(self.market()).equity))
        return bool(sent or updates or disturbed)

    def activities(self) -> list[Activity]:
        """Everything posted on the account but fills, coin fees last."""
        return [*self.office.posted, *coin_fees(self.venue.executions, self.now())]

    def _act(self, fault: AccountFault) -> None:
        match fault:
            case ResetAccount():
                self._open_account(next_number(self.account_number))
            case OddUpdate():
                self._send_oddly(fault)
            case SuspendTrading():
                log.info("trading is %s", "suspended" if self.is_suspended else "allowed again")
            case _:
                self.office.carry_out(fault, self.market(acting=True))

    def _send(self, message: Message, at: datetime) -> None:
        self.mischief.delivery.publish(message, at)
        self.quiet.stir()

    def _send_oddly(self, fault: OddUpdate) -> None:
        """Send an update of the newest order that no client can understand."""
        newest = self.venue.orders.newest()
        if newest is not None:
            now = self.market(acting=True).now
            message = update_json(Update(fault.event, newest, now), next(self._numbers))
            message["data"]["order"] |= {"status": fault.status, "orbit": {"apsides": [1, None]}}
            self._send(message | {"shard": 7}, now)

    def _stream(self, start: datetime) -> int:
        """Send the bars of a minute, and the days' so far; returns how many went out."""
        bars, days = (
            bars_at(self.feed, self.markets.bar_symbols(channel), start)
            for channel in ("bars", "dailyBars")
        )
        so_far = {symbol: _day_so_far(self.feed, bar) for symbol, bar in days.items()}
        return self.markets.stream(bars) + self.markets.stream(so_far, "dailyBars")

    def _turn_session(self, boundary: datetime) -> None:
        before, after = self.calendar.at(boundary - MINUTE), self.calendar.at(boundary)
        if before is not None and after is None:
            self.last_equity = self.venue.account.funds(self.market()).equity
        if self.calendar.turns(boundary):
            self.venue.turn(self.market(acting=True))

    def _waiting_frames(self) -> int:
        if self.options.free_running:
            return 0
        return self.markets.waiting + self.order_streams.waiting


def _day_so_far(feed: Feed, newest: Bar) -> Bar:
    """The day up to its newest minute bar, as one bar."""
    (day,) = DAILY.gather(bars_between(feed, newest.symbol, DAILY.start(newest), newest.end))
    return day
