"""Takes the pictures of the terminal for docs/pictures: `python -m docs.terminal`, two minutes.

A simulated session in a home of its own trades meanwhile; what `top` and `explain` draw of it is
kept as SVG by rich, without the fonts that it would fetch from elsewhere.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from cli.explain import table_of
from cli.frame import Look, frame
from coordinator.commands.running import Answered, RunningCoordinators, explain
from flows.server.places import ROOT, without

INTO = Path(__file__).parent / "pictures"
DAY, SPEED = "2026-03-17", "120"
CONFIG = "configs/multi_trader_example.json"
COLUMNS, LINES = 80, 24
EXPLAINED = "SPY_Adaptive"
_BUSY = 6
"""Positions that make a picture worth looking at."""
_DEADLINE_S = 600.0
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Trades, looks, stops."""
    parser = argparse.ArgumentParser(prog="python -m docs.terminal", description=__doc__)
    parser.add_argument("--into", type=Path, default=INTO)
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _session(Path(folder)):
        which = RunningCoordinators(Path(folder) / "state")
        answers = _when_busy(which)
        _draw(
            asked.into / "top.svg",
            "multi-trader top",
            frame(answers, Look("d"), width=COLUMNS, height=LINES).drawn,
        )
        [one] = explain(which, "docs", EXPLAINED)
        _draw(asked.into / "explain.svg", f"multi-trader explain {EXPLAINED}", table_of(one))


@contextmanager
def _session(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "cli", "run", "--config", CONFIG, "--date", DAY]
    command += ["--clock-speed", SPEED, "--no-load", "--log-level", "ERROR"]
    clean = without(os.environ, "APCA_", "MULTI_TRADER_") | {"HOME": str(folder)}
    environment = clean | {"MULTI_TRADER_HOME": str(folder / "state")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _when_busy(which: RunningCoordinators) -> Sequence[Answered]:
    """What the session answers once there is something to see."""

    def busy() -> Sequence[Answered] | None:
        answers = which.statuses("docs")
        held = sum(
            len(s.positions) for a in answers if a.reply.status for s in a.reply.status.strategies
        )
        return answers if held >= _BUSY else None

    return _wait(busy)


def _wait(answer: Callable[[], Sequence[Answered] | None]) -> Sequence[Answered]:
    end_s = time.monotonic() + _DEADLINE_S
    while (found := answer()) is None:
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {_DEADLINE_S:.0f} s")
        time.sleep(1)
    return found


def _draw(file: Path, title: str, drawn: RenderableType) -> None:
    """What a terminal of this size shows."""
    console = Console(width=COLUMNS, record=True, file=StringIO(), highlight=False)
    console.print(drawn)
    file.write_text(_FONTS.sub("", console.export_svg(title=title)), encoding="utf-8")
    print(f"{file} ({file.stat().st_size / 1_000:.0f} KB)", flush=True)


if __name__ == "__main__":
    main()
