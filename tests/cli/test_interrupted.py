"""Ctrl-C before a command has begun, or once it is over, ends it without a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import Shell

KILLED, SAID_130 = -signal.SIGINT, 130
"""The shell calls both 130."""
MOMENTS = {
    "while it imports": """
class Finder:
    def find_spec(self, name, *_):
        if name == "typer":
            ctrl_c()
sys.meta_path.insert(0, Finder())
""",
    "while it is put together": """
import typer.main
typer.main.get_command = lambda _: ctrl_c()
""",
    "when it is over": """
atexit.register(ctrl_c)
""",
}
COMMAND = """
import atexit, os, signal, sys

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
{moment}
from cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("moment", "code"), list(zip(MOMENTS, [KILLED, SAID_130, KILLED], strict=True))
)
def test_ctrl_c_outside_of_a_commands_work_ends_it_quietly(
    shell: Shell, moment: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(moment=MOMENTS[moment]), "status"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_ctrl_c_that_the_shell_has_ignored_stays_ignored(shell: Shell) -> None:
    script = f"trap '' INT; exec {sys.executable} -c '{COMMAND}' --version"
    done = subprocess.run(
        ["bash", "-c", script.format(moment=MOMENTS["when it is over"])],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
