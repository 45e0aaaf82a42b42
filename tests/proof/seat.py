"""A coordinator's seat at a machine's broker: engine, books and journal, without loop or sockets.

It starts, commits and starts again as the shell does, with the shell's own start-up; what the
streams bring and what becomes of a request, the machine says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.lane import StrategySpec
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Limits
from coordinator.core.session import SessionPlan
from coordinator.core.values import Bar, Side
from coordinator.errors import SafetyRefusal
from coordinator.shell.account import AccountView
from coordinator.shell.agreement import Settling, agree
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.look import Looks
from coordinator.shell.startup import replay
from coordinator.shell.watchdog import Depth
from coordinator.shell.wire import Fill
from tests.coordinator.bench import asset
from tests.proof.truth import Deal, Ticket, Truth, amount, told

ACCOUNT = "PA1"
CENT = Decimal("0.01")
Board = dict[tuple[str, str], int]
"""What each strategy says of each ticker at the next bar."""


@dataclass(frozen=True)
class Puppet:
    """A rule that says what its board says."""

    strategy: str
    board: Board = field(compare=False, repr=False)
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        return lambda bar: self.board.get((self.strategy, bar.symbol), 0)


class Rest:
    """What REST says of the truth. `cents` reports cash to the cent."""

    def __init__(self, truth: Truth, now: Callable[[], datetime], *, cents: bool) -> None:
        self._truth, self._now, self._cents = truth, now, cents

    def account(self) -> AccountView:
        cash = Decimal(self._truth.cash).scaleb(-18)
        return AccountView(ACCOUNT, cash.quantize(CENT) if self._cents else cash)

    def clock(self) -> datetime:
        return self._now()

    def positions(self) -> list[r.Holding]:
        held = self._truth.held.items()
        return [r.Holding(symbol, amount(qty), Decimal(0)) for symbol, qty in held if qty]

    def open_orders(self) -> list[m.OrderUpdate]:
        return [told(ticket, self._now()) for ticket in self._truth.open()]

    def order(self, client_order_id: str, **_: object) -> m.OrderUpdate | None:
        ticket = self._truth.tickets.get(client_order_id)
        return told(ticket, self._now()) if ticket else None

    def orders_after(self, start: datetime) -> list[m.OrderUpdate]:
        return [told(t, self._now()) for t in self._truth.tickets.values() if t.at >= start]

    def order_at(self, broker_order_id: str) -> m.OrderUpdate | None:
        found = (t for t in self._truth.tickets.values() if t.broker_id == broker_order_id)
        ticket = next(found, None)
        return told(ticket, self._now()) if ticket else None

    def executions(self, broker_order_id: str, since: datetime) -> list[m.Execution]:
        return [d.told("rest") for d in self._standing() if d.ticket.broker_id == broker_order_id]

    def fills(self, since: datetime) -> list[Fill]:
        return [
            Fill(
                deal.told("rest"),
                deal.ticket.broker_id,
                deal.ticket.symbol,
                Side.BUY if deal.ticket.sign > 0 else Side.SELL,
                deal.ticket.status,
            )
            for deal in self._standing()
            if deal.at >= since
        ]

    def activities(self, since: date) -> list[m.Activity]:
        return [one for one in self._truth.activities if one.day >= since]

    def evidence(self, ticket: Ticket) -> list[m.OrderUpdate]:
        """What a look-up of one order finds: a report for each execution, or one without."""
        deals = [deal for deal in ticket.deals if deal.stands]
        words = [told(ticket, self._now(), d.told("rest")) for d in deals] or [
            told(ticket, self._now())
        ]
        instead = self.order_at(ticket.replaced_by)
        return [*words, instead] if instead else words

    def _standing(self) -> list[Deal]:
        return [deal for deal in self._truth.deals if deal.stands]


def spec(strategy: str, tickers: Sequence[str], board: Board, cash: str) -> StrategySpec:
    """A strategy of the machine's, that puts up to nine tenths into a ticker."""
    return StrategySpec(
        strategy,
        "puppet",
        {},
        Puppet(strategy, board),
        tuple(tickers),
        Decimal(cash),
        0,
        Limits(max_position_size=Decimal("0.9")),
    )


class Seat:
    """One coordinator. `crossing` nets its strategies' opposite wishes inside."""

    def __init__(
        self,
        name: str,
        specs: Sequence[StrategySpec],
        path: Path,
        rest: Rest,
        plan: SessionPlan,
        *,
        crossing: bool,
    ) -> None:
        self.name, self.specs, self.plan = name, tuple(specs), plan
        self.tickers = list(dict.fromkeys(t for one in specs for t in one.tickers))
        self.stream: list[m.OrderUpdate] = []
        self.answers: list[m.Message] = []
        self.wire: list[m.Command] = []
        self.engine: Engine | None = None
        self.refused = ""
        self.session = session_id(name, ACCOUNT, plan)
        self._path, self._rest, self._crossing = path, rest, crossing
        self._journal: Journal | None = None
        self._looks: Looks | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.engine is not None

    @property
    def books(self) -> Books:
        """The books in its memory."""
        assert self.engine is not None
        return self.engine.books

    @property
    def strategies(self) -> set[str]:
        """The names of its strategies."""
        return {one.name for one in self.specs}

    def start(self, now: datetime, sleep: Callable[[float], None]) -> bool:
        """Come up as the shell does; False if the books do not sum to the account."""
        journal = Journal(self._path, ACCOUNT, self.name)
        books, _ = replay(journal, self.name, self.strategies)
        settling = Settling(books, journal, self._rest, sleep)  # type: ignore[arg-type]
        assets = {ticker: asset(ticker) for ticker in self.tickers}
        try:
            unsent = agree(settling, assets, now)
        except SafetyRefusal as refusal:
            self.refused = str(refusal)
            journal.close()
            return False
        name = SessionName(self.session, self.name, ACCOUNT, "paper", "iex", "hash")
        settling.decide(self.session, lambda: open_session(books, self.specs, self.plan, name, now))
        self.engine = Engine(books, self.specs, assets, self.plan, crossing=self._crossing)
        self._journal, self.refused = journal, ""
        self._looks = Looks(self._rest, books, now)  # type: ignore[arg-type]
        self._commit(self.engine.resume(unsent, now))
        for order in books.orders.open():
            if order.status is not OrderStatus.WAITING:
                self.wire.append(m.LookUpOrder(order.client_order_id))
        return True

    def stop(self) -> None:
        """The process is gone, and with it all that was not durable."""
        if self._journal is not None:
            self._journal.close()
        self.engine = self._journal = self._looks = None
        self.stream, self.answers, self.wire = [], [], []

    def take(self, message: m.Message, *, dies: str = "") -> None:
        """Decide, record, act; or die before the records are durable, or before anything is sent.

        `dies` is '', 'unwritten' or 'unsent'.
        """
        assert self.engine is not None
        assert self._journal is not None
        if dies == "unwritten":
            self.engine.handle(message)
            self.stop()
            return
        if isinstance(message, m.AccountSeen | m.OperatorAsked | m.OrderUpdate):
            self._decide_informed(message)
        else:
            self._commit(self.engine.handle(message))
        if dies == "unsent":
            self.stop()

    def poll(self, now: datetime) -> None:
        """Read what other processes wrote, as the loop does at each tick."""
        if self._journal is not None and self._journal.has_news():
            before = self._halted()
            self._take_foreign(self._journal.append(self.session, ()))
            if self._halted() != before:
                self.take(m.ClockRead(now))

    def _halted(self) -> tuple[bool, set[str], set[str]]:
        halts = self.books.halts
        return self.books.halts.killed, set(halts.paused), set(halts.flattened)

    def holds(self, client_order_id: str) -> bool:
        """Whether an order still stands in line, and the broker cannot know of it."""
        sending = (c for c in self.wire if isinstance(c, m.SubmitOrder))
        return any(command.client_order_id == client_order_id for command in sending)

    def look(self, depth: Depth) -> None:
        """Ask for the account now; the answer stands in line."""
        assert self._looks is not None
        self.answers.append(self._looks.take(self.books.posted.version, depth))

    def _decide_informed(self, message: m.Message) -> None:
        outcome = m.Outcome()

        def decided(others: Sequence[Entry]) -> Sequence[r.Record]:
            nonlocal outcome
            self._take_foreign(others)
            assert self.engine is not None
            outcome = self.engine.handle(message)
            return outcome.records

        assert self._journal is not None
        self._journal.append_decided(self.session, decided)
        self.wire += outcome.commands

    def _commit(self, outcome: m.Outcome) -> None:
        assert self._journal is not None
        if outcome.records:
            self._take_foreign(self._journal.append(self.session, outcome.records))
        self.wire += outcome.commands

    def _take_foreign(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.books.apply_foreign(entry.record)


def minute_bars(
    start: datetime, prices: Mapping[str, int], tickers: Sequence[str]
) -> m.BarsArrived:
    """One minute's bars of these tickers, a second after its end."""
    bars = tuple(
        Bar(ticker, start, *([amount(prices[ticker])] * 4), Decimal(100))
        for ticker in tickers
        if ticker in prices
    )
    return m.BarsArrived(start + timedelta(seconds=61), bars)
