"""Users' own strategies that come into a session, or change in it, while it trades."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from coordinator.config import CoordinatorConfig, load_config
from coordinator.core.lanes import Lanes, StrategySpec
from coordinator.core.reload import Removal, Setup, sentences
from coordinator.core.values import Bar
from coordinator.errors import OperatorError
from coordinator.joining import load
from coordinator.rereading import Rereading
from coordinator.setting_up import setup_of
from coordinator.shell.isolation import Walls, walls
from coordinator.shell.lease import Leases
from coordinator.shell.reload_request import Proposal
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.isolating import answers, bars
from tests.coordinator.own_strategies import write_folder

SAYS = """\
import os
from coordinator import Strategy, Window

class Says(Strategy):
    strategy_type = "says"
    what: int = 1
    window: Window = 3

    def step(self, bar):
        return self.what

    def explain(self):
        return {"pid": os.getpid(), "keys": sorted(k for k in os.environ if "APCA" in k)}
"""


@contextmanager
def session(place: Path, whole: Mapping[str, Any]) -> Iterator[Session]:
    """A session of this configuration, as far as reading it again goes."""
    file = place / "my.json"
    file.write_text(json.dumps(whole))
    began = ready(load_config(file))
    shadows = {spec.name for spec in began.shadows}
    with walls(began.every, BUILT_IN, beside=shadows, load=load) as around:
        yield Session(file, began, around)


def ready(config: CoordinatorConfig) -> Setup:
    return setup_of(config, None, simulated=True)


class Session:
    """What runs, and its configuration file."""

    def __init__(self, file: Path, began: Setup, around: Walls) -> None:
        self.file, self.around = file, around
        count = len(began.specs)
        specs, shadows = tuple(around.specs[:count]), tuple(around.specs[count:])
        self.runs = replace(began, specs=specs, shadows=shadows)
        self.reading = Rereading(file, None, ready, around, Leases(file.parent), "here")
        self.lanes = Lanes(self.runs.specs)

    def edit(self, whole: Mapping[str, Any]) -> None:
        self.file.write_text(json.dumps(whole))

    def read(self) -> Proposal:
        return self.reading.read("")

    def difference(self) -> list[str]:
        return sentences(self.runs, self.read().setup, Removal.DORMANT)

    def apply(self, history: Sequence[Bar] = (), so_far: Sequence[Bar] = ()) -> None:
        """What a reload does with it; bars are of SPY and QQQ."""
        proposal = self.read()
        setup = proposal.setup
        begins = [s for s in setup.specs if not all(self.lanes.serves(s, t) for t in s.tickers)]
        older, newer = by_ticker(history), by_ticker(so_far)
        try:
            proposal.joining.get_warm(begins, older, newer)
            proposal.joining.get_warm(setup.shadows, older, newer)
        except OperatorError:
            proposal.joining.give_back()
            raise
        self.lanes.change(setup.specs, older, newer)
        proposal.joining.keep(setup.every)
        self.runs = setup

    def spec(self, name: str) -> StrategySpec:
        return next(spec for spec in self.runs.every if spec.name == name)

    def says(self, name: str, *fed: Bar) -> list[int]:
        return answers(self.lanes, self.spec(name), fed)

    def seen(self, name: str) -> Mapping[str, Any]:
        spec = self.spec(name)
        return self.lanes.lane(spec, spec.tickers[0]).explain()


def by_ticker(given: Sequence[Bar]) -> dict[str, tuple[Bar, ...]]:
    return {t: tuple(bar for bar in given if bar.symbol == t) for t in ("SPY", "QQQ")}


def strategy(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "strategy_type": kind, "tickers": ["SPY"], **more}


def whole(*strategies: Mapping[str, Any]) -> dict[str, Any]:
    return {"strategies_dir": "own", "strategies": list(strategies)}


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def children() -> set[int]:
    """Every process below this one."""
    found, to_ask = set[int](), [os.getpid()]
    while to_ask:
        for task in Path(f"/proc/{to_ask.pop()}/task").glob("*/children"):
            with_ours = [int(pid) for pid in task.read_text().split()]
            found |= set(with_ours)
            to_ask += with_ours
    return found


BARS = bars(minutes=range(5))
BUILT = strategy("Theirs", "momentum")


def test_a_new_file_with_a_new_type_joins_a_session_that_had_none(tmp_path: Path) -> None:
    with session(tmp_path, {"strategies": [BUILT]}) as one:
        write_folder(tmp_path / "own", says=SAYS)
        one.edit(whole(BUILT, strategy("Mine", "says", strategy_params={"what": -1})))
        assert one.difference() == [
            "+ Mine: says on SPY, begins with $10,000.00, unless it has a book already"
        ]
        one.apply()
        assert one.says("Mine", *BARS) == [-1] * 5
