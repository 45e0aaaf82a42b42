"""One session of a backtest: the live engine, fed minute by minute from a tape.

A minute has the same order as over sockets: resting orders are filled against its bars, then the
bars become known, then the engine decides on them, and its commands are carried out before the next
minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.exchange import Exchange, followed
from coordinator.backtest.setup import BacktestSetup, Opened
from coordinator.backtest.tape import Tape
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.values import MINUTE
from coordinator.shell import startup


class Session:
    """A session that was `opened` on books that outlive it; `records` are all it has made."""

    def __init__(
        self,
        setup: BacktestSetup,
        tape: Tape,
        exchange: Exchange | ExchangesApart,
        books: Books,
        opened: Opened,
    ) -> None:
        self.now = start = opened.start
        self.plan = plan = opened.plan
        self.exchange = exchange
        self.records: list[r.Record] = list(opened.records)
        self.session_id = opened.name.session_id
        self.engine = Engine(
            books,
            setup.specs,
            setup.assets(),
            plan,
            crypto_fee_rate=setup.crypto_fee_rate,
            controls=setup.controls,
            crossing=setup.crossing,
            apart=setup.apart,
        )
        needs = startup.warm_up_needs(setup.specs, plan)
        so_far = tape.so_far(setup.traded, plan, start)
        history = tape.history(needs)
        self._minutes = tape.minutes(setup.traded, start, plan.end)
        self.records += startup.warm_up(self.engine, history, so_far, start)
        exchange.begin()

    def step(self) -> None:
        """Play one minute."""
        boundary = self.now.replace(second=0, microsecond=0) + MINUTE
        pairs = self._minutes.pop(boundary - MINUTE, [])
        bars = [bar for bar, _ in pairs]
        self.handle(self.exchange.fill_resting(bars, boundary))
        self.now = boundary
        self.handle(self.exchange.publish(bars, boundary))
        if pairs:
            ours = tuple(bar for _, bar in pairs)
            self._take(self.engine.handle(m.BarsArrived(boundary, ours)))

    def handle(self, updates: Iterable[m.OrderUpdate]) -> None:
        """Pass order updates to the engine."""
        for update in updates:
            self._take(self.engine.handle(update))

    def finish(self) -> None:
        """End the session with the exchange's cash and positions."""
        self._take(self.engine.close(self.now))
        cash, positions = self.exchange.cash, self.exchange.positions()
        status = r.SessionEnd.COMPLETED
        ended = r.SessionEnded(self.now, self.session_id, status, cash, positions)
        self.engine.books.apply_all([ended])
        self.records.append(ended)

    def _take(self, outcome: m.Outcome) -> None:
        """Keep the records and carry out the commands, until the answers cause no further ones."""
        carry_out = partial(self.exchange.carry_out, now=self.now)
        self.records += followed(self.engine, outcome, carry_out)
