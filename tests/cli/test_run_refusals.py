"""What `run` refuses before it talks to anybody: exit 2 or 3, one clear message, no network."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

GOOD = {"strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}]}
BAD = {
    "strategies": [
        {"name": "A", "strategy_type": "rsi", "tickers": ["spy"]},
        {"name": "B", "strategy_type": "rsy", "tickers": ["SPY"]},
    ]
}


@contextmanager
def broker_that_nobody_may_call() -> Iterator[tuple[dict[str, str], socket.socket]]:
    """The variables of keys and of a listening port, at which no call may arrive."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        yield (
            {
                "APCA_API_KEY_ID": "PKCANARY",
                "APCA_API_SECRET_KEY": "canary-secret",
                "APCA_API_BASE_URL": f"http://{address}",
                "APCA_API_DATA_URL": f"http://{address}",
                "APCA_API_STREAM_URL": f"ws://{address}",
            },
            listener,
        )


def _config(shell: Shell, document: object) -> str:
    path = shell.folder / "mine.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_bad_configuration_is_told_whole_before_any_call(shell: Shell) -> None:
    with broker_that_nobody_may_call() as (variables, listener):
        mine = dataclasses.replace(shell, variables=variables)
        done = mine.run("run", "--config", _config(shell, BAD))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (done.returncode, done.stdout) == (2, "")
    assert "strategies[0].tickers[0]" in done.stderr
    assert "strategies[1].strategy_type" in done.stderr
    assert "Traceback" not in done.stderr
    assert not shell.home.exists()


def test_without_keys_one_sentence_says_what_to_set(shell: Shell) -> None:
    done = shell.run("run", "--config", _config(shell, GOOD))
    assert (done.returncode, done.stdout) == (2, "")
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert "APCA_API_KEY_ID" in errors[0]
    assert "APCA_API_SECRET_KEY" in errors[0]
    assert "Traceback" not in done.stderr


def test_live_is_refused_for_safety_while_the_configuration_says_paper(shell: Shell) -> None:
    with broker_that_nobody_may_call() as (variables, listener):
        mine = dataclasses.replace(shell, variables=variables)
        done = mine.run("run", "--live", "--config", _config(shell, GOOD))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (done.returncode, done.stdout) == (3, "")
    assert "live" in done.stderr
    assert "canary" not in done.stderr


def test_a_broker_elsewhere_is_refused_before_any_call(shell: Shell) -> None:
    with broker_that_nobody_may_call() as (variables, _):
        elsewhere = variables | {"APCA_API_BASE_URL": "http://broker.example"}
        mine = dataclasses.replace(shell, variables=elsewhere)
        done = mine.run("run", "--config", _config(shell, GOOD))
    assert done.returncode in (2, 3)
    assert "broker.example" in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--bars", "none.parquet"], "none.parquet"),
        (["--simulate", "--date", "2026-03-17", "--fill-model", "magic"], "magic"),
    ],
    ids=["no bars file", "no such fill model"],
)
def test_a_simulation_that_cannot_be_played_is_exit_2(
    shell: Shell, args: list[str], named: str
) -> None:
    done = shell.run("run", *args, "--config", _config(shell, GOOD))
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sunday_has_no_stock_session_and_that_is_no_error(shell: Shell) -> None:
    done = shell.run("run", "--date", "2026-03-15", "--config", _config(shell, GOOD))
    assert done.returncode == 0
    assert done.stdout.startswith("MarketClosed: ")
    assert not (shell.home / "warehouse.duckdb").exists()


def test_debug_shows_where_it_happened_and_no_key(shell: Shell) -> None:
    with broker_that_nobody_may_call() as (variables, _):
        mine = dataclasses.replace(shell, variables=variables)
        config = _config(shell, BAD)
        done = mine.run("run", "--log-level", "DEBUG", "--config", config)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "canary" not in done.stderr


def test_the_configuration_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("run", "--config", str(tmp_path / "none.json"))
    assert done.returncode == 2
    assert "none.json" in done.stderr
