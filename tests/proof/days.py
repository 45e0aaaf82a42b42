"""Days of trading with nights between: `python -m tests.proof.days --seeds A..B`.

Each seed is one of the worlds of `reloads.py` that goes on for further days. In the nights the
account moves, a human trades and carries out plans, and the configuration is edited; nobody runs.
The judge finds nothing wrong, a warehouse that takes in each day in its evening has the same rows
as one that takes in all of them at the end, and it agrees with the broker's own lists.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from coordinator.broker_side import Rows, listed
from coordinator.core.values import UNASSIGNED
from coordinator.readers import session_sources
from coordinator.shell.broker import Broker
from coordinator.shell.rest import Api
from tests.proof.process import read_config
from tests.proof.reloads import WildWorld, among_faults
from warehouse import Store, reconcile

DAYS = 3
EARLY = timedelta(minutes=2)
"""Coordinators are started so long before a further day begins."""
NIGHTLY = 3
"""So often something happens in a night."""
_DIFFERENCES = (
    "SELECT strategy, symbol, note FROM discrepancies WHERE kind IN ('journal', 'fill', 'fee')"
)
OF_LOADS = ("loads", "quarantine", "schema_versions")
"""Tables that tell when and how something was loaded."""


class LongWorld(WildWorld):
    """Some days, and what happens in the nights between."""

    days = DAYS
    evenings: Store
    """The warehouse that takes in each day in its evening."""

    async def run(self) -> None:
        """The whole seed."""
        with Store.open(":memory:") as self.evenings:
            await super().run()

    async def _trade(self) -> None:
        await super()._trade()
        for begins, ends in self.play.further:
            await self._night(begins - EARLY)
            self.play = replace(self.play, ends=ends)
            self._schedule(begins - EARLY)
            self.faults.over = False
            count = self.dice.choice((0, 0, 1, 2))
            self._kills = sorted(
                self.boundaries + self.dice.randrange(1, 600) for _ in range(count)
            )
            await asyncio.gather(*(trader.trade() for trader in self.traders))

    async def _night(self, morning: datetime) -> None:
        self.faults.over = True
        self._kills.clear()
        await asyncio.sleep(60.0)
        self.office.end_of_day()
        self._take_in(self.evenings)
        step_s = (morning - self.now()).total_seconds() / (NIGHTLY + 1)
        office, broker = self.office, self.broker
        acts = (office.while_nobody_trades, broker.by_hand, self._plan, self._edit_files)
        for act in self.dice.choices(acts, k=NIGHTLY):
            await asyncio.sleep(step_s)
            if self.adopted.is_set():
                act()
        await asyncio.sleep(step_s)

    def _edit_files(self) -> None:
        for trader in self.traders:
            document = self.edit(self, trader.config.as_document())
            if document is not None:
                trader.config = read_config(document)

    def _judge_warehouse(self, store: Store) -> None:
        super()._judge_warehouse(store)
        self._take_in(self.evenings)
        at_once, by_days = _rows(store), _rows(self.evenings)
        for name in at_once:
            if at_once[name] != by_days[name]:
                self.judge.blame(f"{name} is not the same when it is loaded day by day")
        self._judge_agreement(store)

    def _judge_agreement(self, store: Store) -> None:
        """The end of day finds no difference but what amended executions leave.

        An amendment that nobody heard of is a difference until a human accepts it.
        """
        amended = [one.order for one in self.brokerage.executions if not one.stands]
        excused = tuple(f"order {order.order_id}:" for order in amended)
        by_hand = {order.symbol.replace("/", "") for order in amended if order.by_hand}
        reconcile(store, session_sources(self.home), self._lists)
        for row in store.rows(_DIFFERENCES, []):
            is_hands = row["strategy"] == UNASSIGNED and row["symbol"] in by_hand
            if not is_hands and not row["note"].startswith(excused):
                self.judge.blame(f"the end of day finds a difference: {row['note']}")

    def _lists(self, _account: str, _mode: str, since: datetime) -> Rows:
        """What the broker's lists say."""
        assert self.journal_path is not None, "something was loaded"
        return listed(Broker(_AtOnce(self), feed="iex"), self.journal_path, since)


class _AtOnce:
    """The REST port of somebody whom no fault reaches."""

    def __init__(self, world: LongWorld) -> None:
        self._face = world.face

    def get(self, _api: Api, path: str, query: Mapping[str, Any]) -> Any:
        return self._face.get(path, query)

    def post(self, _api: Api, path: str, body: Mapping[str, Any]) -> Any:
        raise AssertionError(f"the end of day sends {body} to {path}")

    def delete(self, _api: Api, path: str) -> None:
        raise AssertionError(f"the end of day deletes {path}")


def _rows(store: Store) -> dict[str, list[str]]:
    """Every row of every table, as text, in order."""
    tables = store.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return {
        name: sorted(map(str, store.connection.execute(f'FROM "{name}"').fetchall()))
        for (name,) in tables
        if name not in OF_LOADS
    }


def over_days(seed: int) -> tuple[list[str], int]:
    """What the judge finds in the days of a seed, and how many edits came by day."""
    return among_faults(seed, LongWorld)


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.days", description=__doc__)
    parser.add_argument("--seeds", default="1..40", help="play seeds A..B")
    first, _, last = parser.parse_args(arguments).seeds.partition("..")
    bad = seeds = 0
    for seed in range(int(first), int(last or first) + 1):
        wrong, _ = over_days(seed)
        seeds += 1
        bad += bool(wrong)
        for line in wrong[:6]:
            print(f"seed {seed}: {line}", flush=True)
    print(f"{seeds} seeds of {DAYS} days: {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
