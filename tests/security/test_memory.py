"""What a user's own strategy can reach in its process: nothing that only the coordinator may know.

It looks where Python leads it, from every frame, module and object that it was forked with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.coordinator.own_strategies import write_folder

SECRETS = {
    "APCA_API_KEY_ID": "CANARY-KEY",
    "APCA_API_SECRET_KEY": "CANARY-SECRET",
    "MULTI_TRADER_WEBHOOK_URL": "http://127.0.0.1:9/CANARY-HOOK",
    "PREFECT_API_AUTH_STRING": "CANARY-AUTH",
    "KEPT": "CANARY-KEPT",
}
LOOKS = """\
import gc
import json
import os
import sys

from coordinator import Strategy, Window

AT_IMPORT = sorted(os.environ.keys() & {*SECRETS})


def reachable():
    gc.unfreeze()
    needle, found, seen = "".join(["CAN", "ARY"]), set(), {}
    frame, waiting = sys._getframe(), [*gc.get_objects(), os.environ]
    while frame is not None:
        waiting += [frame.f_locals, frame.f_globals]
        frame = frame.f_back
    while waiting:
        one = waiting.pop()
        if id(one) in seen or one is found or one is waiting:
            continue
        seen[id(one)] = one
        text = one.decode("latin-1") if isinstance(one, bytes) else one
        if isinstance(text, str) and needle in text and text != needle:
            found.add(text)
        waiting += gc.get_referents(one)
    return sorted(found)


class Looks(Strategy):
    strategy_type = "looks"
    window: Window = 1

    def start(self):
        with open(FOUND + ".part", "w") as file:
            json.dump([os.getpid(), reachable(), AT_IMPORT], file)
        os.replace(FOUND + ".part", FOUND)
        return self.at

    def at(self, bar):
        return 0
"""
COMMAND = "from cli.main import main\nmain()\n"
SCRIPT = """\
import asyncio
from pathlib import Path
from looks import Looks
from coordinator import MultiTraderCoordinator
from coordinator.bootstrap import RunOptions

options = RunOptions(simulate=True, home=Path("state"))
mine = {"name": "Mine", "strategy": Looks(), "tickers": ["SPY"]}
asyncio.run(MultiTraderCoordinator([mine], options=options).run())
"""
CONFIG = {
    "strategies_dir": "own",
    "strategies": [{"name": "Mine", "strategy_type": "looks", "tickers": ["SPY"]}],
}
RUN = ("run", "--config", "mine.json", "--simulate", "--no-load")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it is started as on Linux")
@pytest.mark.parametrize(
    ("program", "args"), [(COMMAND, RUN), (SCRIPT, ())], ids=["command", "script"]
)
def test_neither_keys_nor_the_webhook_are_anywhere_in_the_process_of_a_strategy(
    tmp_path: Path, program: str, args: tuple[str, ...]
) -> None:
    found = tmp_path / "found.json"
    own = write_folder(
        tmp_path / "own", looks=f"FOUND, SECRETS = {str(found)!r}, {[*SECRETS]}\n{LOOKS}"
    )
    (tmp_path / "mine.json").write_text(json.dumps(CONFIG))
    known = {**os.environ, **SECRETS, "MULTI_TRADER_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        [sys.executable, "-c", program, *args],
        cwd=tmp_path,
        env={**known, "PYTHONPATH": f"{ROOT}{os.pathsep}{own}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = b""
        while not found.exists() and (line := process.stderr.readline()):
            said += line
        process.kill()
    assert found.exists(), said.decode()
    pid, reached, at_import = json.loads(found.read_text())
    assert pid != process.pid
    assert any("CANARY-KEPT" in text for text in reached), "it is where it looks that things are"
    assert [text for text in reached if "CANARY-KEPT" not in text] == []
    if program == COMMAND:  # a script imports what it likes, where it likes
        assert at_import == ["KEPT"], "the command imports it before its process is there"
