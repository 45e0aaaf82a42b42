"""Explains why a strategy did or did not trade on its last bar, from what the engine decided with.

An explanation is made on request and changes nothing. It asks in the engine's own order: is the bar
one to decide on, is the strategy warm, what does it hold, what does its signal want, is there
enough cash, does anything deny the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from coordinator.core import risk
from coordinator.core.amounts import dollars, shown, signed
from coordinator.core.books import Books
from coordinator.core.gate import free_in_account
from coordinator.core.lane import SAYS_NOTHING, Lane, StrategySpec
from coordinator.core.ledger import Position
from coordinator.core.minute_views import MinuteView
from coordinator.core.orders import Order
from coordinator.core.risk import Asset
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, UNASSIGNED, ZERO, Denial, Side


class Did(StrEnum):
    """What a strategy did at a ticker's last bar, or why nothing; the first that holds is named."""

    FAULT = "fault"
    NO_BAR = "no_bar"
    ENTRY = "entry"
    EXIT = "exit"
    LAST_BAR = "last_bar"
    ORDERS_UNSEEN = "orders_unseen"
    HOLDS = "holds"
    WARMING_UP = "warming_up"
    NO_SIGNAL = "no_signal"
    ORDER_OPEN = "order_open"
    NO_CASH = "no_cash"
    DENIED = "denied"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One strategy on one ticker at its last bar; numbers are texts for people, not for sums.

    `because` is a sentence on what it `did`. `held_back` are reasons that would deny an entry now,
    whether or not the signal asks for one.
    """

    strategy: str
    strategy_type: str
    ticker: str
    at: datetime
    did: Did
    because: str
    signal: int
    bars_seen: int
    bars_needed: int
    bar_end: datetime | None = None
    close: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    position: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()


def without_values(explained: Sequence[Explanation]) -> list[str]:
    """A sentence for each reason why `explain()` gave no values, with the tickers it concerns."""
    silent: dict[str, list[str]] = {}
    for one in explained:
        if SAYS_NOTHING in one.values:
            silent.setdefault(one.values[SAYS_NOTHING], []).append(one.ticker)
    return [f"on {', '.join(tickers)}: {why}" for why, tickers in silent.items()]


@dataclass(frozen=True, slots=True)
class Case:
    """What an explanation of one strategy on one ticker is made from."""

    spec: StrategySpec
    ticker: str
    now: datetime
    books: Books
    plan: SessionPlan
    asset: Asset
    lane: Lane
    bars: int
    view: MinuteView
    """The View at the ticker's last bar; of the book as it is now if nothing was decided at it."""
    sees_orders: bool
    denials: Sequence[str]

    def explanation(self) -> Explanation:
        """Make the explanation. Call inside the EXACT decimal context."""
        spec, (did, because) = self.spec, self._outcome()
        start = self.books.last_bar.get(self.ticker)
        close = self.books.ledger.marks.get(self.ticker)
        return Explanation(
            strategy=spec.name,
            strategy_type=spec.strategy_type,
            ticker=self.ticker,
            at=self.now,
            did=did,
            because=because,
            signal=self.lane.signal,
            bars_seen=self.bars,
            bars_needed=spec.min_warmup_bars,
            bar_end=start + MINUTE if start else None,
            close=shown(close) if close is not None else "",
            values={k: shown(v) for k, v in self.lane.explain().items()} if self.bars else {},
            params={k: str(v) for k, v in spec.params.items()},
            position=self._position_in_words(),
            limits=dict(self._limits()),
            held_back=tuple(self._held_back()),
        )

    def _outcome(self) -> tuple[Did, str]:
        """What it did at the last bar, and a sentence on it."""
        if self.lane.fault:
            fault = f"The strategy failed and is not asked again: {self.lane.fault}."
            return Did.FAULT, f"{fault} Repair its file, then `multi-trader reload`."
        if not self._counts():
            return Did.NO_BAR, "This session has brought no bar of it yet."
        if order := self._order_of_the_bar():
            did = Did.ENTRY if order.side is Side.BUY else Did.EXIT
            return did, _order_in_words(order)
        if self._is_last():
            return Did.LAST_BAR, "Nothing is decided on the bar that ends at the session's close."
        if not self.sees_orders:
            return Did.ORDERS_UNSEEN, "The states of the orders are not known: nothing is decided."
        if self.asset.can_order(self._position().qty):
            return Did.HOLDS, self._why_it_holds()
        if self._is_cold():
            return Did.WARMING_UP, self._bars_in_words()
        if self.lane.signal <= 0:
            wish = "wants to be flat, and it is" if self.lane.signal else "leaves all as it is"
            return Did.NO_SIGNAL, f"The signal is {signed(self.lane.signal)}: it {wish}."
        return self._why_it_did_not_buy()

    def _why_it_holds(self) -> str:
        """Where stop, target and signal stand of a position that the bar did not sell."""
        if self._busy():
            return "An order of its own is open on it."
        limits, cost = self.spec.limits, self._position().avg_price
        signal = 0 if self._is_cold() else self.lane.signal
        parts = [f"It holds, and the signal is {signed(signal)}"]
        if limits.stop_loss_pct is not None:
            parts.append(f"the stop is at {shown(cost * (1 - limits.stop_loss_pct))}")
        if limits.take_profit_pct is not None:
            parts.append(f"the target is at {shown(cost * (1 + limits.take_profit_pct))}")
        return f"{', '.join(parts)}.{self._missing()}"

    def _missing(self) -> str:
        """What to do about units that left the account without an order of a strategy's."""
        unowned = self.books.ledger[UNASSIGNED].positions.get(self.ticker, Position()).qty
        if unowned >= 0:
            return ""
        left = f"{shown(-unowned)} {self.ticker} left the account without an order"
        return f" But {left}, and cannot be sold: see `multi-trader import-account`."

    def _why_it_did_not_buy(self) -> tuple[Did, str]:
        """The same where the signal is +1, nothing is held and no order was made."""
        bullish = "The signal is +1, and"
        if self._busy():
            return Did.ORDER_OPEN, f"{bullish} an order of its own is open already."
        close = self.books.ledger.marks[self.ticker]
        cash, equity = self._spendable()
        if not risk.entry_qty(self.asset, self.spec.limits, equity, cash, close):
            least = f"the least that the broker takes at {shown(close)}"
            return Did.NO_CASH, f"{bullish} its {_at_hand(cash)} cannot buy {least}."
        denial = self.books.denied.get((self.spec.name, self.ticker), "")
        if denial:
            return Did.DENIED, f"{bullish} the entry was denied: {self._in_words(denial)}"
        return Did.UNDECIDED, f"{bullish} the bar was not decided on: the next one may be."

    def _order_of_the_bar(self) -> Order | None:
        """The newest order that was decided on at the last bar."""
        end = self.books.last_bar[self.ticker] + MINUTE
        mine = (
            order
            for order in self.books.orders
            if order.strategy == self.spec.name
            and order.symbol == self.ticker
            and order.decided_at >= end
        )
        return max(mine, key=lambda order: order.decided_at, default=None)

    def _counts(self) -> bool:
        """Whether the ticker's last bar is one of this session."""
        start = self.books.last_bar.get(self.ticker)
        first = self.plan.first_bar(self.ticker)
        return start is not None and first is not None and start >= first

    def _is_last(self) -> bool:
        return self.books.last_bar[self.ticker] + MINUTE == self.plan.last_end(self.ticker)

    def _is_cold(self) -> bool:
        return self.bars < self.spec.min_warmup_bars

    def _position(self) -> Position:
        return self.view.positions.get(self.ticker, Position())

    def _busy(self) -> bool:
        return self.ticker in self.view.busy

    def _spendable(self) -> tuple[Decimal, Decimal]:
        """Dollars that the strategy could spend in the minute, and its equity then."""
        return self.view.available, self.view.equity(self.books.ledger.marks)

    def _position_in_words(self) -> str:
        position = self.books.ledger[self.spec.name].positions.get(self.ticker)
        if position is None or not position.qty:
            return ""
        return f"{shown(position.qty)} at {shown(position.avg_price)} on average"

    def _bars_in_words(self) -> str:
        return f"{self.bars} of {self.spec.min_warmup_bars} bars have been seen."

    def _limits(self) -> Iterator[tuple[str, str]]:
        """Each limit with what is used of it."""
        limits, name = self.spec.limits, self.spec.name
        cash, equity = self._spendable()
        free = _at_hand(min(cash, free_in_account(self.books)))
        yield "cash", f"{free} of {dollars(equity)} equity can be spent"
        size = f"{shown(limits.max_position_size * 100)} % of equity"
        if limits.max_position_size * equity > (most := self.asset.max_cost):
            size += f", {dollars(most)} at most: Alpaca takes no larger order of coins"
        yield "max_position_size", size
        if limits.max_daily_trades is not None:
            used = self.books.days[name].entries
            yield "max_daily_trades", f"{used} of {limits.max_daily_trades} used"
        if limits.max_daily_loss is not None:
            lost = max(-self.books.day_pnl(name), ZERO)
            yield "max_daily_loss", f"{dollars(lost)} of {dollars(limits.max_daily_loss)} used"
        for word in ("stop_loss_pct", "take_profit_pct"):
            share = getattr(limits, word)
            if share is not None:
                yield word, f"{shown(share * 100)} % from the average price"

    def _held_back(self) -> Iterator[str]:
        """The reasons that would deny an entry now."""
        if not self.plan.is_open(self.ticker, self.now):
            yield self._in_words(Denial.SESSION)
        if self._is_cold():
            yield f"warm-up: {self._bars_in_words()}"
        yield from (self._in_words(denial) for denial in self.denials)

    def _in_words(self, denial: str) -> str:
        """A denial's reason, with a sentence of what it means or how to end it, if there is one."""
        say = _SENTENCES.get(denial)
        return f"{denial}: {say(self)}" if say else f"{denial}."


def _frozen(case: Case) -> str:
    notes = {found.note for found in case.books.freezing(case.ticker)}
    return f"{'; '.join(sorted(notes)) or 'it is over now'}. See `multi-trader reconcile`."


def _at_hand(cash: Decimal) -> str:
    """What there is to spend, in dollars: of a debt nothing."""
    return dollars(max(cash, ZERO))


def _without_cash(case: Case) -> str:
    books = case.books
    free = _at_hand(free_in_account(books))
    owing = [
        (name, one.cash) for name, one in sorted(books.ledger.accounts.items()) if one.cash < 0
    ]
    owes = "".join(f"; {name} is short of {dollars(-cash)}" for name, cash in owing)
    return f"the account has {free} of cash that no open order holds{owes}."


_SENTENCES: Mapping[str, Callable[[Case], str]] = {
    Denial.PAUSED: lambda case: f"until `multi-trader resume {case.spec.name}`.",
    Denial.KILLED: lambda _: "the whole account, until `multi-trader revive`.",
    Denial.FROZEN: _frozen,
    Denial.BLIND: lambda _: "its stream brings no bars; entries wait until it does.",
    Denial.STALE: lambda _: "the bar came more than 90 s late, or the entry's turn came too late.",
    Denial.MAX_DAILY_TRADES: lambda case: f"{case.spec.limits.max_daily_trades} entries a day.",
    Denial.MAX_DAILY_LOSS: lambda _: "the day's loss has reached it; entries go on the next day.",
    Denial.MAX_ORDERS_PER_MINUTE: lambda _: "it wished for too many in a minute; none more today.",
    Denial.SESSION: lambda _: "its market is closed.",
    Denial.DUPLICATE: lambda _: "a buy of its own is open already.",
    Denial.BUYING_POWER: _without_cash,
    Denial.NOT_TRADABLE: lambda _: "the broker does not trade it now.",
    Denial.MAX_ORDER_QTY: lambda _: "the account's control on one order's size.",
    Denial.MAX_ORDER_NOTIONAL: lambda _: "the account's control on one order's value.",
    Denial.MAX_SYMBOL_NOTIONAL: lambda _: "the account's control on what it has in one ticker.",
}


def _order_in_words(order: Order) -> str:
    did = "Bought" if order.side is Side.BUY else "Sold"
    wish = f"{order.side.value} {shown(order.qty)} at about {shown(order.decision_price)}"
    filled = f", {did.lower()} {shown(order.booked_qty)} so far" if order.booked_qty else ""
    return (
        f"Order {order.client_order_id} ({order.reason.value}): {wish};"
        f" it is {order.status.value}{filled}."
    )
