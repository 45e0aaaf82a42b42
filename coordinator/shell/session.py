"""One session, from the first request to the broker to the last: start, trade, end.

Blocking steps run on a worker thread, so that a stop is noticed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from coordinator.core import records as r
from coordinator.core.funding import unmoved
from coordinator.core.lane import tickers_of
from coordinator.core.live_view import strategy_views
from coordinator.core.opening import SessionName, open_session
from coordinator.core.reconcile import comparable_cash
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import Bar, of_market
from coordinator.errors import BrokerError, SafetyRefusal
from coordinator.shell import startup
from coordinator.shell.account import Bars
from coordinator.shell.agreement import Settling, agree, agree_at_the_end
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock
from coordinator.shell.coordinator import LiveSession
from coordinator.shell.folders import JOURNAL
from coordinator.shell.gc_pauses import few_gc_pauses
from coordinator.shell.narrator import Narrator, tell_edited
from coordinator.shell.patience import answered, unless_stopped, when_stopped
from coordinator.shell.ports import Ports, Stream, stop_all
from coordinator.shell.reloading import Reloading
from coordinator.shell.run import Run, RunResult, Started
from coordinator.shell.shadows import NO_SHADOWS, Beginning, Shadows
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import quiet_sdk
from coordinator.shell.symbol_limit import explain_refusal
from coordinator.shell.watchdog import Watchdog

log = logging.getLogger("coordinator")
DEAD_SLOT_S = 90.0
"""Local seconds for which a connection that broke off still holds its slot at Alpaca."""
BARS_DEADLINE_S, ORDERS_DEADLINE_S = DEAD_SLOT_S + 40.0, DEAD_SLOT_S
"""Local seconds in which a stream must come up. The SDK may try again half a minute after a slot
became free: without bars there is no session, without the order stream REST is asked."""
STOP_S = 10.0
"""Local seconds after which a session that is stopped repeats no request for the account."""


async def trade_session(run: Run, stop: asyncio.Event, ports: Ports) -> RunResult | None:
    """Run a session; None when no market of the strategies opens any more today.

    None, too, if it is to stop before it has opened the journal of a session.

    Raises:
        OperatorError: refused for safety, or the broker rejects something in the configuration.
        BrokerError: the broker could not be reached, or a stream was lost.
    """
    with quiet_sdk():
        goes_on = False
        while True:
            with ExitStack() as resources:
                start = partial(_start, run, ports, resources, stop, goes_on=goes_on)
                started = await answered(start, ports, resources, stop, waits=goes_on)
                if started is None:
                    return None
                if (result := await _play(run, ports, started, stop)) is not None:
                    return result
            log.info("00:00 UTC: the session starts again, with all bars from before it")
            goes_on = True


async def _play(run: Run, ports: Ports, started: Started, stop: asyncio.Event) -> RunResult | None:
    """Play a session that has started; None if it is to start again (`Started.is_outdated`)."""
    narrator = Narrator(started.engine.books, run.setup.specs)
    narrator.banner(paper=run.setup.mode != "live")
    narrator.carried_over()
    live = live_session(run, ports, started, narrator)
    narrator.warmth(started.engine.lanes)
    status = await _trade(run, ports, live, started, stop)
    if started.is_outdated and not stop.is_set():
        return None
    found = await ports.workers.run(lambda: end_session(run, ports, started, status))
    narrator.tell(found)
    summary = narrator.summary() + started.shadows.summary()
    views = tuple(strategy_views(started.engine.books)), started.shadows.views()
    return RunResult(status, started.account, started.session_id, summary, len(found), *views)


def live_session(run: Run, ports: Ports, started: Started, narrator: Narrator) -> LiveSession:
    """The loop of a session that has started."""
    return LiveSession(
        engine=started.engine,
        journal=started.journal,
        session_id=started.session_id,
        ports=ports,
        clock=started.clock,
        make_broker=lambda pace: run.broker(ports, pace),
        narrator=narrator,
        shadows=started.shadows,
    )


async def _trade(
    run: Run, ports: Ports, live: LiveSession, started: Started, stop: asyncio.Event
) -> r.SessionEnd:
    """Connect the streams, repair what was missed meanwhile, and trade.

    If it is to stop while they come up, it goes on to the session's end without them.
    """
    async with AsyncExitStack() as surroundings:
        streams: list[Stream] = []
        surroundings.push_async_callback(stop_all, streams)
        for stream in _streams(run, ports, live):
            if stop.is_set():
                break
            streams.append(stream)
            stream.start(live.on_stream_end)
            await unless_stopped(_come_up(stream, live.watchdog, run), stop)
        live.resume(started.unsent)
        if run.source is not None and started.whole_at is None:
            reloading = Reloading(run, run.source, ports, live, started, streams)
            live.clerk.reloading = reloading
            surroundings.push_async_callback(reloading.stop)
        for observer in run.observers:
            await surroundings.enter_async_context(observer(live.clerk))
        stopper = asyncio.create_task(when_stopped(stop, live.request_stop))
        try:
            with few_gc_pauses(collect_first=True):
                return await live.run(lambda: started.is_outdated)
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)


async def _come_up(stream: Stream, watchdog: Watchdog, run: Run) -> None:
    """Wait until a stream is live. A session can do without the order stream: it asks REST then.

    Raises:
        SafetyRefusal: the slot is taken, or the plan has too few symbols for these strategies.
        BrokerError: refused for another reason, or nothing came.
    """
    is_orders = watchdog.is_orders(stream.watch)
    try:
        await stream.watch.until_live(ORDERS_DEADLINE_S if is_orders else BARS_DEADLINE_S)
    except (BrokerError, SafetyRefusal) as error:
        if stream.watch.is_too_small:
            wanted, granted = watchdog.tickers_of(stream.watch), stream.watch.granted
            raise SafetyRefusal(
                explain_refusal(run.setup.all_specs, run.setup.feed, wanted, granted)
            ) from None
        if not is_orders:
            raise
        log.warning("[%s] not available; asking REST instead: %s", stream.watch.name, error)


def _streams(run: Run, ports: Ports, live: LiveSession) -> Iterable[Stream]:
    """The order stream first, so that no fill of ours is missed; then a stream per market."""
    reconnected = live.gap_repair.ask_for_all
    watch = StreamWatch("orders", reconnected, live.handlers.on_order_garbage)
    live.watchdog.watch_orders(watch)
    yield ports.order_stream(run.settings, live.handlers.on_order_update, watch)
    tickers = run.setup.tickers
    for name, crypto in (("stock bars", False), ("crypto bars", True)):
        symbols = of_market(tickers, crypto=crypto)
        if symbols:
            watch = StreamWatch(name, reconnected, live.handlers.on_bar_garbage)
            stream = ports.market_stream(
                run.settings, run.setup.feed, symbols, live.handlers.on_bars, watch
            )
            live.watchdog.watch_market(watch, symbols, stream.restart)
            yield stream


class Reached(NamedTuple):
    """A broker that answers: its account's number, a clock set to its time `now`, its sessions."""

    broker: Broker
    account: str
    clock: BrokerClock
    now: datetime
    sessions: list[Hours]


def reach(run: Run, ports: Ports) -> Reached:
    """Ask the broker who and when it is; blocking.

    Raises:
        SafetyRefusal: its account is not one that this run may use.
        BrokerError: it does not answer.
    """
    broker = run.broker(ports)
    account = broker.account()
    run.check_account(account.number)
    Bars(told=()).tell(account, run.setup.tickers)
    clock = BrokerClock(run.speed, ports.monotonic)
    now = broker.clock()
    clock.advance(now)
    return Reached(broker, account.number, clock, now, startup.read_sessions(broker, now))


def _start(
    run: Run, ports: Ports, resources: ExitStack, stop: asyncio.Event, *, goes_on: bool
) -> Started | None:
    """Everything before the first stream; blocking. A session that `goes_on` traded until now."""
    broker, account, clock, now, sessions = reach(run, ports)
    tickers = run.setup.tickers
    plan = startup.plan(now, sessions, tickers)
    if plan is None:
        _close_unfinished(run, ports, broker, account, now)
        return None
    whole_at = startup.whole_at(plan, clock)
    known = startup.read_assets(broker, tickers, run.setup.all_specs)
    assets = {ticker: known[ticker] for ticker in tickers_of(run.setup.specs)}
    if stop.is_set():
        return None
    names = [spec.name for spec in run.setup.specs]
    settling, seen = open_books(run, ports, broker, account, resources, names)
    books = settling.books
    unsent = agree(settling, assets, now, goes_on=goes_on)
    name = run.session_name(account, plan)
    is_new = open_in_journal(settling, run, plan, name, now)
    assets |= startup.read_held_assets(broker, books, assets)
    engine = run.engine(books, assets, plan, sessions)
    so_far = startup.bars_so_far(broker, tickers, plan, now) if is_new else seen
    needs = startup.warm_up_needs(run.setup.all_specs, plan)
    file = startup.warm_up_file(run.settings.home, account, plan.date)
    history = startup.fetch_history(broker, sessions, needs, file)
    ours = startup.history_of(run.setup.specs, plan, history)
    settling.keep(name.session_id, startup.warm_up(engine, ours, so_far, now))
    started = Started(
        account=account,
        session_id=name.session_id,
        engine=engine,
        journal=settling.journal,
        now=now,
        clock=clock,
        unsent=unsent,
        whole_at=whole_at,
    )
    started.shadows = _shadows(run, started, sessions, history, so_far)
    resources.callback(started.shadows.close)
    return started


def _shadows(
    run: Run,
    started: Started,
    hours: Sequence[Hours],
    history: Mapping[str, Sequence[Bar]],
    so_far: Sequence[Bar],
) -> Shadows:
    """The shadow strategies beside a session that has started."""
    if run.shadowing is None:
        return NO_SHADOWS
    beginning = Beginning(
        account=started.account,
        session_id=started.session_id,
        plan=started.engine.plan,
        hours=hours,
        journal=started.journal.path,
        history=history,
        so_far=so_far,
        now=started.now,
    )
    return run.shadowing(run, beginning)


def open_books(
    run: Run,
    ports: Ports,
    broker: Broker,
    account: str,
    resources: ExitStack,
    strategies: Collection[str] = (),
) -> tuple[Settling, list[Bar]]:
    """An account's books as its journal has them, and the bars as `startup.replay` returns them.

    The journal stays open as long as `resources`.
    """
    path = run.settings.home / account / JOURNAL
    journal = ports.open_journal(path, account, run.setup.coordinator)
    resources.callback(journal.close)
    books, seen = startup.replay(journal, run.setup.coordinator, strategies)
    return Settling(books, journal, broker, ports.sleep, run.setup.crypto_fee_rate), seen


def open_in_journal(
    settling: Settling, run: Run, plan: SessionPlan, name: SessionName, now: datetime
) -> bool:
    """Begin the session in the journal, or go on with it; returns whether it is a new one."""
    books = settling.books
    is_new = books.session is None or books.session.session_id != name.session_id
    if is_new:
        settling.end_unfinished(now)
    startup.advance_sequences(books, settling.broker, plan.date)
    began = settling.decide(
        name.session_id, lambda: open_session(books, run.setup.specs, plan, name, now)
    )
    tell_edited(began)
    for strategy, waits in unmoved(books, run.setup.specs).items():
        log.warning("[%s] %s", strategy, waits)
    return is_new


def _close_unfinished(run: Run, ports: Ports, broker: Broker, account: str, now: datetime) -> None:
    """End a session that died after its last minute, once its books agree with the broker."""
    if not (run.settings.home / account / JOURNAL).exists():
        return
    with ExitStack() as resources:
        settling, _ = open_books(run, ports, broker, account, resources)
        if settling.books.session is not None and settling.books.ended is None:
            agree(settling, {}, now)
            settling.end_unfinished(now)


def end_session(
    run: Run, ports: Ports, started: Started, status: r.SessionEnd
) -> list[r.DiscrepancyFound]:
    """Compare with the broker once more, and end the session in the journal.

    Where it was asked to stop, a broker that does not answer is soon given up: the next start
    compares again.
    """
    books = started.engine.books
    found: list[r.DiscrepancyFound] = []
    cash: Decimal | None = None
    positions: Mapping[str, Decimal] = {}
    now = books.last_at or started.now
    repeats_s = STOP_S if status is r.SessionEnd.STOPPED_EARLY else math.inf
    broker = run.broker(ports, repeats_s=repeats_s)
    settling = Settling(books, started.journal, broker, ports.sleep, run.setup.crypto_fee_rate)
    try:
        seen, found = agree_at_the_end(settling, started.engine, started.session_id)
        cash = comparable_cash(books.ledger, seen)
        positions, now = seen.positions, seen.now
    except BrokerError as error:
        log.error("the broker could not be asked for the account at the end: %s", error)
    new = [f for f in found if f.discrepancy_id not in books.frozen]
    ended = r.SessionEnded(now, started.session_id, status, cash, positions)
    books.apply_all([*new, ended])
    settling.keep(started.session_id, [*new, ended])
    started.shadows.end(status)
    return found
