"""One session of kills: started, killed, started again, until it is over; then judged."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TextIO

from coordinator.core import records as r
from tests.environment import bare_environment
from tests.proof.kills.judge import Findings, Witness, judge, judge_warehouse
from tests.proof.kills.script import CASH, SPEED, Script, write
from tests.proof.kills.venue import Venue

ACCOUNT = "PA3SIM000001"
TICK_S = 0.001
PATIENCE_S = 240.0
"""Real seconds without a commit of the journal, after which a session hangs."""
LAST_KILL = timedelta(minutes=15)
"""So long before its end a session is killed no more; only the loading of it is."""
FAILED_STARTS = 6


class Moment(Enum):
    """When a process dies."""

    STARTING = "while it starts or recovers"
    WRITING = "just after a commit"
    TRADING = "while it trades"
    ENDING = "while it ends"
    LOADING = "while it loads the warehouse"


@dataclass(frozen=True)
class Death:
    """A kill: after so many commits, and then after seconds or a share of what a phase takes."""

    moment: Moment
    commits: int
    after_s: float
    share: float


@dataclass
class Report:
    """What a session came to."""

    seed: int
    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)


def deaths(rng: random.Random, count: int) -> list[Death]:
    """So many kills, at moments by chance."""
    moments = (Moment.STARTING, Moment.WRITING, Moment.TRADING, Moment.ENDING, Moment.LOADING)
    chosen = rng.choices(moments, weights=(30, 40, 10, 10, 10), k=count)
    return [
        Death(
            moment,
            rng.choice((1, 2, 3, rng.randint(3, 12), rng.randint(5, 40))),
            rng.choice((0.0, rng.uniform(0.0, 0.01), rng.uniform(0.0, 0.1))),
            rng.uniform(0.3, 1.3),
        )
        for moment in chosen
    ]


class Session:
    """Plays one seed. `folder` keeps the state, the script and the logs of all processes."""

    def __init__(self, seed: int, kills: int, folder: Path) -> None:
        self._rng = random.Random(f"{seed} kills")
        self._script: Script = write(random.Random(f"{seed} script"))
        self._deaths = deaths(self._rng, kills)
        self._folder = folder
        self._home = folder / "state"
        self.report = Report(seed, folder)
        self._witness = Witness(self._home / ACCOUNT / "journal.db", self.report.findings)
        self._took_s = {"start": 2.5, "end": 0.5, "load": 1.5}
        self._over = False
        self._failed = 0

    def run(self) -> Report:
        """The whole session."""
        folder, script = self._folder, self._script
        (folder / "config.json").write_text(json.dumps(script.config))
        (folder / "faults.json").write_text(json.dumps(script.faults, indent=1))
        speed = ("--clock-speed", str(SPEED), "--cash", str(CASH))
        faults = ("--faults", str(folder / "faults.json"), "--date", script.day.isoformat())
        with (folder / "runs.log").open("w") as log, Venue(folder, *speed, *faults) as venue:
            self._log, self._venue = log, venue
            for death in self._deaths:
                self._die(death)
                self._witness.look(venue.orders(), script.strategies)
            self._finish()
            self._judge()
        return self.report

    def _die(self, death: Death) -> None:
        loads = death.moment is Moment.LOADING or self._over or self._left() < LAST_KILL
        process = self._start("end-of-day") if loads else self._start(*self._run_command())
        self._note(f"to be killed {death}")
        match death.moment:
            case _ if loads:
                self._wait(process, death.share * self._took_s["load"])
            case Moment.STARTING:
                self._wait(process, death.share * self._took_s["start"])
            case Moment.WRITING | Moment.TRADING:
                self._wait_commits(process, death.commits)
                longer_s = death.share * 2.0 if death.moment is Moment.TRADING else 0.0
                self._wait(process, death.after_s + longer_s)
            case Moment.ENDING:
                self._wait_commits(process, death.commits)
                process.send_signal(signal.SIGTERM)
                self._wait(process, death.share * self._took_s["end"])
        self._kill(process, Moment.LOADING if loads else death.moment)

    def _kill(self, process: subprocess.Popen[str], moment: Moment) -> None:
        process.kill()
        code = process.wait()
        if code == -signal.SIGKILL:
            self.report.counts["kills"] += 1
            self.report.counts[f"killed {moment.value}"] += 1
            self._note("killed")
            return
        self._note(f"had ended by itself: {code}")
        if moment is Moment.LOADING:
            self._expect(code == 0, f"end-of-day ended with {code}")
        else:
            self._ended(code, stopped=moment is Moment.ENDING)

    def _ended(self, code: int, *, stopped: bool) -> None:
        """A run that ended by itself: it is over, or was kept from going on and may try again."""
        self._failed = self._failed + 1 if code else 0
        self.report.counts["runs that ended in an error"] += bool(code)
        self._over = self._over or (code == 0 and not stopped)
        self._expect(code in (0, 1, 3), f"a run ended with {code}")
        self._expect(self._failed < FAILED_STARTS, f"does not come up again: {code}")

    def _finish(self) -> None:
        """Go on without kills until the session ends in order, then load it."""
        while not self._over and not self.report.findings.sentences:
            process = self._start(*self._run_command())
            told = False
            while process.poll() is None and self._wait_commits(process, 1):
                if not told and not self._script.to_the_close and self._left() < timedelta(0):
                    process.send_signal(signal.SIGTERM)
                    told = True
            if process.poll() is None:
                self._expect(False, f"nothing was written for {PATIENCE_S} s")
                process.kill()
            self._ended(process.wait(), stopped=False)
        process = self._start("end-of-day")
        self._expect(process.wait() == 0, "end-of-day failed")

    def _judge(self) -> None:
        report, witness, findings = self.report, self._witness, self.report.findings
        account = self._venue.account()
        witness.look(account.orders, self._script.strategies)
        books = judge(account, witness.records, self._script.strategies, findings)
        if not isinstance(witness.records[-1], r.SessionEnded):
            findings.blame("the session never ended")
        judge_warehouse(self._home / "warehouse.duckdb", books, account, findings)
        report.counts["orders"] += len(account.orders)
        report.counts["fills"] += len(account.fills)
        report.counts["sessions"] += 1

    # processes

    def _run_command(self) -> Sequence[str]:
        config = str(self._folder / "config.json")
        return "run", "--config", config, "--clock-speed", str(SPEED), "--no-load"

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        self._note(f"starts {arguments[0]}")
        self.report.counts["starts"] += 1
        self._commits, self._stamp = 0, self._journal_stamp()
        self._began_s = time.monotonic()
        home = bare_environment(self._folder) | {"MULTI_TRADER_HOME": str(self._home)}
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env=home | self._venue.variables,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _wait(self, process: subprocess.Popen[str], wait_s: float) -> None:
        """Wait real time, or until the process has ended."""
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s and process.poll() is None:
            time.sleep(min(TICK_S, wait_s))

    def _wait_commits(self, process: subprocess.Popen[str], commits: int) -> bool:
        """Wait until the journal was written to so often; False if it stopped being."""
        wanted, heard_s = self._commits + commits, time.monotonic()
        while self._commits < wanted and process.poll() is None:
            stamp = self._journal_stamp()
            if stamp != self._stamp:
                self._stamp, heard_s = stamp, time.monotonic()
                self._commits += 1
                if self._commits == 1:
                    self._learn("start", time.monotonic() - self._began_s)
            elif time.monotonic() - heard_s > PATIENCE_S:
                return False
            time.sleep(TICK_S)
        return True

    def _learn(self, phase: str, took_s: float) -> None:
        self._took_s[phase] += 0.3 * (took_s - self._took_s[phase])

    def _journal_stamp(self) -> tuple[int, int]:
        try:
            found = os.stat(f"{self._witness.journal}-wal")
        except FileNotFoundError:
            return 0, 0
        return found.st_mtime_ns, found.st_size

    def _left(self) -> timedelta:
        """Broker time until the session is to end."""
        return self._script.ends_at - self._venue.now()

    def _expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.report.findings.blame(sentence)

    def _note(self, what: str) -> None:
        log: TextIO = self._log
        log.write(f"--- {time.monotonic():.3f} {what}\n")
        log.flush()
