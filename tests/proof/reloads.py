"""Edits of a running configuration: `python -m tests.proof.reloads --seeds A..B`.

Each seed is played in two ways. In peace it is played three times: with edits, without any, and
with what the edits add from the start. Whoever no edit touches must do the same to the last byte,
and what joined must say from then on what it says that was there all the time. Under the faults of
the simulation, edits come by chance, move tickers and capital among strategies, and humans replace
open orders, and by plans give and take what strategies have (`plans.py`); the judge finds nothing
wrong and the warehouse takes every session. After a crash the session starts with the file before
the edit or with the one after it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coordinator.commands.accounts import Account
from coordinator.core import records as r
from coordinator.core.reload import Removal
from coordinator.core.values import exactly, is_crypto
from coordinator.readers import session_sources
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.reload_request import ReloadRequest
from tests.proof.plans import carried_out
from tests.proof.process import Process, read_config
from tests.proof.simulate import fresh_home, play_world
from tests.proof.trader import Trader
from tests.proof.world import World
from warehouse import LoadStatus, Store, load_sessions

OPERATOR = "operator"
OWN = (r.OrderIntended, r.OrderMoved, r.FillBooked, r.EntryDenied, r.EntriesStopped, r.DayRolled)
_DAYS = """
    SELECT strategy, sum(net_pnl), arg_max(end_equity, coalesce(joined_at, opened_at))
    FROM pnl_daily JOIN sessions USING (session_id) LEFT JOIN joined USING (session_id, strategy)
    WHERE strategy <> 'UNASSIGNED' GROUP BY strategy
"""
Document = dict[str, Any]
Signals = dict[tuple[datetime, str, str], int]


@dataclass
class Outcome:
    """What one play came to."""

    violations: list[str]
    edits: int
    own: dict[str, list[r.Record]]
    bars: list[Any]
    signals: Signals


class EditedWorld(World):
    """A world in which somebody edits the configuration; `edit` makes another one of it, or not."""

    edit: Callable[[EditedWorld, Document], Document | None]

    def begin_editing(self, edit: Callable[[EditedWorld, Document], Document | None]) -> None:
        """From now on this is what happens to files."""
        self.edit = edit
        self.dice = random.Random(f"{self.seed} edits")
        self.edits = 0
        self.plans = 0
        self.signals: Signals = {}
        self.asked: set[asyncio.Task[None]] = set()

    def _minute(self, ends: datetime) -> None:
        super()._minute(ends)
        for trader in self.traders:
            process = trader.living
            if process is None or process.clerk is None or process.clerk.reloading is None:
                continue
            self._hear(process)
            if self.faults.over or not self.adopted.is_set():
                continue
            document = self.edit(self, process.desk.config.as_document())
            if document is not None:
                task = asyncio.ensure_future(self._ask(trader, process, document))
                self.asked.add(task)
                task.add_done_callback(self.asked.discard)

    def _hear(self, process: Process) -> None:
        engine = process.engine
        assert engine is not None
        for spec in engine.specs:
            for ticker in spec.tickers:
                at = engine.books.last_bar.get(ticker)
                if at is not None:
                    signal = engine.lanes.lane(spec, ticker).signal
                    self.signals[at, spec.name, ticker] = signal

    async def _ask(self, trader: Trader, process: Process, document: Document) -> None:
        """Show it, and apply what was shown; the file may be found again by the next start."""
        clerk = process.clerk
        assert clerk is not None
        assert clerk.reloading is not None
        before, process.desk.config = process.desk.config, read_config(document)
        removal, stays = self.dice.choice(list(Removal)), self.dice.random() < 0.7
        try:
            told = await clerk.reloading.reload(ReloadRequest(OPERATOR, "", removal))
            if told.token:
                wanted = ReloadRequest(OPERATOR, "", removal, told.token)
                told = await clerk.reloading.reload(wanted)
        except asyncio.CancelledError:
            if stays:
                trader.config = process.desk.config
            return
        self.note("reload", told.said)
        if not told.done:
            process.desk.config = before
            return
        self.edits += 1
        if stays:  # else the next start has the file from before
            trader.config = process.desk.config


class WildWorld(EditedWorld):
    """Humans replace orders that were just sent; at the end the warehouse takes every session."""

    def _minute(self, ends: datetime) -> None:
        super()._minute(ends)
        if not self.faults.over and self.adopted.is_set():
            for _ in range(4):
                self.loop.call_later(self.dice.uniform(0.3, 5.0), self._replace)
            if self.dice.random() < 0.3:
                self.loop.call_later(self.dice.uniform(10.0, 40.0), self._plan)

    def _plan(self) -> None:
        assert self.journal_path is not None
        runs = [one for trader in self.traders for one in trader.config.active]
        name, now = f"plan-{self.plans}", self.now()
        closes = {listing.symbol: self._price(listing.symbol) for listing in self.play.listings}
        told = self.journal_path, self.last_session, name, runs, self.dice, now, closes
        records = carried_out(*told)
        self.plans += bool(records)
        self.note("a plan", records)
        self.judge.committed(records, now)

    def _replace(self) -> None:
        """A human gives an open order, a strategy's or his own, another quantity."""
        least = {listing.symbol: listing.least for listing in self.play.listings}
        orders = [
            order for order in self.brokerage.open_orders() if order.left >= 2 * least[order.symbol]
        ]
        if orders:
            order = self.dice.choice(orders)
            qty = order.left * self.dice.randrange(50, 101) / 100
            self.broker.replace_by_hand(order, round(qty, order.listing.places))

    def _judge_all(self) -> None:
        super()._judge_all()
        with Store.open(":memory:") as store:
            self._judge_warehouse(store)

    def _judge_warehouse(self, store: Store) -> None:
        """An empty warehouse takes in all that there is."""
        self._take_in(store)
        self._judge_days(store)

    def _take_in(self, store: Store) -> None:
        """Load every session that there is; each can be."""
        for loaded in load_sessions(store, session_sources(self.home)):
            if loaded.status is LoadStatus.INCOMPLETE:
                self.judge.blame(loaded.message)

    @exactly
    def _judge_days(self, store: Store) -> None:
        """What a strategy's days won is what its book has beyond what was put in."""
        if self.journal_path is None:
            return
        with Account.open(self.journal_path) as account:
            ledger = account.books.ledger
        for name, won, equity in store.connection.execute(_DAYS).fetchall():
            book = ledger[name]
            gained = equity - book.initial_cash - book.transferred
            if won != gained:
                self.judge.blame(f"the days of {name} won {won}, and its book {gained}")


class PeacefulWorld(EditedWorld):
    """Nothing goes wrong, and every message takes as long as any other."""

    def latency_s(self) -> float:
        """Always the same."""
        return 0.02


def _mute(strategy: Document, name: str) -> Document:
    """A strategy of the same type with indicators of its own, that never buys."""
    params = {
        key: value + 9 if key in ("lookback_period", "rsi_period", "long_window") else value
        for key, value in strategy["strategy_params"].items()
    }
    return {
        **deepcopy(strategy),
        "name": name,
        "strategy_params": params,
        "risk_config": {**strategy["risk_config"], "max_daily_trades": 0},
        "initial_cash": 50.0,
    }


def play_edited(
    world_type: type[EditedWorld],
    seed: int,
    edit: Callable[[EditedWorld, Document], Document | None],
    more: Callable[[Document], Document] = lambda document: document,
    *,
    peaceful: bool,
) -> Outcome:
    """Play a seed in such a world, with these edits."""
    with fresh_home() as (home, loop):
        world = world_type(seed, home, loop, kills=() if peaceful else None)
        world.begin_editing(edit)
        if peaceful:
            world.faults.rates.clear()
            world.hand.busy = False
        for trader in world.traders:
            trader.config = read_config(more(_document(world, trader.config.name)))
        known = [one for config in world.play.configs for one in _pool(config)]
        world.judge.know([*known, *(_mute(one, f"{one['name']}-mute") for one in known)])
        play_world(world)
        return _outcome(world)


def _document(world: World, name: str) -> Document:
    return next(config for config in world.play.configs if config["name"] == name)


def _outcome(world: EditedWorld) -> Outcome:
    path = world.journal_path
    own: dict[str, list[r.Record]] = {}
    bars: list[Any] = []
    for entry in read_kinds(path, *OWN, r.BarsSeen) if path is not None else ():
        record = entry.record
        if isinstance(record, r.BarsSeen):
            bars += record.bars
            continue
        name = getattr(record, "strategy", "") or getattr(record, "client_order_id", "")
        own.setdefault(name.partition(".")[0], []).append(record)
    return Outcome(world.judge.violations, world.edits, own, bars, world.signals)


# edits in peace: mute strategies come, change and go


def _peaceful_edit(world: EditedWorld, document: Document) -> Document | None:
    if world.dice.random() < 0.4:
        return None
    edited = deepcopy(document)
    first = [one for one in edited["strategies"] if not one["name"].endswith("-mute")]
    mutes = {one["name"]: one for one in edited["strategies"] if one["name"].endswith("-mute")}
    one = world.dice.choice(first)
    name = f"{one['name']}-mute"
    if name in mutes and world.dice.random() < 0.5:
        del mutes[name]
    else:
        mutes[name] = _mute(one, name)
        mutes[name]["min_warmup_bars"] = world.dice.randrange(4)
    edited["strategies"] = [*first, *(mutes[name] for name in sorted(mutes))]
    return edited


def _with_mutes(document: Document) -> Document:
    """Every mute strategy from the start."""
    mutes = [_mute(one, f"{one['name']}-mute") for one in document["strategies"]]
    return {**document, "strategies": [*document["strategies"], *mutes]}


def in_peace(seed: int) -> tuple[list[str], int]:
    """What is wrong with the edits of a seed in which nothing else happens, and how many were."""
    edited = play_edited(PeacefulWorld, seed, _peaceful_edit, peaceful=True)
    never = play_edited(PeacefulWorld, seed, lambda *_: None, peaceful=True)
    always = play_edited(PeacefulWorld, seed, lambda *_: None, _with_mutes, peaceful=True)
    wrong = [*edited.violations, *never.violations, *always.violations]
    for name, records in never.own.items():
        if edited.own.get(name) != records:
            wrong.append(f"{name} was not touched, and did otherwise")
    if edited.bars != never.bars:
        wrong.append("the session took in other bars")
    for (at, name, ticker), signal in edited.signals.items():
        meant = always.signals.get((at, name, ticker))
        if meant is not None and meant != signal:
            wrong.append(f"{name} says {signal} of {ticker} at {at}, and should say {meant}")
    return wrong, edited.edits


# edits among the faults: strategies of a pool come, change and go


def _pool(config: Document) -> list[Document]:
    """The strategies of a configuration, and as many again that could join."""
    again = [
        {**deepcopy(one), "name": f"{one['name']}b", "initial_cash": 150.0}
        for one in config["strategies"]
    ]
    return [*config["strategies"], *again]


def _wild_edit(world: EditedWorld, document: Document) -> Document | None:
    """Now and then another configuration, of the strategies of a pool and moved ones."""
    if world.dice.random() < 0.7:
        return None
    pool = _pool(_document(world, document["name"]))
    now = {one["name"]: one for one in document["strategies"]}
    every = sorted({ticker for one in pool for ticker in one["tickers"]})
    chosen = [
        _moved(world, now.get(one["name"], one), every) for one in pool if world.dice.random() < 0.6
    ]
    markets = {is_crypto(t) for one in document["strategies"] for t in one["tickers"]}
    if {is_crypto(t) for one in chosen for t in one["tickers"]} != markets:
        return None
    return {**document, "strategies": chosen}


def _moved(world: EditedWorld, strategy: Document, every: Sequence[str]) -> Document:
    """A strategy as it is, or with other tickers, or with some capital more or less."""
    dice, moved = world.dice, dict(strategy)
    if dice.random() < 0.3:
        moved["tickers"] = dice.sample(every, dice.randrange(1, len(every) + 1))
    if strategy["name"] in world.judge.books and dice.random() < 0.3:
        moved["initial_cash"] = max(moved["initial_cash"] + dice.choice((-50.0, 20.0)), 20.0)
    return moved


def among_faults(seed: int, world: type[WildWorld] = WildWorld) -> tuple[list[str], int]:
    """What the judge finds where edits come among the simulation's faults, and how many came."""
    played = play_edited(world, seed, _wild_edit, peaceful=False)
    return played.violations, played.edits


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.reloads", description=__doc__)
    parser.add_argument("--seeds", default="1..40", help="play seeds A..B")
    first, _, last = parser.parse_args(arguments).seeds.partition("..")
    bad, counts = 0, {"in peace": 0, "among faults": 0}
    for seed in range(int(first), int(last or first) + 1):
        for name, proof in (("in peace", in_peace), ("among faults", among_faults)):
            wrong, edits = proof(seed)
            counts[name] += edits
            bad += bool(wrong)
            for line in wrong[:6]:
                print(f"seed {seed} {name}: {line}", flush=True)
    print(
        f"{counts['in peace']} edits in peace, {counts['among faults']} among faults: {bad} wrong"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
