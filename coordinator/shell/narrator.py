"""The user's log: the banner, lines for what the journal recorded, and the final summary.

A line is written once something is a fact, never in expectation of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.amounts import dollars, units
from coordinator.core.books import NEW_INITIAL_CASH, Books
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.live_view import DORMANT, session_strategies, strategy_views
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import UNASSIGNED, ZERO, Side, exactly, is_crypto
from coordinator.shell.log_files import About

log = logging.getLogger("coordinator")
RULE = "=" * 80
_Operator = r.DiscrepancyResolved | r.Killed | r.Revived | r.Paused | r.FlattenRequested | r.Resumed
_SIGNS = {Side.BUY: "🟢 BUY", Side.SELL: "🔴 SELL"}


class Narrator:
    """Turns records into log lines, and books into a summary."""

    def __init__(self, books: Books, specs: Sequence[StrategySpec]) -> None:
        self._books = books
        self._specs = specs
        self._told: set[str] = set()
        self._warming = {spec.name for spec in specs}

    def banner(self, *, paper: bool) -> None:
        """Log the start-up lines: the mode and each strategy."""
        log.info(RULE)
        session = self._books.session.session_id if self._books.session else ""
        log.info("Starting MultiTraderCoordinator", extra=About(session=session))
        log.info("Paper Trading: %s", paper)
        log.info("Strategies: %d", len(self._specs))
        log.info(RULE)
        for spec in self._specs:
            log.info("  [%s]", spec.name)
            log.info("    Tickers: %s", ", ".join(spec.tickers))
            log.info("    Initial Cash: %s", dollars(spec.initial_cash))
            log.info("    Warmup Bars: %d", spec.min_warmup_bars)
            log.info("    Asset Type: %s", asset_type(spec))

    def carried_over(self) -> None:
        """Log what a start finds: books that go on, and a kill or pause that still holds.

        A position whose strategy or ticker has left this configuration is a warning: no stop guards
        it any more. Those of another coordinator's strategies are guarded there.
        """
        if self._books.halts.killed:
            log.warning("KILLED: nothing is bought until `multi-trader revive`")
        traded = {spec.name: spec.tickers for spec in self._specs}
        for view in strategy_views(self._books):
            if view.name not in traded:
                continue
            if view.positions or view.cash != view.initial_cash:
                has = ", ".join([dollars(view.cash), *_held(view.positions)])
                text = "[%s] goes on with %s; entries today: %d"
                log.info(text, view.name, has, view.daily_trades)
            if view.halted:
                text = "[%s] is %s: it opens nothing until `multi-trader resume %s`"
                log.warning(text, view.name, view.halted, view.name)
            if view.stopped:
                log.warning("[%s] entries stopped: %s", view.name, view.stopped)
        for name, account in self._books.ledger.accounts.items():
            tickers, held = traded.get(name, ()), account.positions
            left = {symbol: held[symbol].qty for symbol in held if symbol not in tickers}
            if left and name != UNASSIGNED:
                level = logging.WARNING if name in self._books.days else logging.INFO
                text = "[%s] holds what this session neither trades nor guards: %s"
                log.log(level, text, name, ", ".join(_held(left)))

    def follow(self, specs: Sequence[StrategySpec]) -> None:
        """Report on these strategies from now on."""
        known = {spec.name for spec in self._specs}
        self._specs = specs
        self._warming |= {spec.name for spec in specs if spec.name not in known}

    def warmth(self, lanes: Lanes) -> None:
        """Log once for each strategy that all its tickers have their warm-up bars.

        Not for one that failed on them: it does not trade until a reload has mended it.
        """
        for spec in self._specs if self._warming else ():
            if spec.name not in self._warming or lanes.fault(spec):
                continue
            waiting = [t for t in spec.tickers if lanes.bars_seen(t) < spec.min_warmup_bars]
            if not waiting:
                self._warming.discard(spec.name)
                log.info("[%s] ✓ Warmup complete - TRADING ACTIVE", spec.name)

    @exactly
    def tell(self, records: Iterable[r.Record]) -> None:
        """Log what these records report."""
        for record in records:
            match record:
                case r.OrderMoved():
                    self._tell_order(record.client_order_id, record.reason)
                case r.FillBooked() if record.reverses:
                    done = "taken back" if record.qty < 0 else "corrected to"
                    text = "[%s] ⚠ an execution was %s: %s"
                    what = _execution(record)
                    log.warning(text, record.strategy, done, what, extra=_about(record))
                case r.FillBooked() if record.strategy == UNASSIGNED:
                    what, left = _execution(record), self._still_booked(record.symbol)
                    text = "[%s] ⚠ not ordered by any strategy: %s%s"
                    log.warning(text, UNASSIGNED, what, left, extra=_about(record))
                case r.FillBooked():
                    self._tell_order(record.client_order_id)
                case r.OrderAdopted():
                    self._tell_adoption(record)
                case r.ActivityBooked():
                    _tell_activity(record)
                case r.EntryDenied():
                    name, why, text = record.strategy, record.reason, "[%s] entry in %s denied: %s"
                    log.info(text, name, record.symbol, why, extra=_about(record))
                case r.EntriesStopped():
                    log.warning("[%s] entries stopped: %s", record.strategy, record.reason)
                case r.Reconfigured() | r.Transferred():
                    tell_edited([record])
                case r.DiscrepancyFound():
                    about = About(ticker=record.symbol)
                    log.error("⚠ discrepancy: %s", record.note, extra=about)
                case (
                    r.DiscrepancyResolved()
                    | r.Killed()
                    | r.Revived()
                    | r.Paused()
                    | r.FlattenRequested()
                    | r.Resumed()
                ):
                    _tell_operator(record)
                case _:
                    pass

    def tell_others(self, records: Iterable[r.Record]) -> None:
        """Log what another process wrote, where it concerns the account as a whole."""
        for record in records:
            if isinstance(record, _Operator):
                _tell_operator(record)

    @exactly
    def summary(self) -> str:
        """The guide's shutdown summary, with Day PnL beside PnL.

        Strategies of the session that the configuration has no more come last.
        """
        lines = [RULE, "MULTI-TRADER COORDINATOR SUMMARY", RULE]
        titles = {spec.name: spec.name for spec in self._specs}
        dormant = [name for name in session_strategies(self._books) if name not in titles]
        titles |= {name: f"{name} ({DORMANT})" for name in dormant}
        total = Decimal(0)
        for name, title in titles.items():
            total += self._books.ledger.pnl(name)
            lines += ["", *lines_of(self._books, name, title)]
        lines += ["", RULE, f"TOTAL PnL ACROSS ALL STRATEGIES: {dollars(total)}", RULE]
        return "\n".join(lines)

    def _tell_adoption(self, adopted: r.OrderAdopted) -> None:
        order = self._books.order(adopted.client_order_id)
        what = f"{order.side.value} {quantity(adopted.qty)} {order.symbol}"
        log.warning(
            "[%s] ⚠ order %s was replaced by hand: it is %s now (Order ID: %s)",
            order.strategy,
            adopted.replaces,
            what,
            adopted.broker_order_id,
            extra=_about(order),
        )

    def _still_booked(self, symbol: str) -> str:
        """Of which strategies a human has sold a ticker, and what to do; '' if of none."""
        held = self._books.ledger.units(symbol)
        if held.get(UNASSIGNED, ZERO) >= 0:
            return ""
        names = ", ".join(sorted(name for name, qty in held.items() if qty > 0))
        told = f"; it stays in the book of {names} until `multi-trader import-account` takes it out"
        return told if names else ""

    def _tell_order(self, client_order_id: str, reason: str = "") -> None:
        """One line when an order's end and all its fills are known."""
        order = self._books.orders.get(client_order_id)
        if order is None or order.is_open or client_order_id in self._told:
            return
        self._told.add(client_order_id)
        if order.booked_qty:
            price = order.filled_avg_price or order.decision_price
            what = f"{_SIGNS[order.side]} {quantity(order.booked_qty)} {order.symbol}"
            whole = "" if order.status is OrderStatus.FILLED else f" ({order.status.value})"
            number = order.broker_order_id or client_order_id
            line = f"[{order.strategy}] {what} @ {price_of(price)} (Order ID: {number}){whole}"
            log.info("%s", line, extra=_about(order))
        else:
            name, why = order.strategy, reason or order.status.value
            what = f"{order.side.value} {quantity(order.qty)} {order.symbol}"
            text = "[%s] %s ended without a fill: %s"
            log.warning(text, name, what, why, extra=_about(order))


@exactly
def lines_of(books: Books, name: str, title: str) -> list[str]:
    """One strategy's part of the summary."""
    ledger = books.ledger
    account, pnl = ledger[name], ledger.pnl(name)
    held = sum((order.hold for order in books.orders.open_of(name)), Decimal(0))
    share = 100 * pnl / account.initial_cash
    moved, stopped = account.transferred, books.days[name].stopped
    return [
        f"[{title}]",
        f"  Initial Cash: {dollars(account.initial_cash)}",
        *([f"  Transfers: {dollars(moved)}"] if moved else []),
        f"  Available Cash: {dollars(account.cash - held)}",
        f"  Total Value: {dollars(ledger.equity(name))}",
        f"  PnL: {dollars(pnl)} ({share:+z.2f}%)",
        f"  Day PnL: {dollars(books.day_pnl(name))}",
        f"  Daily Trades: {books.days[name].entries}",
        f"  Active Positions: {len(account.positions)}",
        *([f"  Entries stopped: {stopped}"] if stopped else []),
    ]


def _held(positions: Mapping[str, Decimal]) -> list[str]:
    return [f"{quantity(qty)} {symbol}" for symbol, qty in positions.items()]


def _about(thing: Order | r.FillBooked | r.EntryDenied) -> About:
    """What a line is about, for programs that read the log."""
    return About(strategy=thing.strategy, ticker=thing.symbol, order_id=thing.client_order_id)


def _execution(fill: r.FillBooked) -> str:
    return f"{fill.side.value} {abs(fill.qty)} {fill.symbol} @ {fill.price}"


def _tell_activity(booked: r.ActivityBooked) -> None:
    """Log what moved a book besides fills; rounding, and fees booked with their fills, at DEBUG.

    Units transferred in or out are a warning: a strategy's ticker may have been renamed or merged.
    """
    was_accrued = booked.kind is r.ActivityKind.FEE and not (booked.amount or booked.qty)
    is_noise = was_accrued or booked.kind is r.ActivityKind.ROUNDING
    level = logging.DEBUG if is_noise else logging.INFO
    alarm = "⚠ " if booked.qty and booked.kind is r.ActivityKind.TRANSFER else ""
    moved = [dollars(booked.amount)] if booked.amount or not booked.qty else []
    moved += [f"{booked.qty:+f} {booked.symbol}"] if booked.qty else []
    of = f" of {booked.symbol}" if booked.symbol and not booked.qty else ""
    text, about = "[%s] %s%s%s: %s", About(ticker=booked.symbol)
    said = booked.strategy, alarm, booked.kind.value, of, ", ".join(moved)
    log.log(logging.WARNING if alarm else level, text, *said, extra=about)


def tell_edited(records: Iterable[r.Record]) -> None:
    """Log which of these changed a session's configuration, and what that moves and mends."""
    for record in records:
        if isinstance(record, r.Transferred) and record.kind == NEW_INITIAL_CASH:
            text = "[%s] transfer: %s, because its initial_cash was edited"
            log.info(text, record.target, dollars(record.amount))
        if isinstance(record, r.Reconfigured):
            log.info("the session goes on with another configuration (%s)", record.by)
            for name in record.mended:
                log.info("[%s] was changed since it failed today: it trades again", name)


def _tell_operator(record: _Operator) -> None:
    match record:
        case r.DiscrepancyResolved():
            log.info("✓ discrepancy %s is over: %s", record.discrepancy_id, record.how)
        case r.Killed():
            log.warning("⚠ KILL by %s: everything is cancelled and sold", record.by)
        case r.Revived():
            log.info("Revived by %s: strategies may buy again", record.by)
        case r.Paused():
            log.warning("[%s] paused by %s: it opens nothing", record.strategy, record.by)
        case r.FlattenRequested():
            log.warning("[%s] FLATTEN by %s: it sells, and is paused", record.strategy, record.by)
        case r.Resumed():
            log.info("[%s] resumed by %s: it may open again", record.strategy, record.by)


def asset_type(spec: StrategySpec) -> str:
    """Stock, Crypto, or both."""
    kinds = {"Crypto" if is_crypto(ticker) else "Stock" for ticker in spec.tickers}
    return kinds.pop() if len(kinds) == 1 else "Mixed"


def quantity(qty: Decimal) -> str:
    """At least four decimals, more where there are more."""
    text = units(qty)
    decimals = len(text.partition(".")[2])
    return text if decimals > 4 else f"{qty:.4f}"


def price_of(price: Decimal) -> str:
    """Two decimals, and up to four more where the price is small."""
    return f"${price:,.2f}" if price >= 1 else f"${price:.6f}"
