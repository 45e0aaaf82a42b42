"""Users' own strategies that come into a session, or change in it, while it trades."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coordinator.config import CoordinatorConfig, config_hash, load_config
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.reload import Removal, sentences
from coordinator.core.setup import Setup
from coordinator.core.values import Bar
from coordinator.engine_setup import setup_of
from coordinator.errors import OperatorError
from coordinator.reload_source import ReloadSource
from coordinator.shell import rehearsal, strategy_process
from coordinator.shell.isolation import Budget, Walls, walls
from coordinator.shell.lease import Leases
from coordinator.shell.reload_request import Proposal
from coordinator.shell.reloading import lacking
from coordinator.strategies.registry import BUILT_IN
from coordinator.strategy_loader import load
from tests.coordinator.isolating import answers, bars, explained, on_a_loop
from tests.coordinator.own_strategies import write_folder

SAYS = """\
import os
from typing import Annotated

from pydantic import Field

from coordinator import Strategy, Window


class Says(Strategy):
    strategy_type = "says"

    what: Annotated[int, Field(le=1)] = 1
    window: Window = 3
    history_bars = property(lambda self: 7)

    def step(self, bar):
        return self.what

    def explain(self):
        return {"pid": os.getpid(), "keys": [key for key in os.environ if "APCA" in key]}
"""


LEADS = """\
from coordinator import MultiTickerStrategy, Window


class Leads(MultiTickerStrategy):
    strategy_type = "leads"
    ticker_count = 2
    window: Window = 1

    def step(self, bars):
        return {ticker: 1 if bars[ticker].close == max(b.close for b in bars.values()) else -1
                for ticker in bars}
"""


@contextmanager
def session(place: Path, whole: Mapping[str, Any]) -> Iterator[Session]:
    """A session of this configuration, as far as reading it again goes."""
    file = place / "my.json"
    file.write_text(json.dumps(whole))
    began = ready(load_config(file))
    shadows = {spec.name for spec in began.shadows}
    with walls(began.all_specs, BUILT_IN, beside=shadows, load=load) as around:
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
        self.reading = ReloadSource(
            file, None, ready, around, Leases(file.parent), "here", simulated=False
        )
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
        begins = lacking(self.lanes.roster.serves, setup.specs)
        older, newer = by_ticker(history), by_ticker(so_far)
        try:
            proposal.joining.get_warm(begins, older, newer)
            proposal.joining.get_warm(setup.shadows, older, newer)
        except OperatorError:
            proposal.joining.give_back()
            raise
        self.lanes.change(setup.specs, older, newer)
        proposal.joining.keep(setup.all_specs)
        self.runs = setup

    def spec(self, name: str) -> StrategySpec:
        return next(spec for spec in self.runs.all_specs if spec.name == name)

    def says(self, name: str, *fed: Bar) -> list[int]:
        return answers(self.lanes, self.spec(name), fed)

    def seen(self, name: str) -> Mapping[str, Any]:
        return explained(self.lanes, self.spec(name))[0]


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
MINE = strategy("Mine", "says")


def test_a_new_file_with_a_new_type_joins_a_session_that_had_none(tmp_path: Path) -> None:
    with session(tmp_path, {"strategies": [BUILT]}) as one:
        write_folder(tmp_path / "own", says=SAYS)
        one.edit(whole(BUILT, strategy("Mine", "says", strategy_params={"what": -1})))
        assert one.difference() == [
            "+ Mine: says on SPY, begins with $10,000.00, unless it has a book already"
        ]
        one.apply()
        assert one.says("Mine", *BARS) == [-1] * 5
        assert one.spec("Theirs").rule == one.reading.read("").setup.specs[0].rule


def test_an_edited_file_is_shown_as_changed_code_and_runs_once_that_is_applied(
    tmp_path: Path,
) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        before, theirs = one.spec("Mine"), one.lanes.lane(one.spec("Theirs"), "SPY")
        assert one.says("Mine", *BARS) == [1] * 5
        assert one.difference() == []
        (own / "says.py").write_text(SAYS.replace("return self.what", "return -1"))
        [told] = one.difference()
        assert told.startswith(f"~ Mine: code changed ({before.code[:8]} -> ")
        assert one.says("Mine", *BARS) == [1] * 5, "nothing was applied yet"
        one.apply()
        assert one.says("Mine", *BARS) == [-1] * 5
        assert one.spec("Mine").rule != before.rule
        assert one.lanes.lane(one.spec("Theirs"), "SPY") is theirs
        assert one.difference() == []


def test_who_goes_on_with_the_code_that_it_has_keeps_its_process_and_its_memory(
    tmp_path: Path,
) -> None:
    counts = (
        SAYS.replace('"says"', '"counts"')
        .replace("Window = 3", "Window = 1")
        .replace(
            "return self.what",
            "self._n = getattr(self, '_n', 0) + 1\n        return (self._n > 5) - (self._n <= 5)",
        )
        .replace("def step", "_n: int = 0\n\n    def step")
    )
    own = write_folder(tmp_path / "own", says=SAYS, counts=counts)
    with session(tmp_path, whole(MINE, strategy("Counts", "counts"))) as one:
        assert one.says("Counts", *BARS) == [-1] * 5
        stays = one.seen("Counts")["pid"]
        (own / "says.py").write_text(SAYS.replace("return self.what", "return 0"))
        one.apply()
        assert one.says("Counts", BARS[0]) == [1]
        assert one.seen("Counts")["pid"] == stays


def test_a_process_that_serves_nobody_any_more_ends_and_no_other_is_left_behind(
    tmp_path: Path,
) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    both = whole(BUILT, MINE, strategy("Twin", "says"))
    with session(tmp_path, both) as one:
        one.says("Mine", *BARS)
        old = one.seen("Mine")["pid"]
        count = len(children())
        one.edit(whole(BUILT, MINE))
        one.apply()
        assert one.seen("Mine")["pid"] == old, "Mine is still served by it"
        (own / "says.py").write_text(SAYS.replace("return self.what", "return 0"))
        one.apply()
        assert one.says("Mine", *BARS) == [0] * 5
        assert not lives(int(old))
        assert len(children()) == count
        one.edit(whole(BUILT))
        assert [line[:7] for line in one.difference()] == ["- Mine:"]
        one.apply()
        assert len(children()) == count - 1
    assert children() == set()


def test_an_edited_parameter_is_another_process_beside_that_of_who_keeps_the_old_one(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(MINE, strategy("Twin", "says"))) as one:
        one.says("Mine", *BARS)
        one.edit(whole(MINE, strategy("Twin", "says", strategy_params={"what": 0})))
        assert one.difference() == ["~ Twin: what 1 -> 0"]
        one.apply()
        assert (one.says("Mine", BARS[0]), one.says("Twin", BARS[1])) == ([1], [0])
        assert one.seen("Mine")["pid"] != one.seen("Twin")["pid"]


def test_who_joins_on_the_same_code_and_parameters_shares_the_process_and_the_lane(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(MINE)) as one:
        lane = one.lanes.lane(one.spec("Mine"), "SPY")
        one.edit(whole(MINE, strategy("Twin", "says", strategy_params={"what": 1})))
        one.apply()
        assert one.lanes.lane(one.spec("Twin"), "SPY") is lane


def test_a_file_beside_it_that_was_edited_is_changed_code_too_and_is_read_anew(
    tmp_path: Path,
) -> None:
    text = SAYS.replace("import os", "import os\nfrom levels import LEVEL")
    own = write_folder(
        tmp_path / "own", says=text.replace("return self.what", "return LEVEL"), levels="LEVEL = 1"
    )
    with session(tmp_path, whole(MINE)) as one:
        assert one.says("Mine", BARS[0]) == [1]
        (own / "levels.py").write_text("LEVEL = -1")
        assert "~ Mine: code changed" in one.difference()[0]
        one.apply()
        assert one.says("Mine", BARS[0]) == [-1]


def test_one_that_looks_at_several_tickers_together_joins_and_changes_alike(
    tmp_path: Path,
) -> None:
    own = write_folder(tmp_path / "own")
    pair = strategy("Pair", "leads", tickers=["SPY", "QQQ"])
    dear = [replace(bar, close=Decimal(500)) for bar in bars("QQQ", minutes=range(5))]
    with session(tmp_path, {"strategies": [BUILT]}) as one:
        (own / "leads.py").write_text(LEADS)
        one.edit(whole(BUILT, pair))
        one.apply(so_far=[*BARS[:2], *dear[:2]])
        assert [one.lanes.lane(one.spec("Pair"), t).signal for t in ("SPY", "QQQ")] == [-1, 1]
        (own / "leads.py").write_text(LEADS.replace("max", "min"))
        assert "~ Pair: code changed" in one.difference()[0]
        one.apply(so_far=[*BARS[:2], *dear[:2]])
        assert [one.lanes.lane(one.spec("Pair"), t).signal for t in ("SPY", "QQQ")] == [1, -1]
        one.edit(whole(BUILT, pair | {"tickers": ["SPY"]}))
        with pytest.raises(OperatorError, match="tickers: leads looks at 2 together, got 1; add 1"):
            one.read()


@pytest.mark.parametrize("mode", ["live", "shadow"])
def test_a_shadow_never_shares_a_process_with_a_live_one_however_it_became_one(
    tmp_path: Path, mode: str
) -> None:
    write_folder(tmp_path / "own", says=SAYS)
    other = {"live": "shadow", "shadow": "live"}[mode]
    began = whole(BUILT, MINE | {"mode": mode}, strategy("Twin", "says", mode=mode))
    with session(tmp_path, began) as one:
        assert one.spec("Mine").rule is one.spec("Twin").rule
        one.edit(whole(BUILT, MINE | {"mode": other}, strategy("Twin", "says", mode=mode)))
        one.apply()
        assert one.spec("Mine").rule is not one.spec("Twin").rule
        sides = Lanes([one.spec("Mine")]), Lanes([one.spec("Twin")])
        pids = [
            explained(lanes, one.spec(name))[0]["pid"]
            for lanes, name in zip(sides, ("Mine", "Twin"), strict=True)
            if answers(lanes, one.spec(name), BARS[:1]) == [1]
        ]
        assert len(set(pids)) == 2


def test_the_hash_of_what_was_read_is_that_of_a_start_with_the_same_files(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        (own / "says.py").write_text(SAYS.replace("return self.what", "return 0"))
        (own / "leads.py").write_text(LEADS)
        pair = strategy("Pair", "leads", tickers=["SPY", "QQQ"])
        exact = strategy("Exact", "says", strategy_params={"what": 0}, initial_cash=0.1)
        one.edit(whole(BUILT, MINE, pair, exact))
        read, started = one.read().setup, ready(load_config(one.file))
    assert read.config_hash == started.config_hash == config_hash(load_config(one.file))
    assert list(map(but_for_the_rule, read.specs)) == list(map(but_for_the_rule, started.specs))


def but_for_the_rule(spec: StrategySpec) -> tuple[Any, ...]:
    needs = spec.history_bars, spec.backfill_bars
    return *needs, spec.name, spec.strategy_type, spec.params, spec.tickers, spec.limits, spec.code


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no Python": ("x = (\n", {}, r"own/says\.py:1: is not Python: .*; repair it"),
    "an import that raises": (
        "import no_such_module\n" + SAYS,
        {},
        r"own/says\.py:1: ModuleNotFoundError when it was imported: .*; repair it",
    ),
    "an import that exits": ("exit(3)\n" + SAYS, {}, r"own/says\.py:1: SystemExit when"),
    "a class that is gone": ("x = 1", {}, r"strategy_type: unknown strategy type 'says'"),
    "a class that reads no bars": (
        SAYS.replace("def step", "def steps"),
        {},
        r"own/says\.py:9: class Says cannot read bars; give it one of",
    ),
    "a parameter that is wrong": (SAYS, {"what": 3}, r"strategy_params\.what: .*less than .* 1"),
    "a parameter that is unknown": (SAYS, {"wat": 3}, r"wat: unknown key 'wat'.*'what'"),
    "a validator that raises": (
        SAYS.replace(
            "    def step", "    def model_post_init(self, _):\n        1 / 0\n\n    def step"
        ),
        {"window": 4},
        r"says raised ZeroDivisionError: division by zero at .*own/says\.py:17; repair it",
    ),
    "a window that is none": (
        SAYS.replace(
            "    def step", "    longest_window = property(lambda self: 0)\n\n    def step"
        ).replace("window: Window = 3", ""),
        {},
        r"longest_window of says is 0; it should be",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused_by_file_and_line_and_nothing_has_changed(
    tmp_path: Path, wrong: str
) -> None:
    text, params, words = WRONG[wrong]
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        one.says("Mine", *BARS)
        before, count = one.runs, len(children())
        (own / "says.py").write_text(text)
        one.edit(whole(BUILT, MINE | {"strategy_params": params}))
        with pytest.raises(OperatorError, match=words):
            one.apply()
        assert one.runs is before
        assert len(children()) == count
        assert one.says("Mine", *BARS) == [1] * 5


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("    def step(self, bar):\n        1 / 0", "own/says.py:17"),
        ("    def start(self):\n        1 / 0", "own/says.py:17"),
    ],
)
def test_one_that_fails_at_its_first_bars_is_refused_before_it_can_trade(
    tmp_path: Path, method: str, words: str
) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        count = len(children())
        (own / "says.py").write_text(
            SAYS.replace("    def step(self, bar):\n        return self.what", method)
        )
        with pytest.raises(OperatorError) as refused:
            one.apply(history=BARS)
        assert "Mine cannot join" in str(refused.value)
        assert words in str(refused.value)
        assert "repair it, and ask again" in str(refused.value)
        assert len(children()) == count
        assert one.says("Mine", *BARS) == [1] * 5


HANGS = {
    "sleeps": "import time\ntime.sleep(3600)\n",
    "loops": "while True:\n    pass\n",
    "will not be told": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n"
        "        pass\n"
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("how", HANGS)
def test_a_file_that_hangs_while_it_is_loaded_is_refused_within_a_deadline(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_process, "LOAD_S", 0.5)
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        one.says("Mine", *BARS)
        count = len(children())
        (own / "says.py").write_text(HANGS[how] + SAYS)
        with pytest.raises(OperatorError) as refused:
            one.read()
        where = "own/says.py:15: strategy type 'says': not loaded" if how[0] == "w" else ":"
        assert where in str(refused.value)
        assert "within 0.5 s" in str(refused.value)
        assert "own/says.py:" in str(refused.value)
        assert "repair it" in str(refused.value)
        assert len(children()) == count
        assert one.says("Mine", *BARS) == [1] * 5


def test_a_file_that_ends_its_process_is_refused(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        (own / "says.py").write_text("import os, signal\nos.kill(os.getpid(), 9)\n" + SAYS)
        with pytest.raises(
            OperatorError, match=r"says\.py:11: .* its process was ended by SIGKILL"
        ):
            one.read()
        assert one.says("Mine", *BARS) == [1] * 5


def test_a_file_that_changes_between_the_look_at_it_and_its_start_is_refused(
    tmp_path: Path,
) -> None:
    own = write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, whole(BUILT)) as one:
        one.edit(whole(BUILT, MINE))
        proposal = one.read()
        (own / "says.py").write_text(SAYS + "\n")
        with pytest.raises(OperatorError, match=r"changed while it was loaded; repair it, and ask"):
            proposal.joining.get_warm(proposal.setup.specs, {}, {})
        proposal.joining.give_back()


def test_a_process_of_a_joining_strategy_has_none_of_the_accounts_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", "the-secret-of-the-account")
    write_folder(tmp_path / "own", says=SAYS)
    with session(tmp_path, {"strategies": [BUILT]}) as one:
        one.edit(whole(BUILT, MINE))
        one.apply(history=BARS)
        one.says("Mine", BARS[0])
        seen = one.seen("Mine")
        assert seen["keys"] == "[]"
        initial = Path(f"/proc/{seen['pid']}/environ").read_bytes()
        assert b"the-secret-of-the-account" not in initial
        assert b"PATH=" in initial, "it is its environment that was looked at"


def test_the_session_runs_no_code_of_a_file_that_it_reads_again(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own")
    with session(tmp_path, {"strategies": [BUILT]}) as one:
        noted = tmp_path / "pids"
        note = f"import os\nopen({str(noted)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        (own / "says.py").write_text(note + SAYS)
        swept = strategy("Swept", "says", sweep={"what": [0, 1]})
        one.edit(whole(BUILT, MINE, swept))
        with pytest.raises(OperatorError, match="a sweep is for backtests; put the values"):
            one.read()
        one.edit(whole(BUILT, MINE))
        one.apply()
        pids = set(map(int, noted.read_text().split()))
        assert len(pids) == 3
        assert os.getpid() not in pids


def test_what_is_fed_again_on_the_loop_asks_the_process_nothing(tmp_path: Path) -> None:
    """A lane that was fed beside the loop is taken up as it stands, with what came since."""
    asked = tmp_path / "asked"
    with joining(tmp_path, doing(noting(asked))) as (
        one,
        own,
    ):
        spec, older = own.setup.specs[1], by_ticker(bars(minutes=range(3)))
        own.joining.get_warm([spec], older, by_ticker(bars(minutes=range(3, 5))))
        own.joining.get_warm([spec], older, by_ticker(bars(minutes=range(3, 6))))
        assert asked.read_text().split() == ["100", "101", "102", "103", "104", "105"]
        lanes = taken_up(spec, older, by_ticker(bars(minutes=range(3, 6))))
        assert len(asked.read_text().split()) == 6
        assert lanes.lane(spec, "SPY").signal == 1
        assert on_a_loop(lambda: answers(lanes, spec, bars(minutes=[6]))) == [1]
        assert asked.read_text().split()[6:] == ["106"]
        assert one.read().setup.specs[1].rule != spec.rule, "it was not taken in"


def test_history_that_was_corrected_is_rehearsed_anew_beside_the_loop_and_never_on_it(
    tmp_path: Path,
) -> None:
    asked = tmp_path / "asked"
    with joining(tmp_path, doing(noting(asked))) as (_, own):
        spec, given = own.setup.specs[1], bars(minutes=range(3))
        corrected = by_ticker([given[0], replace(given[1], close=Decimal(7)), given[2]])
        own.joining.get_warm([spec], {}, by_ticker(given))
        own.joining.get_warm([spec], {}, corrected)
        assert asked.read_text().split() == ["100", "101", "102", "100", "7", "102"]
        lanes = taken_up(spec, {}, by_ticker(given))
        assert "its bars have changed since it was rehearsed" in lanes.fault(spec)
        assert len(asked.read_text().split()) == 6


def test_who_sees_several_tickers_is_taken_up_when_the_others_bars_of_its_last_minute_have_come(
    tmp_path: Path,
) -> None:
    pair = strategy("Pair", "leads", tickers=["SPY", "QQQ"])
    dear = [replace(bar, close=Decimal(500)) for bar in bars("QQQ", minutes=range(5))]
    with joining(tmp_path, LEADS, "leads", pair) as (_, own):
        spec = own.setup.specs[1]
        own.joining.get_warm([spec], {}, by_ticker([*BARS, *dear[:-1]]))
        lanes = taken_up(spec, {}, by_ticker([*BARS, *dear]))
        assert lanes.fault(spec) == ""
        assert [lanes.lane(spec, ticker).signal for ticker in spec.tickers] == [-1, 1]


def test_the_loop_has_one_deadline_for_all_bars_that_came_after_the_rehearsal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "TAKE_UP_S", 0.1)
    asked = tmp_path / "asked"
    does = f"{noting(asked)}\n        time.sleep(0.06)"
    with joining(tmp_path, doing(does)) as (_, own):
        spec = own.setup.specs[1]
        own.joining.get_warm([spec], {}, by_ticker(BARS))
        lanes = taken_up(spec, {}, by_ticker(bars(minutes=range(30))))
        assert "the session waits no longer than 0.1 s for all who join it" in lanes.fault(spec)
        assert 5 < len(asked.read_text().split()) <= 7


def test_one_that_joins_without_history_has_got_ready_beside_the_loop(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    ready_at_start = SAYS.replace(
        "    def step",
        f"    def start(self):\n        open({str(begun)!r}, 'a').write('once ')\n"
        "        return self.at\n\n    def at",
    )
    with joining(tmp_path, ready_at_start) as (_, own):
        spec = own.setup.specs[1]
        own.joining.get_warm([spec], {}, {})
        assert begun.read_text().split() == ["once"]
        lanes = taken_up(spec, {}, {})
        assert on_a_loop(lambda: answers(lanes, spec, BARS[:2])) == [1, 1]
        assert begun.read_text().split() == ["once"]


def noting(file: Path) -> str:
    """Write down each bar that is asked about, by its close."""
    return f"open({str(file)!r}, 'a').write(str(bar.close) + ' ')"


def doing(what: str) -> str:
    """A strategy that does this at every bar."""
    return SAYS.replace("return self.what", f"{what}\n        return self.what").replace(
        "import os", "import os\nimport time"
    )


@contextmanager
def joining(
    place: Path, text: str, kind: str = "says", entry: Mapping[str, Any] = MINE
) -> Iterator[tuple[Session, Proposal]]:
    """A session of built-in strategies, with a proposal of one that joins it."""
    own = write_folder(place / "own")
    with session(place, {"strategies": [BUILT]}) as one:
        (own / f"{kind}.py").write_text(text)
        one.edit(whole(BUILT, entry))
        proposal = one.read()
        yield one, proposal
        proposal.joining.give_back()


def taken_up(
    spec: StrategySpec,
    history: Mapping[str, Sequence[Bar]],
    so_far: Mapping[str, Sequence[Bar]],
) -> Lanes:
    """What a loop has that takes up who was rehearsed."""
    lanes = Lanes(())
    on_a_loop(lambda: lanes.change([spec], history, so_far))
    return lanes


WIDER = MINE | {"tickers": ["SPY", "QQQ"]}
OTHER = strategy("Other", "says", tickers=["QQQ"])


def test_a_ticker_more_for_one_that_runs_has_a_process_of_its_own_as_long_as_it_is_traded(
    tmp_path: Path,
) -> None:
    noted = tmp_path / "fed"
    own = write_folder(tmp_path / "own")
    (own / "says.py").write_text(doing(f"open({str(noted)!r}, 'a').write(bar.symbol + ' ')"))
    with session(tmp_path, whole(BUILT, MINE)) as one:
        assert one.says("Mine", *BARS) == [1] * 5
        lane = one.lanes.lane(one.spec("Mine"), "SPY")
        one.edit(whole(BUILT, WIDER))
        assert one.difference() == ["~ Mine: tickers SPY -> SPY, QQQ", "+ bars of QQQ"]
        one.apply(so_far=[*BARS, *bars("QQQ", minutes=range(5))])
        assert one.lanes.lane(one.spec("Mine"), "SPY") is lane
        assert one.lanes.lane(one.spec("Mine"), "QQQ").signal == 1
        assert noted.read_text().split() == ["SPY"] * 5 + ["QQQ"] * 5
        spy, qqq = (int(str(on["pid"])) for on in explained(one.lanes, one.spec("Mine")))
        assert spy != qqq
        one.edit(whole(BUILT, MINE | {"tickers": ["QQQ"]}))
        one.apply()
        assert (lives(spy), lives(qqq)) == (False, True)
        assert one.says("Mine", *bars("QQQ", minutes=[5])) == [1]
        one.edit(whole(BUILT, WIDER))
        one.apply(so_far=BARS)
        assert one.says("Mine", *bars("SPY", "QQQ", minutes=[6])) == [1, 1]
        assert lives(qqq)


@pytest.mark.thorough
@pytest.mark.parametrize("joins", [[WIDER], [MINE, OTHER]], ids=["a ticker", "another strategy"])
@pytest.mark.parametrize("fails", ["os._exit(3)", "1 / 0", "time.sleep(3600)"])
def test_a_reload_that_is_refused_costs_nothing_that_runs_on_the_same_code(
    tmp_path: Path, fails: str, joins: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write_folder(tmp_path / "own")
    (own / "says.py").write_text(doing(f"{fails} if bar.symbol == 'QQQ' else None"))
    quick = partial(walls, budget=Budget(start_s=0.5))
    monkeypatch.setattr(sys.modules[__name__], "walls", quick)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        assert on_a_loop(lambda: one.says("Mine", *BARS)) == [1] * 5
        pid, count = one.seen("Mine")["pid"], len(children())
        one.edit(whole(BUILT, *joins))
        with pytest.raises(OperatorError, match="cannot join"):
            one.apply(so_far=[*BARS, *bars("QQQ", minutes=range(5))])
        assert on_a_loop(lambda: one.says("Mine", *bars(minutes=[6]))) == [1]
        assert one.lanes.fault(one.spec("Mine")) == ""
        assert one.seen("Mine")["pid"] == pid
        assert len(children()) == count


def test_a_history_bar_may_take_longer_than_the_loop_waits_while_what_runs_answers_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The further ticker's bar waits for one of what runs: nothing is in line behind it."""
    own, gate = write_folder(tmp_path / "own"), tmp_path / "gate"
    wait = f"while bar.symbol == 'QQQ' and not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    (own / "says.py").write_text(doing(wait))
    quick = partial(walls, budget=Budget(answer_s=0.2))
    monkeypatch.setattr(sys.modules[__name__], "walls", quick)
    with session(tmp_path, whole(BUILT, MINE)) as one:
        on_a_loop(lambda: one.says("Mine", *BARS))
        one.edit(whole(BUILT, WIDER))
        qqq = [*BARS, *bars("QQQ", minutes=range(5))]
        beside = threading.Thread(target=one.apply, kwargs={"so_far": qqq})
        before = one.lanes, one.runs
        beside.start()
        for minute in range(5, 25):
            assert on_a_loop(partial(one.says, "Mine", *bars(minutes=[minute]))) == [1]
        assert (one.lanes, one.runs) == before, "it still takes its history"
        gate.touch()
        beside.join()
        assert one.lanes.fault(one.spec("Mine")) == ""
        assert one.lanes.lane(one.spec("Mine"), "QQQ").signal == 1


def test_a_ticker_joins_though_the_process_of_the_others_has_ended(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own")
    (own / "says.py").write_text(doing("os._exit(3) if bar.symbol == 'SPY' else None"))
    with session(tmp_path, whole(BUILT, MINE)) as one:
        one.says("Mine", *BARS)
        assert "ended by itself, with exit status 3" in one.lanes.fault(one.spec("Mine"))
        one.edit(whole(BUILT, MINE, OTHER))
        one.apply(so_far=[*BARS, *bars("QQQ", minutes=range(5))])
        assert one.says("Other", *bars("QQQ", minutes=[6])) == [1]
        assert one.lanes.fault(one.spec("Other")) == ""
        assert one.lanes.fault(one.spec("Mine")) != ""


def test_the_loop_goes_on_while_a_strategy_is_loaded_and_warmed_beside_it(tmp_path: Path) -> None:
    slow = SAYS.replace("return self.what", "time.sleep(0.05)\n        return self.what").replace(
        "import os", "import os\nimport time\n\ntime.sleep(0.3)"
    )
    own = write_folder(tmp_path / "own", quick=SAYS.replace('"says"', '"quick"'))
    with session(tmp_path, whole(strategy("Quick", "quick"))) as one:
        (own / "says.py").write_text(slow)
        one.edit(whole(strategy("Quick", "quick"), MINE))
        done, answered = threading.Event(), 0

        def beside() -> None:
            proposal = one.read()
            proposal.joining.get_warm(proposal.setup.specs[1:], by_ticker(BARS), {})
            proposal.joining.give_back()
            done.set()

        thread = threading.Thread(target=beside)
        thread.start()
        while not done.is_set():
            assert one.says("Quick", BARS[0]) == [1]
            answered += 1
        thread.join()
    assert answered > 20
