"""One seed's world: virtual time, the model at its centre, the session around it, the judge above.

The main line is `play`: the coordinator is started, dies and is started again until its session
is over; then, with all faults off, the next session's coordinator finds what was left.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from coordinator.core.statement import statement
from coordinator.errors import BrokerError
from coordinator.shell.budget import RequestBudget, Urgency
from coordinator.shell.journal_reading import read_session, read_sessions
from coordinator.shell.pace import NotYet
from coordinator.shell.rest import Api
from tests.proof.face import Face
from tests.proof.faults import Faults
from tests.proof.floor import Floor
from tests.proof.hand import Hand
from tests.proof.judge import Judge, net_pnl
from tests.proof.market import ONE_MINUTE, Listing
from tests.proof.model import Brokerage
from tests.proof.office import Office
from tests.proof.process import Process, replayed
from tests.proof.scenario import ACCOUNT, scenario
from tests.proof.trader import Trader
from tests.proof.virtual import VirtualLoop
from tests.proof.wire import WireStream, stream_bar

A_DAY_S = 86_400.0


class World:
    """Everything of one seed."""

    days = 1
    """On so many it is traded."""

    def __init__(
        self,
        seed: int,
        home: Path,
        loop: VirtualLoop,
        *,
        kills: Sequence[int] | None = None,
        talks: bool = False,
        minutes: int | None = None,
    ) -> None:
        self.seed, self.home, self.loop = seed, home, loop
        self.play = scenario(random.Random(f"{seed} scenario"), kills, minutes, self.days)
        self.chance = random.Random(f"{seed} chance")
        self.faults = Faults(random.Random(f"{seed} faults"), calm=seed % 10 == 0)
        self.tape = self.play.tape
        self.brokerage = Brokerage(
            ACCOUNT, self.play.cash, self.new_id, self._price, whole_cents=self.play.whole_cents
        )
        self.face = Face(
            self.brokerage,
            self.tape,
            self.play.hours,
            self.play.listings,
            self.now,
            cents_only=self.play.cents_only,
        )
        self.broker = Floor(self)
        self.office = Office(self)
        self.hand = Hand(self)
        strategies = [s for config in self.play.configs for s in config["strategies"]]
        self.judge = Judge(
            self.brokerage,
            {"strategies": strategies},
            cents_only=self.play.cents_only,
            coordinators=len(self.play.configs),
        )
        self.traders = [Trader(self, config) for config in self.play.configs]
        self.latest_s = 12.0
        self.boundaries = 0
        self.adopted = asyncio.Event()
        """Set once the account has books."""
        self.last_session = ""
        self.where: list[str] = []
        self.journal_path: Path | None = None
        self._kills = list(self.play.kills)
        self._is_traded = False
        self.hand.busy &= kills is None
        self._begin_with_something()
        path = home / "requests"
        self._budget = RequestBudget(path, monotonic=loop.time) if self.play.has_budget else None
        self._talks = talks

    def _begin_with_something(self) -> None:
        """In some worlds the account is in use when it is first seen: a human sells what it holds.

        Not where the broker hides parts of a cent, for then nobody can say what it held.
        """
        dice = random.Random(f"{self.seed} before")
        exact = self.play.whole_cents or not self.play.cents_only
        if dice.random() > 0.3 or not exact or self.faults.calm:
            return
        for listing in self.play.listings:
            qty = Decimal(dice.randrange(100, 900)) * listing.least
            self.brokerage.begin_with(listing.symbol, qty, 2 * qty)
        for _ in range(3):
            self.loop.call_at(dice.uniform(0.0, 1.5), partial(self.broker.by_hand, sells=True))

    # what the parts ask of their world

    def now(self) -> datetime:
        """The broker's time."""
        return self.play.begins + timedelta(seconds=self.loop.time())

    def latency_s(self) -> float:
        """Seconds on the wire, one way."""
        return self.chance.uniform(0.002, 0.08)

    def new_id(self) -> str:
        """An id of the broker's."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def fate(self, method: str) -> str:
        """What becomes of a request; '' if nothing happens to it."""
        kinds = ["refused by a gateway", "too many requests", "hung", "slow"]
        if method != "GET":
            kinds += ["answer lost", "answer 504", "answer garbled", "arrived late"]
        return next((kind for kind in kinds if self.faults.strikes(kind)), "")

    def dies_at(self, name: str) -> bool:
        """Whether the process is to die at this boundary."""
        self.boundaries += 1
        planned = bool(self._kills) and self.boundaries >= self._kills[0]
        if planned:
            self._kills.pop(0)
            self.faults.struck["killed"] += 1
        on_way = name.startswith(("POST", "DELETE", "message on orders"))
        if planned or (on_way and self.faults.strikes("killed on an order's way")):
            self.where.append(name)
            return True
        return False

    @property
    def is_funded(self) -> bool:
        """Whether every strategy has had its cash: until then the account's is not to be spent."""
        funded = self.judge.books
        return all(s.name in funded for trader in self.traders for s in trader.config.strategies)

    def streams(self, name: str) -> list[WireStream]:
        """Streams of this name of the process that lives now."""
        return [
            stream
            for process in self._living()
            for stream in process.streams
            if stream.watch.name == name
        ]

    def kill_soon(self) -> None:
        """Let the next process die while it recovers."""
        self._kills.insert(0, self.boundaries + self.chance.randrange(1, 60))

    def turn(self, api: Api, urgency: Urgency) -> float:
        """When a request may go out, for all coordinators of the account together."""
        if self._budget is None:
            return 0.0
        return self._budget.wait_s(urgency)

    def opens_in_s(self, listing: Listing) -> float | None:
        """Seconds until a ticker is traded: 0 while it is; None if not today."""
        now = self.now()
        if listing.crypto or any(h.opens <= now < h.closes for h in self.play.hours):
            return 0.0
        today = [h.opens for h in self.play.hours if now < h.opens < now + timedelta(hours=6)]
        return (min(today) - now).total_seconds() if today else None

    def note(self, what: str, more: Any = "") -> None:
        """Tell what happens, if anybody listens."""
        if self._talks:
            print(f"{self.now():%H:%M:%S.%f} #{self.boundaries} {what} {more}", flush=True)

    def blame_bug(self, error: BaseException | None) -> None:
        """The session raised what it must not."""
        lines = "".join(traceback.format_exception(error)[-3:]) if error else ""
        self.judge.blame(f"the session raised {error!r}\n{lines}")

    def work_failed(self, error: BaseException) -> None:
        """A worker's piece of work raised: the broker's faults may, nothing else."""
        if not isinstance(error, BrokerError | NotYet):
            self.blame_bug(error)

    def compare_memory(self, process: Process) -> None:
        """Invariant 11, for a process that stands still."""
        if process.engine is not None:
            tickers = process.config.tickers
            self.judge.compare_memory(process.engine.books, process.replayed(), tickers)

    # the play

    async def run(self) -> None:
        """The whole seed."""
        gc.collect()  # what earlier worlds left: no session of this one looks at it again
        self.loop.set_exception_handler(self._on_loop_error)
        await self._trade()
        self.faults.over = self._is_traded = True
        self._kills.clear()
        await asyncio.sleep(60.0)
        self.office.end_of_day()
        if self.play.is_away:
            await asyncio.sleep(A_DAY_S)
            self.office.while_nobody_trades()
        wait_s = (self.play.settles - self.now()).total_seconds()
        await asyncio.sleep(max(wait_s, 1.0))
        for trader in self.traders:
            await trader.settle()
        self._judge_all()

    async def _trade(self) -> None:
        """What is traded, from the first start to the last end."""
        self._schedule(self.play.begins)
        for hours in self.play.hours:
            if self.play.begins < hours.closes < self.play.settles + timedelta(days=1):
                self._at(hours.closes, self.broker.close)
        await asyncio.gather(*(self._begin(trader) for trader in self.traders))

    async def _begin(self, trader: Trader) -> None:
        """The first coordinator adopts the account before another one comes."""
        if trader is not self.traders[0]:
            left_s = (self.play.ends - self.now()).total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.adopted.wait(), left_s)
            await asyncio.sleep(self.chance.uniform(0.0, 20.0))
        await trader.trade()

    def _judge_all(self) -> None:
        if self.journal_path is None:
            return
        names = [trader.config.name for trader in self.traders]
        self.judge.at_rest([replayed(self.journal_path, n) for n in names], self.journal_path)
        for session_id, _ in read_sessions(self.journal_path):
            records = [entry.record for entry in read_session(self.journal_path, session_id)]
            try:
                rows = statement(records)["pnl_daily"]
            except Exception as error:
                self.judge.blame(f"{session_id} has no statement: {error!r}")
                continue
            for wrong in net_pnl(rows):
                self.judge.blame(f"{session_id}: {wrong}")

    def _schedule(self, begins: datetime) -> None:
        """A day's minutes with their bars, and the last word at its end."""
        ends = self.play.ends
        minute = begins.replace(second=0, microsecond=0) + ONE_MINUTE
        while minute <= ends + 2 * ONE_MINUTE:
            self._at(minute, self._minute, minute)
            minute += ONE_MINUTE
        self._at(ends + 5 * ONE_MINUTE, self._stop)

    def _at(self, moment: datetime, act: Any, *args: Any) -> None:
        self.loop.call_at((moment - self.play.begins).total_seconds(), act, *args)

    def _living(self) -> list[Process]:
        return [process for trader in self.traders if (process := trader.living) is not None]

    def _stop(self) -> None:
        """End what still trades, but not the process that only looks what is left of the day."""
        for process in [] if self._is_traded else self._living():
            process.stop.set()

    def _minute(self, ends: datetime) -> None:
        """A minute is over: its bars go out, and the world's misfortunes happen."""
        faults = self.faults
        if ends >= self.play.ends - 2 * ONE_MINUTE:
            faults.over = True
        for process in self._living():
            for stream in list(process.streams):
                stream.suffer()
            if faults.strikes("stopped"):
                process.stop.set()
            if process.journal is not None and faults.strikes("disk full"):
                process.journal.fill_disk()
        if self.adopted.is_set() and self.last_session:
            self.office.minute()
            self.hand.minute()
        for listing in self.play.listings:
            self._send_bar(listing, ends - ONE_MINUTE)

    def _send_bar(self, listing: Listing, start: datetime) -> None:
        bar, chance, faults = self.tape.at(listing.symbol, start), self.chance, self.faults
        for stream in self.streams("crypto bars" if listing.crypto else "stock bars"):
            if bar is None or faults.strikes("bar missing"):
                continue
            raw = stream_bar(listing.symbol, bar)
            after_s = chance.uniform(0.02, 0.4)
            if faults.strikes("bar late"):
                after_s += chance.uniform(1.0, 150.0)
            if faults.strikes("bar garbled"):
                raw |= {"c": chance.choice((None, "NaN", -5, 0, "x", 1e400))}
            stream.deliver(raw, after_s)
            if faults.strikes("bar doubled"):
                stream.deliver(raw, after_s + chance.uniform(0.0, 90.0))
            if faults.strikes("bar corrected"):
                stream.deliver(raw | {"T": "u", "c": raw["o"]}, after_s + chance.uniform(1.0, 45.0))

    def _price(self, symbol: str) -> Decimal:
        return Decimal(self.tape.price_cents(symbol, self.now())) / 100

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.judge.blame(f"on the loop: {context.get('message')} {context.get('exception')!r}")
