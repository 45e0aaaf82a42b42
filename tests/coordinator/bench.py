"""An engine on a bench: hand-made bars and broker's reports in, records and commands out.

No venue, no journal and no loop: what a test does not say does not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.records import Origin
from coordinator.core.risk import Asset, Limits
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, Bar, Side, is_crypto

D = Decimal
DAY = date(2026, 3, 17)
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 17, 20, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 18, tzinfo=UTC)
PLAN = SessionPlan(DAY, Hours(DAY, OPEN, CLOSE), OPEN.replace(hour=0, minute=0), MIDNIGHT)
STOCKS = SessionPlan(DAY, Hours(DAY, OPEN, CLOSE), None, CLOSE)

Said = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Says:
    """A rule that says what a test tells it to, by ticker and minute after the open."""

    said: frozenset[tuple[str, int, int]]
    longest_window: int = 1
    raises_at: int | None = None

    def start(self) -> Callable[[Bar], int]:
        signals = {(ticker, minute): signal for ticker, minute, signal in self.said}

        def step(bar: Bar) -> int:
            minute = (bar.start - OPEN) // MINUTE
            if minute == self.raises_at:
                raise RuntimeError("no idea")
            return signals.get((bar.symbol, minute), 0)

        return step


def spec(
    name: str,
    said: Said,
    *,
    tickers: Iterable[str] = (),
    cash: str = "10000",
    warmup: int = 0,
    raises_at: int | None = None,
    **limits: str | int,
) -> StrategySpec:
    """A strategy that says `said`, on the tickers it mentions unless told otherwise."""
    rule = Says(frozenset((t, n, s) for (t, n), s in said.items()), raises_at=raises_at)
    exact = {k: v if isinstance(v, int) else D(v) for k, v in limits.items()}
    return StrategySpec(
        name,
        "says",
        {"n": 1, "share": 0.5},
        rule,
        tuple(tickers) or tuple(dict.fromkeys(ticker for ticker, _ in said)),
        D(cash),
        warmup,
        Limits(**exact),  # type: ignore[arg-type]
    )


def asset(ticker: str) -> Asset:
    """A fractionable stock, or a crypto pair of nine decimals."""
    if is_crypto(ticker):
        return Asset.crypto(ticker, increment=D("1e-9"), min_qty=D("0.0001"))
    return Asset.stock(ticker, fractionable=True)


def bar(ticker: str, minute: int, close: str) -> Bar:
    """The bar of the n-th minute after the open."""
    price = D(close)
    return Bar(ticker, OPEN + minute * MINUTE, price, price, price, price, D(100))


class Bench:
    """One session's engine, what it recorded and what it asked for; `switches` are the engine's."""

    def __init__(
        self,
        *specs: StrategySpec,
        cash: str = "100000",
        holdings: Iterable[r.Holding] = (),
        plan: SessionPlan = PLAN,
        books: Books | None = None,
        assets: Mapping[str, Asset] | None = None,
        config_hash: str = "hash",
        **switches: Any,
    ) -> None:
        self.specs, self.plan = specs, plan
        self.books = books or Books()
        self.records: list[r.Record] = []
        self.commands: list[m.Command] = []
        self.now = (plan.stock.open if plan.stock else plan.end - timedelta(days=1)) - 10 * MINUTE
        if books is None:
            adopted = r.AccountAdopted(self.now, "PA1", D(cash), tuple(holdings))
            self.books.apply_all([adopted])
            self.records.append(adopted)
        self.name = SessionName(
            session_id("bench", "PA1", plan), "bench", "PA1", "simulated", "iex", config_hash
        )
        self.records += open_session(self.books, specs, plan, self.name, self.now)
        known = {ticker: asset(ticker) for ticker in tickers_of(specs)}
        self.engine = Engine(self.books, specs, {**known, **(assets or {})}, plan, **switches)

    def handle(self, *messages: m.Message) -> m.Outcome:
        """Everything that follows from these messages."""
        whole = m.Outcome()
        for message in messages:
            outcome = self.engine.handle(message)
            whole.records += outcome.records
            whole.commands += outcome.commands
            whole.answer = outcome.answer
        self.records += whole.records
        self.commands += whole.commands
        return whole

    def minute(
        self,
        minute: int,
        closes: Mapping[str, str],
        *,
        late_s: float = 0,
        origin: Origin = Origin.LIVE,
    ) -> m.Outcome:
        """The bars of one minute, `late_s` after its end."""
        bars = tuple(bar(ticker, minute, close) for ticker, close in closes.items())
        return self.bars(*bars, late_s=late_s, origin=origin)

    def bars(self, *bars: Bar, late_s: float = 0, origin: Origin = Origin.LIVE) -> m.Outcome:
        """One batch of bars."""
        self.now = max(b.end for b in bars) + timedelta(seconds=late_s)
        return self.handle(m.BarsArrived(self.now, bars, origin))

    def sent(self) -> list[tuple[str, str, Side, Decimal]]:
        """(strategy, ticker, side, quantity) of every order that went out."""
        return [
            (c.client_order_id.partition(".")[0], c.symbol, c.side, c.qty)
            for c in self.commands
            if isinstance(c, m.SubmitOrder)
        ]

    def order(self, strategy: str, number: int = 1) -> Order:
        """A strategy's n-th order of the day."""
        return self.books.order(order_id(strategy, number))

    def update(
        self,
        order: Order,
        status: OrderStatus,
        filled: str | Decimal = "0",
        *,
        price: str = "100",
        execution: m.Execution | None = None,
    ) -> m.Outcome:
        """The broker's report on an order, whose fills so far were all at `price`."""
        return self.handle(report(order, status, filled, self.now, price, execution))

    def fill(
        self,
        order: Order,
        price: str = "100",
        qty: str | Decimal | None = None,
        *,
        execution_id: str = "",
    ) -> m.Outcome:
        """The stream tells of one execution; of the rest of the order, unless told how much."""
        size = D(qty) if qty is not None else order.qty - order.booked_qty
        total = order.booked_qty + size
        whole = total == order.qty
        status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        name = execution_id or f"x.{order.client_order_id}.{total}"
        execution = m.Execution(name, size, D(price), total, self.now)
        return self.update(order, status, total, price=price, execution=execution)

    def of(self, kind: type[r.Record]) -> list[r.Record]:
        """The records of one kind."""
        return [record for record in self.records if type(record) is kind]

    def denials(self) -> list[tuple[str, str]]:
        """(strategy, reason) of every entry that was refused before it was an order."""
        return [(d.strategy, d.reason) for d in self.records if isinstance(d, r.EntryDenied)]

    def position(self, strategy: str, ticker: str) -> Decimal:
        """What a strategy's book holds."""
        held = self.books.ledger[strategy].positions.get(ticker)
        return held.qty if held else D(0)

    def look(
        self,
        cash: Decimal | str | None = None,
        positions: Mapping[str, str] | None = None,
        *,
        version: int | None = None,
        **more: Any,
    ) -> m.Outcome:
        """A look at the broker's account, which is as the books have it but for what is told."""
        ledger = self.books.ledger
        held = {**ledger.net_positions(), **{t: D(q) for t, q in (positions or {}).items()}}
        return self.handle(
            m.AccountSeen(
                self.now,
                self.books.posted.version if version is None else version,
                ledger.net_cash() if cash is None else D(cash),
                {ticker: qty for ticker, qty in held.items() if qty},
                **more,
            )
        )

    def gains(self) -> dict[str, Decimal]:
        """Each book's equity beyond what was put in and won: the same, whatever happens."""
        found = {}
        for name, account in self.books.ledger.accounts.items():
            cost = sum((p.cost for p in account.positions.values()), D(0))
            unrealized = account.market_value(self.books.ledger.marks) - cost
            put_in = account.initial_cash + account.transferred
            won = account.realized + unrealized - account.fees
            found[name] = self.books.ledger.equity(name) - put_in - won
        return found


def order_id(strategy: str, number: int = 1) -> str:
    """A client order id of the bench's day."""
    return f"{strategy}.{DAY.isoformat()}.{number}"


def bust(
    order: Order,
    fill: m.Execution,
    at: datetime,
    *,
    name: str = "b1",
    instead: m.Execution | None = None,
) -> m.OrderUpdate:
    """The broker takes an execution back, or tells of another one `instead` of it."""
    left = order.booked_qty - fill.qty + (instead.qty if instead else 0)
    told = m.Bust(f"bust.{name}", fill.execution_id, fill.qty, fill.price, at)
    update = report(order, order.status, left, at, str(fill.price), instead)
    return replace(update, bust=told)


def report(
    order: Order,
    status: OrderStatus,
    filled: str | Decimal,
    at: datetime,
    price: str = "100",
    execution: m.Execution | None = None,
) -> m.OrderUpdate:
    """What the broker says of an order."""
    return m.OrderUpdate(
        order.client_order_id,
        f"broker-{order.client_order_id}",
        order.symbol,
        order.side,
        status,
        order.qty,
        D(filled),
        D(price) if D(filled) else None,
        at,
        at,
        execution,
    )


def stranger(
    order_id: str, ticker: str, side: Side, qty: str, price: str, at: datetime, name: str = "h1"
) -> m.OrderUpdate:
    """A fill of an order that this program did not send."""
    execution = m.Execution(name, D(qty), D(price), D(qty), at)
    return m.OrderUpdate(
        order_id,
        f"broker-{order_id}",
        ticker,
        side,
        OrderStatus.FILLED,
        D(qty),
        D(qty),
        D(price),
        at,
        at,
        execution,
    )
