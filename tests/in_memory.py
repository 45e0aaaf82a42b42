"""Engine and venue joined in memory: a whole session without a socket, a file or a clock.

The same messages pass as over the wire: orders go through the simulator's own reading of a POST,
its answers and trade updates through the coordinator's own parsers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.backtest.exchange import followed
from coordinator.backtest.tape import as_ours
from coordinator.config import config_hash, parse_config
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.reconcile import compare
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.statement import Rows, statement
from coordinator.core.values import Bar, is_crypto
from coordinator.engine_setup import specs_of
from coordinator.shell import startup, wire
from simulator.assets import asset_of
from simulator.feed import bar_at, bars_between, last_bar
from simulator.fills import fill_model
from simulator.market import Market
from simulator.opening import open_feed
from simulator.options import SimulatorOptions
from simulator.rules import read_ticket
from simulator.shapes import asset_json, order_json, update_json
from simulator.values import MINUTE
from simulator.values import Bar as TapeBar
from simulator.venue import Venue

ACCOUNT = "MEMORY"


@dataclass
class InMemorySession:
    """One session of `config` on the bars that `options` name.

    `prepare` may put other rules in the place of the configured ones.
    """

    config: Mapping[str, Any]
    options: SimulatorOptions
    prepare: Callable[[list[StrategySpec]], list[StrategySpec]] = list
    records: list[r.Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        opening = open_feed(self.options, self.options.date or date.min)
        self.feed, self.calendar = opening.feed, opening.calendar
        numbers = itertools.count(1)
        self.venue = Venue(
            self.options.cash, fill_model(self.options.fill_model), lambda: f"id-{next(numbers)}"
        )
        self._event_numbers = itertools.count(1)
        self.now = opening.start
        parsed = parse_config(self.config, "memory")
        self.specs = self.prepare(specs_of(parsed.active, None))
        tickers = tickers_of(self.specs)
        plan = startup.plan(self.now, self._hours(), tickers)
        assert plan is not None, "the session's date has nothing to trade"
        self.plan: SessionPlan = plan
        assets = {t: wire.parse_asset(asset_json(asset_of(t)), t) for t in tickers}
        books = Books()
        self._keep([r.AccountAdopted(self.now, ACCOUNT, self.options.cash, ())], books)
        name = SessionName(
            session_id("memory", ACCOUNT, plan),
            "memory",
            ACCOUNT,
            "backtest",
            "iex",
            config_hash(parsed),
        )
        self.records += open_session(books, self.specs, plan, name, self.now)
        self.engine = Engine(
            books,
            self.specs,
            assets,
            plan,
            crypto_fee_rate=parsed.crypto_fee_rate,
            controls=parsed.controls.as_controls(),
            crossing=parsed.crossing,
        )
        self.session_id = name.session_id
        self.records += startup.warm_up(self.engine, self._history(), self._so_far(), self.now)

    def run(self, until: datetime | None = None) -> None:
        """Play minute after minute to the session's end, or to `until`."""
        end = min(until or self.plan.end, self.plan.end)
        while self.now < end:
            self.step()
        if self.now >= self.plan.end:
            self._take(self.engine.close(self.now))

    def finish(self) -> None:
        """Close the session with the venue's account."""
        status, cash = r.SessionEnd.COMPLETED, self.venue.ledger.cash
        ended = r.SessionEnded(self.now, self.session_id, status, cash, self.positions())
        self._keep([ended], self.engine.books)

    def step(self) -> None:
        """One minute: fills against its bars first, then its bars, then what the engine wants."""
        boundary = self.now.replace(second=0, microsecond=0) + MINUTE
        start = boundary - MINUTE
        bars = [
            bar
            for ticker in tickers_of(self.specs)
            if (bar := bar_at(self.feed, ticker, start)) is not None
        ]
        self.venue.on_bars(bars, self._market())
        self._tell_updates()
        self.now = boundary
        self._turn_session(boundary)
        if bars:
            self._take(self.engine.handle(m.BarsArrived(boundary, tuple(as_ours(b) for b in bars))))

    def positions(self) -> dict[str, Decimal]:
        """The venue's net positions."""
        held = self.venue.ledger.positions.items()
        return {symbol: position.qty for symbol, position in held if position.qty}

    def differences(self) -> list[r.DiscrepancyFound]:
        """What the books and the venue's account disagree on."""
        ledger = self.engine.books.ledger
        return compare(ledger, self.venue.ledger.cash, self.positions(), self.now)

    def rows(self) -> Rows:
        """The session as the warehouse's rows."""
        return statement(self.records)

    def _take(self, outcome: m.Outcome) -> None:
        """Carry out commands until nobody wants anything more in this minute."""
        self.records += followed(self.engine, outcome, self._act)

    def _act(self, command: m.Command) -> list[m.Message]:
        market = self._market()
        match command:
            case m.SubmitOrder():
                body = {
                    "symbol": command.symbol,
                    "qty": f"{command.qty:f}",
                    "side": command.side.value,
                    "type": "market",
                    "time_in_force": command.time_in_force,
                    "client_order_id": command.client_order_id,
                }
                order = self.venue.submit(read_ticket(body, "unused"), market)
                answer = wire.parse_order(order_json(order))
                self.venue.work(market)
                return [answer, *self._updates()]
            case m.CancelOrder():
                self.venue.cancel(command.broker_order_id, self.now)
                return list(self._updates())
            case m.LookUpOrder():
                found = self.venue.orders.find_client(command.client_order_id)
                return [wire.parse_order(order_json(found))]

    def _updates(self) -> list[m.OrderUpdate]:
        return [
            wire.parse_trade_update(update_json(update, next(self._event_numbers)))
            for update in self.venue.take_updates()
        ]

    def _tell_updates(self) -> None:
        for update in self._updates():
            self._take(self.engine.handle(update))

    def _keep(self, records: list[r.Record], books: Books) -> None:
        books.apply_all(records)
        self.records += records

    def _market(self) -> Market:
        now = self.now
        return Market(now, self.calendar, lambda symbol: last_bar(self.feed, symbol, now))

    def _turn_session(self, boundary: datetime) -> None:
        if self.calendar.turns(boundary):
            self.venue.turn(self._market())
        self._tell_updates()

    def _hours(self) -> list[Hours]:
        return [Hours(s.date, s.open, s.close) for s in self.calendar.sessions]

    def _history(self) -> dict[str, list[Bar]]:
        found = {}
        for need in startup.warm_up_needs(self.specs, self.plan):
            since = need.before - timedelta(days=15)
            bars = [
                as_ours(bar)
                for bar in bars_between(self.feed, need.symbol, since, need.before)
                if bar.start < need.before and self._in_hours(bar)
            ]
            found[need.symbol] = bars[-need.count :]
        return found

    def _so_far(self) -> list[Bar]:
        bars = [
            as_ours(bar)
            for ticker in tickers_of(self.specs)
            if (first := self.plan.first_bar(ticker)) is not None and first < self.now
            for bar in bars_between(self.feed, ticker, first, self.now)
            if bar.start + MINUTE <= self.now
        ]
        return sorted(bars, key=lambda bar: (bar.start, bar.symbol))

    def _in_hours(self, bar: TapeBar) -> bool:
        return is_crypto(bar.symbol) or self.calendar.at(bar.start) is not None


def recorded(path: Path, day: date, **options: Any) -> SimulatorOptions:
    """Options for one recorded day."""
    return SimulatorOptions(bars=path, date=day, **options)
