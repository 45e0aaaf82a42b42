"""Which strategies a minute's bars are put to, and on what View of their books each decides.

Most bars can make most strategies do nothing: one that wants nothing new, and holds nothing that a
limit guards, is not asked and costs nothing here. That changes no decision.
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

_NOBODY: frozenset[int] = frozenset()


class Router:
    """Leads bars to the strategies that may act on them. A rank is a place in `specs`.

    `before` must be called with every record before the books change by it, and `refresh` once a
    message's records have all been applied.
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
        """Who is asked at every bar: who is guarded and holds or awaits something, or whose book
        has changed since it was asked; and whose View was untrue."""
        self._stale = [(one, ticker) for one in self._participants for ticker in one.seats]
        """Whose `wants` on which tickers have to be found anew."""
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
        """The same minute for other strategies; those that go on see in it what they saw.

        Whoever joins a ticker begins its minute with its own first bar of it, whatever others had.
        """
        new = type(self)(self._books, specs, self._lanes, self._assets)
        new._views.go_on(self._views)
        for name, one in new._by_name.items():
            if name in self._by_name:
                one.view = self.last_view(name)
                new._stale += [(one, ticker) for ticker in one.seats]
            if self._views.is_untrue(name):
                new._ask_always.add(one.rank)
        new.refresh()
        return new

    def to_ask(
        self, symbols: Sequence[str], decided: Collection[str], minute: datetime
    ) -> Iterator[Participant]:
        """Whom these bars may move, by rank, each in its turn; on `decided` ones signals count.

        From now on the Views of everybody on these tickers are of this minute.
        """
        self._views.begin(symbols, minute)
        ranks = self._lanes.moved(decided)
        ranks |= self._lanes.roster.stopped(symbols)
        if self._ask_always:
            for symbol in symbols:
                ranks |= self._on.get(symbol, _NOBODY) & self._ask_always
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

    def note_asked(self, one: Participant, view: MinuteView, content: Iterable[str]) -> None:
        """A strategy was asked; on these tickers it wants what it holds already.

        Who is guarded need not be asked again while it holds and awaits nothing, until its book
        changes.
        """
        account, name, rank = one.account, one.name, one.rank
        if self._views.was_asked(name) and not one.guarded:
            self._ask_always.discard(rank)
        self._stale += [(one, ticker) for ticker in content]
        if one.guarded and not (account.positions or view.positions):
            awaits = self._books.orders.open_of(name)
            if not awaits and account.cash is view.cash:
                self._ask_always.discard(rank)

    def before(self, record: r.Record) -> None:
        """The books are about to change by this record."""
        match record:
            case r.OrderIntended():
                self._will_change(record.strategy, record.symbol, awaits=True)
            case r.FillBooked() if record.strategy == UNASSIGNED:  # of our order, perhaps: it ends
                self._will_change_owner(record.client_order_id)
            case r.FillBooked() | r.ActivityBooked():
                self._will_change(record.strategy, record.symbol)
            case r.OrderMoved() | r.OrderReleased() | r.CancelRequested():
                self._will_change_owner(record.client_order_id)
            case r.OrderAdopted():
                self._will_change_owner(record.replaces)
            case r.DayRolled():
                self._will_change(record.strategy)
            case r.Transferred():
                self._will_change(record.source)
                self._will_change(record.target)
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
                pass  # no book of a strategy that is asked here, and no order
            case _:
                assert_never(record)

    def after_busts(self, records: Iterable[r.Record]) -> None:
        """What an execution brought and a bust took back is not spent, in this minute either."""
        for record in records:
            if isinstance(record, r.FillBooked) and record.reverses:
                one = self._by_name.get(record.strategy)
                if one is not None:
                    self._views.take_back(one)
                    self._ask_always.add(one.rank)

    def refresh(self) -> None:
        """Find anew which signals matter to whose books have changed."""
        if self._stale:
            stale, self._stale = self._stale, []
            for one, ticker in stale:
                self._refresh(one, ticker)

    def _refresh(self, one: Participant, ticker: str) -> None:
        """Who holds and awaits nothing has nothing to sell; who does buys nothing, unless a limit
        watches, or its View of the ticker's next bar may be one that knows of neither."""
        number = one.seats[ticker].number
        held = one.account.positions.get(ticker)
        awaits = any(o.symbol == ticker for o in self._books.orders.open_of(one.name))
        has = awaits or (held is not None and self._assets[ticker].can_order(held.qty))
        buys = one.guarded or not has or not self._will_know(one.view, ticker)
        self._lanes.wants.put(number, buys=buys, sells=awaits or held is not None)

    def _will_know(self, view: MinuteView | None, ticker: str) -> bool:
        """Whether the View at a ticker's next bar has what is held or awaited now.

        The one that was made has not, if it is of a minute that another ticker began, and what is
        held or awaited came after that.
        """
        if view is None or ticker in view.busy:
            return True
        begun = self._views.begun.get(ticker)
        if begun is not None and view.minute <= begun:
            return True  # a new one will be made
        held = view.positions.get(ticker)
        return held is not None and self._assets[ticker].can_order(held.qty)

    def _will_change_owner(self, client_order_id: str) -> None:
        """The book of an order's strategy is about to change; another coordinator's is not here."""
        order = self._books.orders.get(client_order_id)
        if order is not None:
            self._will_change(order.strategy, order.symbol)

    def _will_change(self, strategy: str, symbol: str = "", *, awaits: bool = False) -> None:
        """A book is about to change; until `refresh`, any signal on the symbol may matter to it.

        Where it only `awaits` an order that is about to stand, what matters is known at once.
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
        content = awaits and not one.guarded and self._will_know(one.view, symbol)
        self._lanes.wants.put(seat.number, buys=not content, sells=True)
        if not awaits:
            self._stale.append((one, symbol))


def news_of(
    bars: Sequence[Bar], plan: SessionPlan, last: Mapping[str, datetime]
) -> list[list[Bar]]:
    """What is new of these bars and counts, by minute, oldest first, and in it by ticker.

    `last` has the start of each ticker's newest bar. Of two bars of one minute the later counts.
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
