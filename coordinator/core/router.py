"""Finds the strategies that may act on a minute's bars, and the Views of their books to decide on.

Most strategies cannot act on most bars. A strategy without a signal that matters to it, and without
a position that a limit guards, is not asked and costs no time here. That changes no decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.minute_views import MinuteView, MinuteViews, Participant, Seat
from coordinator.core.risk import Asset
from coordinator.core.session import SessionPlan
from coordinator.core.values import UNASSIGNED, Bar, start_of, symbol_of

_NONE: frozenset[int] = frozenset()


class Router:
    """Finds the strategies that may act on bars. A strategy's rank is its index in `specs`.

    Call `before` with every record before it changes the books, and `refresh` once all records of a
    message have been applied.
    """

    def __init__(
        self,
        books: Books,
        specs: Sequence[StrategySpec],
        lanes: Lanes,
        assets: Mapping[str, Asset],
    ) -> None:
        self._books, self._specs, self._lanes, self._assets = books, specs, lanes, assets
        self._participants = [self._participant(rank, spec) for rank, spec in enumerate(specs)]
        self._by_name = {one.name: one for one in self._participants}
        on: dict[str, set[int]] = {}
        for rank, spec in enumerate(specs):
            for ticker in spec.tickers:
                on.setdefault(ticker, set()).add(rank)
        self._on = {ticker: frozenset(ranks) for ticker, ranks in on.items()}
        self._ask_always = {one.rank for one in self._participants if one.guarded}
        """The strategies asked at every bar: guarded ones that have a position or an open order, or
        whose book has changed since they were asked; and those whose View was discarded."""
        self._stale = [(one, ticker) for one in self._participants for ticker in one.seats]
        """Strategies and their tickers, whose `wants` have to be found anew."""
        self._views = self._views_on(books)
        self.refresh()

    def _views_on(self, books: Books) -> MinuteViews:
        return MinuteViews(books)

    def _participant(self, rank: int, spec: StrategySpec) -> Participant:
        lanes = [self._lanes.lane(spec, ticker) for ticker in spec.tickers]
        seats = {
            ticker: Seat(order, lane, lane.places[rank])
            for order, (ticker, lane) in enumerate(zip(spec.tickers, lanes, strict=True))
        }
        account = self._books.ledger[spec.name]
        return Participant(rank, spec, spec.name, account, seats, spec.limits.watches)

    def changed(self, specs: Sequence[StrategySpec]) -> Router:
        """A router of other strategies in the same minute; those that go on keep their View of it.

        A strategy that joins a ticker begins its minute with its own first bar of it, whatever bars
        others had.
        """
        new = type(self)(self._books, specs, self._lanes, self._assets)
        new._views.take_over(self._views)
        for name, one in new._by_name.items():
            if name in self._by_name:
                one.view = self.last_view(name)
                new._stale += [(one, ticker) for ticker in one.seats]
            if self._views.is_discarded(name):
                new._ask_always.add(one.rank)
        new.refresh()
        return new

    def to_ask(
        self, symbols: Sequence[str], decided: Collection[str], minute: datetime
    ) -> Iterator[Participant]:
        """The strategies that may act on bars of `symbols`, by rank, each in its turn.

        Signals count on the `decided` tickers only. All strategies on `symbols` are due a View of
        this minute from now on.
        """
        self._views.begin(symbols, minute)
        ranks = self._lanes.may_act(decided)
        ranks |= self._lanes.roster.stopped(symbols)
        if self._ask_always:
            for symbol in symbols:
                ranks |= self._on.get(symbol, _NONE) & self._ask_always
        for rank in sorted(ranks):
            self._views.turn(rank)
            yield self._participants[rank]
        self._views.turn()

    def view(self, one: Participant, minute: datetime) -> MinuteView:
        """The strategy's View of this minute, or of a later one in which it had a bar already."""
        return self._views.of(one, minute)

    def last_view(self, strategy: str) -> MinuteView | None:
        """The View of the newest minute in which one was due."""
        one = self._by_name[strategy]
        self._views.make_due(one)
        return one.view

    def note_asked(self, one: Participant, view: MinuteView, satisfied: Iterable[str]) -> None:
        """Note that a strategy was asked; on `satisfied` tickers it is long as its signal says.

        A guarded one without a position or an open order need not be asked again until its book
        changes.
        """
        self._views.note_asked(one.name)
        self._stale += [(one, ticker) for ticker in satisfied]
        if not one.guarded or self._rests(one, view):
            self._ask_always.discard(one.rank)

    def _rests(self, one: Participant, view: MinuteView) -> bool:
        """Whether a strategy has no position and no order, and its View shows that."""
        account = one.account
        return (
            not (account.positions or view.positions)
            and account.cash is view.cash
            and not self._books.orders.open_of(one.name)
        )

    def before(self, record: r.Record) -> None:
        """Prepare for the change that this record is about to make to the books."""
        match record:
            case r.OrderIntended():
                self._will_change(record.strategy, record.symbol, new_order=True)
            case r.FillBooked() if record.strategy == UNASSIGNED:  # it may end a strategy's order
                self._will_change_owner(record.client_order_id)
            case r.FillBooked() if record.reverses or not self._is_open(record.client_order_id):
                self._will_be_moved(record.strategy, record.symbol)
            case r.FillBooked():
                self._will_change(record.strategy, record.symbol)
            case r.ActivityBooked():
                self._will_be_moved(record.strategy, record.symbol)
            case r.OrderMoved() | r.OrderReleased() | r.CancelRequested():
                self._will_change_owner(record.client_order_id)
            case r.OrderAdopted():
                self._will_change_owner(record.replaces, by_hand=True)
            case r.DayRolled():
                self._will_change(record.strategy)
            case r.Transferred():
                self._will_be_moved(record.source)
                self._will_be_moved(record.target)
            case (
                r.BarsSeen()
                | r.HistorySeen()
                | r.EntryDenied()
                | r.EntriesStopped()
                | r.AccountAdopted()
                | r.Reconfigured()
                | r.SessionOpened()
                | r.SessionResumed()
                | r.SessionEnded()
                | r.DiscrepancyFound()
                | r.DiscrepancyResolved()
                | r.Killed()
                | r.Revived()
                | r.Paused()
                | r.FlattenRequested()
                | r.Resumed()
            ):
                pass  # these change no order, and no book of a strategy here
            case _:
                assert_never(record)

    def refresh(self) -> None:
        """Find anew which signals matter to the strategies whose books have changed."""
        if self._stale:
            stale, self._stale = self._stale, []
            for one, ticker in stale:
                self._refresh(one, ticker)

    def _refresh(self, one: Participant, ticker: str) -> None:
        """Find which signals on a ticker matter to a strategy.

        A sell does if there is a position or an open order. A buy does if there is neither, if the
        View at the next bar may show neither, or if the strategy is guarded.
        """
        held = one.account.positions.get(ticker)
        ordered = bool(self._books.orders.open_of(one.name, ticker))
        has = ordered or (held is not None and self._assets[ticker].can_order(held.qty))
        buys = one.guarded or not has or not self._will_show(one.view, ticker)
        self._lanes.wants.put(one.seats[ticker].place, buys=buys, sells=ordered or held is not None)

    def _will_show(self, view: MinuteView | None, ticker: str) -> bool:
        """Whether the View at a ticker's next bar will show the position or order there is now.

        The existing View will not, if another ticker began its minute, and the position or order
        came after that.
        """
        if view is None or ticker in view.busy:
            return True
        begun = self._views.begun.get(ticker)
        if begun is not None and view.minute <= begun:
            return True  # a new one will be made
        held = view.positions.get(ticker)
        return held is not None and self._assets[ticker].can_order(held.qty)

    def _will_change_owner(self, client_order_id: str, *, by_hand: bool = False) -> None:
        """Prepare for a change of an order's book, unless the order is another coordinator's."""
        order = self._books.orders.get(client_order_id)
        if order is not None:
            will = self._will_change if order.is_open and not by_hand else self._will_be_moved
            will(order.strategy, order.symbol)

    def _is_open(self, client_order_id: str) -> bool:
        """Whether it is an open order of ours, for which Views keep cash back."""
        order = self._books.orders.get(client_order_id)
        return order is not None and order.is_open

    def _will_be_moved(self, strategy: str, symbol: str = "") -> None:
        """Prepare for a change of a book that is not made by its own open orders.

        It is a human's, the broker's or another coordinator's: a transfer, a fee, a split, a bust,
        an order put in another's place, news of one that had ended. It counts at once, so that what
        is gone is not spent in this minute.
        """
        self._will_change(strategy, symbol)
        one = self._by_name.get(strategy)
        if one is not None:
            self._views.discard(one)
            self._ask_always.add(one.rank)

    def _will_change(self, strategy: str, symbol: str = "", *, new_order: bool = False) -> None:
        """Prepare for a change of a book: until `refresh`, any signal on `symbol` may matter to it.

        If the change is only a `new_order`, it is known at once which signals matter.
        """
        one = self._by_name.get(strategy)
        if one is None:
            return
        self._views.make_due(one)
        if one.guarded:
            self._ask_always.add(one.rank)
        seat = one.seats.get(symbol)
        if seat is None:
            return
        satisfied = new_order and not one.guarded and self._will_show(one.view, symbol)
        self._lanes.wants.put(seat.place, buys=not satisfied, sells=True)
        if not new_order:
            self._stale.append((one, symbol))


def news_of(
    bars: Sequence[Bar], plan: SessionPlan, last: Mapping[str, datetime]
) -> list[list[Bar]]:
    """The bars that are new and count, grouped by minute, oldest first, each group by ticker.

    `last` has the start of each ticker's newest bar. Of two bars of a ticker in one minute the
    later one counts.
    """
    found = []
    for start, by_symbol in sorted(_by_minute(bars).items()):
        stocks, crypto = plan.counting(start)
        ends = zip(by_symbol, map(last.get, by_symbol), strict=True)
        known = [s for s, at in ends if at is not None and at >= start]
        new = by_symbol.keys() - known if known else by_symbol
        group = [by_symbol[s] for s in sorted(new) if (crypto if "/" in s else stocks)]
        if group:
            found.append(group)
    return found


def _by_minute(bars: Sequence[Bar]) -> dict[datetime, dict[str, Bar]]:
    if len(set(map(start_of, bars))) == 1:  # as from one frame
        return {bars[0].start: dict(zip(map(symbol_of, bars), bars, strict=True))}
    minutes: dict[datetime, dict[str, Bar]] = {}
    for bar in bars:
        minutes.setdefault(bar.start, {})[bar.symbol] = bar
    return minutes
