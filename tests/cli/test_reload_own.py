"""`reload` with strategies of one's own, from the command line alone: new files, edited ones, and
what becomes of them when the process dies afterwards."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.running import RunningCoordinators, explain
from coordinator.core import records as r
from coordinator.errors import MultiTraderError
from coordinator.shell.control_protocol import addresses
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_kinds
from tests.cli.conftest import Shell
from tests.cli.test_kill import ACCOUNT, venue
from tests.coordinator.own_strategies import write_folder
from tests.e2e.running import environment

DEADLINE_S = 90.0
EDGE = """\
from coordinator import Strategy, Window


class Edge(Strategy):
    strategy_type = "edge"
    window: Window = 2

    def step(self, bar):
        return 0

    def explain(self):
        return {"edition": "first"}
"""
SECOND = EDGE.replace("return 0", "return 1").replace('"first"', '"second"')
LATE = SECOND.replace('"edge"', '"late"').replace('"second"', '"late"')
PAIR = """\
from coordinator import MultiTickerStrategy, Window


class Pair(MultiTickerStrategy):
    strategy_type = "pair"
    window: Window = 2

    def signals(self, bars):
        return dict.fromkeys(bars, 1)

    def explain(self):
        return {"edition": "pair"}
"""
NEVER_DONE = """\
import sqlite3
import time
from contextlib import closing

from coordinator import Strategy, Window


def bars_seen():
    with closing(sqlite3.connect(JOURNAL)) as journal:
        return journal.execute("SELECT count(*) FROM records WHERE kind = 'BarsSeen'").fetchone()


class NeverDone(Strategy):
    strategy_type = "never_done"
    window: Window = 1
    history_bars = property(lambda self: 1)

    def step(self, bar):
        before = bars_seen()
        while bars_seen() == before:
            time.sleep(0.02)
        return 0
"""
FAST = ("--clock-speed", "60")


def strategy(name: str, kind: str, **more: Any) -> dict[str, Any]:
    small = {"initial_cash": 1000.0, "min_warmup_bars": 1}
    return {"name": name, "strategy_type": kind, "tickers": ["SPY"], **small, **more}


MINE = strategy("Mine", "edge")
THEIRS = strategy("Theirs", "momentum")
AFTERWARDS = (
    THEIRS,
    MINE,
    strategy("Late", "late", tickers=["QQQ"]),
    strategy("Both", "pair", tickers=["QQQ", "SPY"]),
    strategy("Beside", "edge", mode="shadow"),
)


def until(what: Callable[[], Any]) -> Any:
    """What it answers, once that is something."""
    ends_s = time.monotonic() + DEADLINE_S
    while not (found := what()):
        assert time.monotonic() < ends_s
        time.sleep(0.2)
    return found


class Trader:
    """Somebody at a command line, and the session that they started."""

    def __init__(self, place: Path, variables: Mapping[str, str], *words: str) -> None:
        self.shell = Shell(place, dict(variables))
        self.own = place / "own"
        self.config = place / "my.json"
        self._words = words

    def edit(self, *strategies: Mapping[str, Any]) -> None:
        self.config.write_text(json.dumps({"strategies": strategies}))

    @contextmanager
    def session(self) -> Iterator[Any]:
        files = ("--config", str(self.config), "--strategies", str(self.own))
        with self.shell.start("run", *files, *FAST, *self._words) as process:
            try:
                yield process
            finally:
                process.kill()
                self.log = process.communicate()

    def reload(self, *words: str) -> tuple[int, str]:
        done = self.shell.run("reload", *words)
        return done.returncode, done.stdout + done.stderr

    def edition(self, name: str) -> str:
        """What the strategy's own explanation says, once a session has one."""
        try:
            said = explain(RunningCoordinators(self.shell.home, None, None), "daniel", name, "")
        except MultiTraderError:
            return ""
        return str(said[0].values.get("edition", ""))

    @property
    def journal(self) -> Path:
        [found] = self.shell.home.glob(f"*/{JOURNAL}")
        return found

    def bought(self) -> set[str]:
        return {
            e.record.strategy
            for e in read_kinds(self.journal, r.FillBooked)
            if isinstance(e.record, r.FillBooked)
        }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_simulated_session_takes_new_and_edited_files_and_refuses_broken_ones(
    short_path: Path,
) -> None:
    trader = Trader(short_path, {}, "--simulate", "--date", "2026-03-17")
    write_folder(trader.own, edge=EDGE)
    trader.edit(THEIRS, MINE)
    with trader.session() as process:
        until(lambda: trader.edition("Mine") == "first")
        same = trader.reload("--yes")
        (trader.own / "edge.py").write_text(EDGE + "\nx = (\n")
        broken = trader.reload("--yes")
        (trader.own / "edge.py").write_text(SECOND.replace("return 1", "return 1 / 0"))
        raises = trader.reload("--yes")
        (trader.own / "edge.py").write_text(SECOND)
        (trader.own / "late.py").write_text(LATE)
        (trader.own / "pair.py").write_text(PAIR)
        trader.edit(*AFTERWARDS)
        shown = json.loads(trader.reload("--json")[1])
        still = trader.edition("Mine")
        done = trader.reload("--yes")
        until(lambda: trader.edition("Mine") == "second")
        until(lambda: trader.edition("Late") == "late")
        until(lambda: trader.edition("Both") == "pair")
        until(lambda: trader.edition("Beside") == "second")
        until(lambda: trader.bought() >= {"Mine", "Late", "Both"})
        status = trader.shell.run("status").stdout
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (same[0], "runs with this configuration already" in same[1]) == (0, True)
    assert broken[0] == 1
    assert "own/edge.py:14: is not Python: '(' was never closed; repair it" in broken[1]
    assert raises[0] == 1
    assert "Mine cannot join: StrategyRaised" in raises[1]
    assert "own/edge.py:9" in raises[1]
    assert shown["changes"][0].startswith("+ Late: late on QQQ")
    assert [line.split(" (")[0] for line in shown["changes"] if line[0] == "~"] == [
        "~ Mine: code changed"
    ]
    assert any(line.startswith("+ Beside (shadow): edge on SPY") for line in shown["changes"])
    assert still == "first", "it was shown, not done"
    assert done[0] == 0, done
    assert all(one["name"] in status for one in AFTERWARDS)
    [record] = read_kinds(trader.journal, r.Reconfigured)
    assert isinstance(record.record, r.Reconfigured)
    assert process.returncode in (0, 130), out + err
    assert "Traceback" not in out + err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_start_after_a_crash_goes_on_with_the_edited_configuration_and_the_files_as_they_are(
    short_path: Path,
) -> None:
    with venue(short_path, clock_speed=60.0) as running:
        trader = Trader(short_path, environment(running, short_path / "state"))
        write_folder(trader.own, edge=EDGE, late=LATE, pair=PAIR)
        trader.edit(THEIRS, MINE)
        with trader.session() as first:
            until(lambda: any(addresses(trader.shell.home / ACCOUNT)))
            (trader.own / "edge.py").write_text(SECOND)
            trader.edit(*AFTERWARDS)
            done = until(lambda: (said := trader.reload("--yes"))[0] == 0 and said)
            until(lambda: trader.bought() >= {"Mine", "Late"})
            seen = [Path(f"/proc/{pid}/environ").read_bytes() for pid in below(first.pid)]
        held = running.snapshot().positions
        with trader.session() as again:
            editions = {
                name: until(lambda name=name: trader.edition(name))  # type: ignore[misc]
                for name in ("Mine", "Late", "Both", "Beside")
            }
            same = trader.reload("--yes")
            status = trader.shell.run("status").stdout
            again.send_signal(signal.SIGINT)
            again.wait(DEADLINE_S)
    assert "goes on with this configuration" in done[1]
    assert held["SPY"] > 0
    assert len(seen) >= 5, "what forks, and a process for each of four strategies at least"
    assert not any(b"APCA_" in variables for variables in seen)
    assert all(b"PATH=" in variables for variables in seen)
    assert editions == {"Mine": "second", "Late": "late", "Both": "pair", "Beside": "second"}
    assert "runs with this configuration already" in same[1]
    assert all(one["name"] in status for one in AFTERWARDS)
    assert again.returncode in (0, 130), trader.log
    assert len(read_kinds(trader.journal, r.Reconfigured)) == 1
    assert len({e.record.session_id for e in opened(trader.journal)}) == 1, "one session, resumed"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_strategy_that_failed_trades_again_today_once_its_file_is_repaired_and_reloaded(
    short_path: Path,
) -> None:
    trader = Trader(short_path, {}, "--simulate", "--date", "2026-03-17")
    gate = short_path / "it fails now"
    failing = SECOND.replace("        return 1", "        return 1 // (not GATE.exists())", 1)
    failing = failing.replace("\n\n\nclass", f"\n\nGATE = Path({str(gate)!r})\n\n\nclass", 1)
    write_folder(trader.own, edge=f"from pathlib import Path\n\n{failing}")
    trader.edit(THEIRS, MINE, strategy("Beside", "edge", mode="shadow"))
    with trader.session() as process:
        until(lambda: trader.edition("Mine") == "second")
        gate.touch()
        until(lambda: failures(trader.journal) == {"Mine"})
        until(lambda: trader.shell.run("status").stdout.count("stopped: fault") == 2)
        (trader.own / "edge.py").write_text(SECOND)
        done = trader.reload("--yes")
        status = trader.shell.run("status").stdout
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    [entry] = read_kinds(trader.journal, r.Reconfigured)
    assert isinstance(entry.record, r.Reconfigured)
    assert entry.record.mended == ("Mine",)
    assert "~ Mine: failed today, and trades again" in done[1]
    assert "~ Beside (shadow): failed today, and trades again" in done[1]
    assert "stopped: fault" not in status


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_strategy_that_takes_a_bar_no_faster_than_the_next_one_comes_cannot_join(
    short_path: Path,
) -> None:
    trader = Trader(short_path, {}, "--simulate", "--date", "2026-03-17")
    write_folder(trader.own)
    trader.edit(THEIRS)
    with trader.session() as process:
        until(lambda: any(trader.shell.home.glob(f"*/{JOURNAL}")))
        until(lambda: len(read_kinds(trader.journal, r.BarsSeen)) >= 3)
        slow = f"JOURNAL = {str(trader.journal)!r}\n{NEVER_DONE}"
        (trader.own / "never_done.py").write_text(slow)
        trader.edit(THEIRS, strategy("Slow", "never_done"))
        refused = trader.reload("--yes")
        seen = len(read_kinds(trader.journal, r.BarsSeen))
        until(lambda: len(read_kinds(trader.journal, r.BarsSeen)) > seen)
        left = [Path(f"/proc/{pid}") for pid in below(process.pid)]
        trader.edit(THEIRS)
        same = trader.reload("--yes")
    assert refused[0] == 1, refused
    assert "Nothing was changed: bars come faster than the strategies of your own" in refused[1]
    assert "make their steps quicker, and ask again" in refused[1]
    assert read_kinds(trader.journal, r.Reconfigured) == []
    assert len(left) == 1, "the one that forks: whose strategy was refused has ended"
    assert "runs with this configuration already" in same[1]


def failures(journal: Path) -> set[str]:
    """Who has failed."""
    stops = [e.record for e in read_kinds(journal, r.EntriesStopped)]
    return {x.strategy for x in stops if isinstance(x, r.EntriesStopped) and "fault" in x.reason}


def below(pid: int) -> Iterator[int]:
    """Every process that this one and those below it have started."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from below(child)


def opened(journal: Path) -> Sequence[Any]:
    return read_kinds(journal, r.SessionOpened)
