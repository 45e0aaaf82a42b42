"""A folder of one's own strategies: what it offers, what is refused, and who says where."""

from __future__ import annotations

import json
import os
import sys
import threading
from decimal import getcontext, localcontext
from pathlib import Path
from typing import Any

import pytest

from coordinator.config import config_hash, load_config
from coordinator.config.problems import rule_for, window_problem
from coordinator.config.sweeps import sweeps_of
from coordinator.core.lanes import Lanes
from coordinator.errors import ConfigError, OperatorError
from coordinator.settings import read_settings
from coordinator.shell.strategy_process import StrategyRaised
from coordinator.strategies.folder import StrategyFolder
from coordinator.strategies.hidden_keys import hidden_keys
from coordinator.strategies.registry import BUILT_IN, registered_types
from tests.coordinator.isolating import bars, isolated, named
from tests.coordinator.own_strategies import CROSSING, PANDAS, document, write_folder
from tests.coordinator.reading import decimals, signals


def load(place: Path, kind: str, **params: Any) -> Any:
    """The strategy of a configuration that stands beside the folder `own`."""
    file = place / "my.json"
    file.write_text(json.dumps(document(kind, **params)))
    return load_config(file).strategies[0].strategy


def problems(place: Path, kind: str, **params: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        load(place, kind, **params)
    return [(one.path, one.message) for one in refused.value.problems]


def test_a_file_in_the_folder_is_a_strategy_that_a_configuration_can_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "own", crossing=CROSSING)
    strategy = load(tmp_path, "crossing", window=2)
    assert strategy.parameters == {"window": 2}
    assert strategy.longest_window == 2
    assert signals(strategy, decimals([5, 6, 5, 5])) == [0, 1, -1, 0]


def test_a_plain_class_that_reads_frames_is_one_too(tmp_path: Path) -> None:
    write_folder(tmp_path / "own", rising=PANDAS)
    strategy = load(tmp_path, "rising", least=0.5)
    assert strategy.parameters == {"lookback": 2, "least": 0.5}
    assert strategy.longest_window == 2
    assert signals(strategy, decimals([5, 6, "6.5", 8])) == [0, 1, -1, 1]


def test_a_file_that_sets_the_precision_of_decimals_sets_it_for_nobody_else(tmp_path: Path) -> None:
    coarse = "from decimal import getcontext\ngetcontext().prec = 3\n"
    write_folder(tmp_path / "own", crossing=coarse + CROSSING)
    with localcontext(prec=28) as context:
        load(tmp_path, "crossing", window=2)
        assert getcontext() is context
        assert context.prec == 28


def test_the_folder_is_seen_from_the_configurations_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "own", crossing=CROSSING)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path, "crossing").strategy_type == "crossing"


def test_a_file_that_changes_the_current_folder_moves_neither_itself_nor_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "own", away=f"import os\nos.chdir('/')\n{CROSSING}")
    monkeypatch.chdir(tmp_path)
    (offer,) = StrategyFolder(Path("own")).offers
    assert StrategyFolder(Path("own")).load(offer).strategy_type == "crossing"
    assert Path.cwd() == tmp_path


def test_a_folder_that_is_named_beside_it_takes_its_place(tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", crossing=CROSSING)
    file = tmp_path / "my.json"
    file.write_text(json.dumps(document("crossing", folder="nowhere")))
    assert load_config(file, other).strategies[0].strategy_type == "crossing"


def test_beside_an_unknown_type_the_users_own_are_named_before_the_built_in_ones(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path / "own", crossing=CROSSING)
    [(_, said)] = problems(tmp_path, "nothing_like_it")
    known = said.partition("(known: ")[2].partition(")")[0].split(", ")
    assert known == ["crossing", *BUILT_IN.names]


def test_nothing_is_imported_before_its_name_is_asked_for(tmp_path: Path) -> None:
    write_folder(tmp_path / "own", crossing=CROSSING, broken="raise SystemExit", syntax="x = (")
    assert load(tmp_path, "crossing")
    assert "crossing" not in sys.modules


def test_tests_and_private_files_offer_nothing(tmp_path: Path) -> None:
    texts = {
        name: PANDAS.replace("rising", name)
        for name in ("test_a", "a_test", "conftest", "_private", "fine")
    }
    folder = StrategyFolder(write_folder(tmp_path / "own", **texts))
    assert [offer.strategy_type for offer in folder.offers] == ["fine"]
    assert folder.faults == []


def test_only_python_files_directly_in_it_count(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own", fine=PANDAS)
    write_folder(own / "below", deeper=CROSSING)
    (own / "notes.txt").write_text(CROSSING)
    assert [offer.strategy_type for offer in StrategyFolder(own).offers] == ["rising"]


def test_a_strategy_may_import_the_files_beside_it_and_leaves_none_behind(tmp_path: Path) -> None:
    own = write_folder(
        tmp_path / "own",
        levels_of_mine="LEVEL = 6",
        above="""
        from coordinator import Strategy
        from levels_of_mine import LEVEL

        class Above(Strategy):
            strategy_type = "above"
            longest_window = property(lambda self: 1)

            def step(self, bar):
                return (bar.close > LEVEL) - (bar.close < LEVEL)
        """,
    )
    assert signals(load(tmp_path, "above"), decimals([5, 6, 7])) == [-1, 0, 1]
    assert sorted(file.name for file in own.iterdir()) == ["above.py", "levels_of_mine.py"]


def test_a_file_that_is_called_like_a_module_shadows_none(tmp_path: Path) -> None:
    write_folder(tmp_path / "own", json=PANDAS.replace("rising", "mine"))
    assert load(tmp_path, "mine").strategy_type == "mine"
    assert json.loads("1") == 1
    assert "own" not in str(sys.modules["json"].__file__)


def test_an_edited_file_is_read_again_and_is_another_configuration(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own", rising=PANDAS)
    file = tmp_path / "my.json"
    file.write_text(json.dumps(document("rising")))
    before = load_config(file)
    assert config_hash(before) == config_hash(load_config(file))
    (own / "rising.py").write_text(PANDAS.replace("else -1", "else 0"))
    after = load_config(file)
    assert config_hash(before) != config_hash(after)
    closes = decimals([5, 6, 5])
    assert signals(before.strategies[0].strategy, closes) == [0, 1, -1]
    assert signals(after.strategies[0].strategy, closes) == [0, 1, 0]


def test_a_file_beside_it_that_a_strategy_imports_is_part_of_its_code(tmp_path: Path) -> None:
    own = write_folder(
        tmp_path / "own",
        level="from below import LEVEL",
        below="LEVEL = 6",
        unrelated="LEVEL = 7",
        rising="import level\n" + PANDAS,
    )
    known = {load(tmp_path, "rising").source_digest}
    (own / "unrelated.py").write_text("LEVEL = 8")
    known.add(load(tmp_path, "rising").source_digest)
    assert len(known) == 1
    (own / "below.py").write_text("LEVEL = 8")
    known.add(load(tmp_path, "rising").source_digest)
    assert len(known) == 2


def test_what_is_edited_while_it_is_imported_is_not_run_under_the_name_of_either_text(
    tmp_path: Path,
) -> None:
    edits = "import pathlib\npathlib.Path(__file__).with_name('below.py').write_text('LEVEL = 8')\n"
    write_folder(
        tmp_path / "own", below="LEVEL = 6", rising=edits + "from below import LEVEL\n" + PANDAS
    )
    with pytest.raises(OperatorError, match=r"rising\.py:\d+: was changed while it was imported"):
        load(tmp_path, "rising")


BAD = {
    "what is not Python": ("\nx = (\n", r"own/bad\.py:2: is not Python: '\(' was never closed"),
    "a NUL": ("x = '\0'", r"own/bad\.py:1: is not Python"),
    "a class without a name": (
        "from coordinator import Strategy\nclass MyBad(Strategy):\n    n: int = 3\n",
        r'own/bad\.py:2: class MyBad has no name .* add: strategy_type = "my_bad"',
    ),
    "a name that is no fixed text": (
        "class Bad:\n    strategy_type = str(1)\n    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: class Bad has no name",
    ),
    "a name that is a number": (
        "class Bad:\n    strategy_type = 1\n    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: class Bad has no name",
    ),
    "an empty name": (
        "class Bad:\n    strategy_type = ''\n    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: class Bad has no name",
    ),
    "an exception": (
        "def f():\n    return 1 / 0\nf()\nclass Bad:\n    strategy_type = 'bad'\n",
        r"own/bad\.py:2: ZeroDivisionError when it was imported: division by zero",
    ),
    "an exit": ("exit(3)\nclass Bad:\n    strategy_type = 'bad'\n", r"own/bad\.py:1: SystemExit"),
    "a module that is missing": (
        "import no_such_module\nclass Bad:\n    strategy_type = 'bad'\n",
        r"own/bad\.py:1: ModuleNotFoundError when it was imported: .*no_such_module",
    ),
    "an error in the file beside it": (
        "import broken\nclass Bad:\n    strategy_type = 'bad'\n",
        r"own/broken\.py:2: NameError when it was imported",
    ),
    "a field without a type": (
        "from coordinator import Strategy\nclass Bad(Strategy):\n    strategy_type = 'bad'\n"
        "    n = 3\n",
        r"own/bad\.py:2: PydanticUserError .*require a type annotation",
    ),
    "a class that reads no bars": (
        "class Bad:\n    strategy_type = 'bad'\n",
        r"own/bad\.py:1: class Bad cannot read bars; give it one of start",
    ),
    "a class that reads them twice": (
        "from coordinator import Strategy, Window\nclass Bad(Strategy):\n"
        "    strategy_type = 'bad'\n    n: Window = 1\n    def step(self, bar): ...\n"
        "    def signal(self, bars): ...\n",
        r"own/bad\.py:2: class Bad has step and signal; give it one",
    ),
    "a class that does not say how far it looks back": (
        "from coordinator import Strategy\nclass Bad(Strategy):\n    strategy_type = 'bad'\n"
        "    def step(self, bar): ...\n",
        r"own/bad\.py:2: class Bad does not say how far it looks back",
    ),
    "a class that answers by ticker and is not derived so": (
        "from coordinator import Strategy, Window\nclass Bad(Strategy):\n"
        "    strategy_type = 'bad'\n    n: Window = 1\n    def signals(self, bars): ...\n",
        r"own/bad\.py:2: class Bad answers signals by ticker; derive it from coordinator\.Multi",
    ),
    "a class of several tickers that reads the bars of one": (
        "from coordinator import MultiTickerStrategy, Window\nclass Bad(MultiTickerStrategy):\n"
        "    strategy_type = 'bad'\n    n: Window = 1\n    def signal(self, bars): ...\n",
        r"own/bad\.py:2: class Bad cannot read the bars of several tickers; give it one of signals",
    ),
    "a class of several tickers without a name": (
        "import coordinator\nclass MyBad(coordinator.MultiTickerStrategy):\n    n: int = 1\n",
        r'own/bad\.py:2: class MyBad has no name .* add: strategy_type = "my_bad"',
    ),
    "parameters without names": (
        "class Bad:\n    strategy_type = 'bad'\n    def __init__(self, *all): ...\n"
        "    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: class Bad takes \*all; give each parameter a name",
    ),
    "less history than it looks back": (
        "from coordinator import Strategy, Window\nclass Bad(Strategy):\n"
        "    strategy_type = 'bad'\n    n: Window = 5\n    def step(self, bar): ...\n"
        "    history_bars = property(lambda self: self.n - 1)\n",
        r"history_bars of bad is 4; it should be 5 to 1000000 bars",
    ),
    "a history that cannot be told": (
        "from coordinator import Strategy, Window\nclass Bad(Strategy):\n"
        "    strategy_type = 'bad'\n    n: Window = 5\n    def step(self, bar): ...\n"
        "    history_bars = property(lambda self: self.n / 0)\n",
        r"bad raised ZeroDivisionError: division by zero at .*own/bad\.py:6",
    ),
    "an object that cannot be made": (
        "class Bad:\n    strategy_type = 'bad'\n    def __init__(self): raise KeyError('x')\n"
        "    def generate_signal(self, bars): ...\n",
        r"bad raised KeyError: 'x' at .*own/bad\.py:3",
    ),
    "a name that is a built-in's": (
        "class Bad:\n    strategy_type = 'momentum'\n    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: strategy type 'momentum' is offered by .*MomentumStrategy as well",
    ),
    "a name that another file has": (
        "class Bad:\n    strategy_type = 'fine'\n    def generate_signal(self, bars): ...\n",
        r"own/bad\.py:1: strategy type 'fine' is offered by .*own/fine\.py:1 as well",
    ),
}
ASKED = {"a name that is a built-in's": "momentum", "a name that another file has": "fine"}


@pytest.mark.parametrize("what", BAD)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, what: str) -> None:
    text, told = BAD[what]
    fine = PANDAS.replace("rising", "fine")
    write_folder(tmp_path / "own", fine=fine, broken="\nnothing_of_that_name\n", bad=text)
    found = problems(tmp_path, ASKED.get(what, "bad"))
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(" | ".join(message for _, message in found))
    assert {path for path, _ in found} <= {"strategies_dir", "strategies[0].strategy_type"}
    assert "\n" not in "".join(message for _, message in found)
    if what != "a name that another file has":
        assert load(tmp_path, "fine"), "the others are not disturbed by it"


def test_wrong_parameters_are_named_with_their_places(tmp_path: Path) -> None:
    write_folder(tmp_path / "own", rising=PANDAS)
    assert problems(tmp_path, "rising", lookback="x", leest=1) == [
        ("strategies[0].strategy_params.leest", _DID_YOU_MEAN),
        ("strategies[0].strategy_params.lookback", "should be an integer, got 'x'"),
    ]


def test_a_validator_that_fails_without_a_wrong_parameter_leaves_that_one_to_be_named(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path / "own", looks=LOOKS.replace("return self\n", "return 1 / 0\n"))
    found = problems(tmp_path, "looks", window="x")
    assert found == [("strategies[0].strategy_params.window", "should be an integer, got 'x'")]


_DID_YOU_MEAN = "unknown key 'leest'; did you mean 'least'? (known: lookback, least)"


def open_folder(own: Path) -> None:
    own.chmod(0o777)


def open_file(own: Path) -> None:
    (own / "rising.py").chmod(0o664)


def open_neighbour(own: Path) -> None:
    (own / "test_rising.py").touch()
    (own / "test_rising.py").chmod(0o666)


def link(own: Path) -> None:
    (own / "elsewhere.py").symlink_to(own.parent / "elsewhere.py")


def remove(own: Path) -> None:
    own.rename(own.parent / "gone")


def file_in_its_place(own: Path) -> None:
    remove(own)
    own.touch()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (open_folder, r"own: other users can write to it.*run: chmod go-w '.*own'"),
        (open_file, r"own/rising\.py: other users can write to it"),
        (open_neighbour, r"own/test_rising\.py: other users can write to it"),
        (link, r"own/elsewhere\.py: is a link"),
        (remove, r"own: there is no such folder.*multi-trader new-strategy NAME"),
        (file_in_its_place, r"own: is no folder"),
    ],
)
def test_a_folder_that_others_could_use_to_run_code_is_refused(
    tmp_path: Path, change: Any, told: str
) -> None:
    change(write_folder(tmp_path / "own", rising=PANDAS))
    ((path, message),) = problems(tmp_path, "rising")
    assert path == "strategies_dir"
    with pytest.raises(OperatorError, match=told):
        raise OperatorError(message)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    own = write_folder(tmp_path / "own", rising=PANDAS)
    os.chown(own / "rising.py", 65534, 65534)
    ((_, message),) = problems(tmp_path, "rising")
    assert "belongs to another user" in message


@pytest.mark.parametrize("value", [None, "", 3, ["own"], "a\0b"])
def test_the_folder_must_be_a_path(tmp_path: Path, value: object) -> None:
    file = tmp_path / "my.json"
    file.write_text(json.dumps(document("momentum") | {"strategies_dir": value}))
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert [problem.path for problem in refused.value.problems] == ["strategies_dir"]


def test_it_runs_in_a_process_of_its_own_and_says_where_it_failed(tmp_path: Path) -> None:
    own = write_folder(
        tmp_path / "own",
        failing="""
        import os
        from coordinator import Strategy, Window

        class Failing(Strategy):
            strategy_type = "failing"
            pid: int = 0
            window: Window = 1

            def step(self, bar):
                if bar.close > 101:
                    return [][1]
                return 1 if os.getpid() != self.pid and "APCA_API_KEY_ID" not in os.environ else -1
        """,
    )
    kind = registered_types(own)["failing"]
    spec = named("Own", kind(pid=os.getpid()))
    os.environ["APCA_API_KEY_ID"] = "a key"
    try:
        with isolated([spec], BUILT_IN) as (walled,):
            lanes = Lanes([walled])
            lane = lanes.lane(walled, "SPY")
            seen = []
            for bar in bars(minutes=range(4)):
                lanes.feed_all([bar])
                seen.append(lane.signal)
    finally:
        del os.environ["APCA_API_KEY_ID"]
    assert seen == [1, 1, 0, 0]
    assert lane.fault.startswith(StrategyRaised.__name__)
    assert lane.fault.endswith(f"IndexError: list index out of range ({own}/failing.py:12)")


LOOKS = """\
import os
from pydantic import Field, model_validator
from coordinator import Strategy, Window

AT_IMPORT = {*os.environ} & {"APCA_API_KEY_ID", "MULTI_TRADER_WEBHOOK_URL", "MY_KEY"}
SEEN = set()

class Looks(Strategy):
    strategy_type = "looks"
    window: Window = 1

    @model_validator(mode="after")
    def look(self):
        SEEN.update({*os.environ} & {"APCA_API_KEY_ID", "APCA_API_SECRET_KEY"})
        return self

    @property
    def longest_window(self):
        self.look()
        return self.window

    def signal(self, bars):
        return 0
"""


def test_a_file_finds_no_keys_in_the_environment_and_whoever_needs_them_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"APCA_API_KEY_ID": "PK1", "APCA_API_SECRET_KEY": "S1"}
    for name, value in {
        **secrets,
        "MULTI_TRADER_WEBHOOK_URL": "https://x/y",
        "MY_KEY": "a",
    }.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    types = registered_types(write_folder(tmp_path / "own", looks=LOOKS))
    entry = {"name": "A", "strategy_type": "looks", "strategy_params": {"window": 2}}
    rule, problems = rule_for(0, entry, types)
    assert problems == []
    assert window_problem(0, rule) == []
    wrong = entry | {"strategy_params": {"window": "x"}}
    assert rule_for(0, wrong, types)[0] is None
    swept = {"name": "A", "strategy_type": "looks", "sweep": {"window": [2, 3]}}
    assert sweeps_of([(0, swept)], {}, types)[0].problems == []
    module = sys.modules[type(rule).__module__]
    assert {"MY_KEY"} == module.AT_IMPORT
    assert set() == module.SEEN
    assert dict(os.environ) == before
    settings = read_settings(os.environ, live=False, folder=tmp_path)
    assert (settings.key_id, settings.secret) == ("PK1", "S1")


def test_keys_that_are_read_while_a_file_is_loaded_on_another_thread_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "PK1")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "S1")
    found: list[str] = []
    reading = threading.Thread(
        target=lambda: found.append(read_settings(os.environ, live=False, folder=tmp_path).key_id)
    )
    with hidden_keys():
        reading.start()
        reading.join(0.05)
        assert found == []
    reading.join()
    assert found == ["PK1"]
