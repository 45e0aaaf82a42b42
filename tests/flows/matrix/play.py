"""One row: a session is struck, everything that follows is waited for, and then it is judged.

The judge is that of the kills: it adds the books up itself from the journal and asks the venue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.core import records as r
from tests.flows.matrix.rows import Row
from tests.flows.matrix.stack import Run, Stack
from tests.proof.kills.judge import Findings, Witness, judge, judge_warehouse

NOTHING_TRADED = {"AlreadyRunning", "MarketClosed", "NotNeeded"}


@dataclass
class Seen:
    """What a row came to: sentences of what was wrong, and what the states told."""

    row: str
    wrong: list[str] = field(default_factory=list)
    coordinators: list[str] = field(default_factory=list)
    ends_of_day: list[str] = field(default_factory=list)
    took_s: float = 0.0
    executions: int = 0

    def line(self) -> str:
        """One row of a Markdown table."""
        verdict = "; ".join(self.wrong) or f"equal, {self.executions} executions"
        cells = self.row, " / ".join(self.coordinators), ", ".join(self.ends_of_day), verdict
        return f"| {' | '.join(cells)} | {self.took_s:.0f} s |"


def play(row: Row, folder: Path) -> Seen:
    """Plays a row in `folder`, where state and logs stay."""
    seen = Seen(row.name)
    with Stack(folder, speed=row.speed, at_start=row.at_start) as stack:
        run = stack.start()
        if not row.at_once:
            stack.until_it_trades()
        struck_s = time.monotonic()
        row.strike(stack, run)
        stack.until(lambda: stack.has_ended() and not stack.is_traded(), "the session's end", 900)
        stack.until(lambda: _is_over(stack), "every run's end, and its rows")
        seen.took_s = time.monotonic() - struck_s
        _tell(stack, seen)
        _expect_states(row, stack.runs("coordinator"), seen)
        _judge(row, stack, seen)
        down = stack.shell.server("down")
        if down.returncode or stack.shell.processes() != [stack.venue.process]:
            seen.wrong.append(f"make down left something: {down.stdout}")
    return seen


def _is_over(stack: Stack) -> bool:
    """Nobody runs or is about to, and the last end of day began after the last end."""
    if stack.live():
        return False
    ends = [one["end_time"] for one in _traded(stack.runs("coordinator"))]
    loads = [one["start_time"] or "" for one in stack.runs("end-of-day")]
    return all(ends) and max(loads, default="") > max(ends, default="z")


def _traded(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run["state_name"] not in NOTHING_TRADED]


def _tell(stack: Stack, seen: Seen) -> None:
    for run in stack.runs("coordinator"):
        history = [name for name in stack.history(run["id"]) if name not in _ON_THE_WAY]
        seen.coordinators.append(" → ".join(history))
    seen.ends_of_day += [f"{one['name']}: {one['state_name']}" for one in stack.runs("end-of-day")]


_ON_THE_WAY = {"Scheduled", "Late", "Pending", "Submitting", "InfrastructurePending"}


def _expect_states(row: Row, runs: Sequence[Run], seen: Seen) -> None:
    ends = [run["state_name"] for run in _traded(runs)]
    if ends != list(row.ends):
        seen.wrong.append(f"the runs ended as {ends}, not as {list(row.ends)}")


def _judge(row: Row, stack: Stack, seen: Seen) -> None:
    """Books against the venue, the warehouse against both, and the session once."""
    findings = Findings()
    account = stack.venue.account()
    witness = Witness(stack.journal, findings)
    ours = {one["name"] for one in json.loads(stack.config.read_text())["strategies"]}
    witness.look(account.orders, ours)
    books = judge(account, witness.records, ours, findings)
    ends = [record for record in witness.records if isinstance(record, r.SessionEnded)]
    if len(ends) != 1 or witness.records[-1] is not ends[0]:
        findings.blame(f"the journal has {len(ends)} ends of the session")
    judge_warehouse(stack.shell.state / "warehouse.duckdb", books, account, findings)
    rows = stack.shell.rows("SELECT status FROM sessions")
    if rows != [(row.session,)]:
        findings.blame(f"the warehouse's sessions are {rows}, not one that {row.session}")
    seen.executions = len(account.fills)
    seen.wrong += findings.sentences
    if not account.fills:
        seen.wrong.append("nothing was traded")
