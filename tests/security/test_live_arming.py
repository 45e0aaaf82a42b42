"""Real money needs three words that agree, and the account's own (row 13); paper is the default.

A simulator stands in for Alpaca's live host: what it was asked for says how far a run came.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator import MultiTraderCoordinator
from coordinator.bootstrap import RunOptions, SessionOutcome, run_session, session_sources
from coordinator.errors import SafetyRefusal
from coordinator.settings import read_settings
from simulator.server import Simulator
from tests.e2e.running import KEYS, environment, simulator_options

ACCOUNT = "3PA9LIVE0001"
MATRIX = list(itertools.product((False, True), repeat=3))
OTHER_WORDS = [
    "1",
    "true",
    "yes",
    "PA9LIVE0001",
    f"{ACCOUNT}0",
    f" {ACCOUNT}x",
    ACCOUNT.lower(),
]
STRATEGY = {"name": "A", "strategy_type": "rsi", "tickers": ["SPY"], "initial_cash": 1000.0}


@pytest.fixture(scope="module")
def broker() -> Iterator[Simulator]:
    """The one that stands in; nobody trades on it, so every test may use it."""
    with Simulator(simulator_options(account_number=ACCOUNT)) as running:
        yield running


def run(
    broker: Simulator, folder: Path, *, live_config: bool, live_word: bool, allowed: str | None
) -> SessionOutcome:
    """A run that is asked to stop as soon as it trades: it arms itself, opens and closes."""
    config = folder / "mine.json"
    config.write_text(
        json.dumps({"strategies": [STRATEGY]} | ({"mode": "live"} if live_config else {}))
    )
    known = environment(broker, folder / "home") | {"HOME": str(folder)}
    if allowed is not None:
        known["MULTI_TRADER_ALLOW_LIVE"] = allowed

    async def story() -> SessionOutcome:
        stop = asyncio.Event()

        @asynccontextmanager
        async def stops(_: object) -> AsyncIterator[None]:
            stop.set()
            yield

        options = RunOptions(config=config, live=live_word, clock_speed=1000)
        return await run_session(options, stop=stop, environment=known, observers=[stops])

    return asyncio.run(story())


def asked(broker: Simulator) -> dict[str, int]:
    """What the broker was asked for so far."""
    return dict(broker.snapshot().requests)


@pytest.fixture(autouse=True)
def _own_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(("live_config", "live_word", "allowed"), MATRIX)
def test_only_three_agreeing_words_arm_a_run_for_real_money(
    live_config: bool, live_word: bool, allowed: bool, broker: Simulator, tmp_path: Path
) -> None:
    before = asked(broker)
    words: dict[str, Any] = {"live_config": live_config, "live_word": live_word}
    words["allowed"] = ACCOUNT if allowed else None
    if live_config != live_word or (live_config and not allowed):
        with pytest.raises(SafetyRefusal, match="MULTI_TRADER_ALLOW_LIVE") as refusal:
            run(broker, tmp_path, **words)
        assert refusal.value.exit_code == 3
        assert asked(broker) == before, "a run that is not armed asks the broker for nothing"
        assert not list(tmp_path.rglob("journal.db"))
        return
    outcome = run(broker, tmp_path, **words)
    [session] = session_sources(tmp_path / "home")
    [row] = session.rows()["sessions"]
    assert outcome.account == ACCOUNT
    assert row["mode"] == ("live" if live_config else "paper")


@pytest.mark.parametrize("allowed", OTHER_WORDS)
def test_the_allowance_must_be_the_number_that_the_account_answers(
    allowed: str, broker: Simulator, tmp_path: Path
) -> None:
    with pytest.raises(SafetyRefusal, match=f"must equal the account's number {ACCOUNT}"):
        run(broker, tmp_path, live_config=True, live_word=True, allowed=allowed)
    assert not list(tmp_path.rglob("journal.db"))


def test_without_any_word_it_is_the_paper_host(tmp_path: Path) -> None:
    assert read_settings(KEYS, live=False, folder=tmp_path).trading_url == (
        "https://paper-api.alpaca.markets"
    )


@pytest.mark.parametrize(
    ("options", "allowed"),
    [(None, None), (None, "other"), (RunOptions(clock_speed=1000), ACCOUNT)],
    ids=["no allowance", "another account's", "options that do not say live"],
)
def test_a_python_program_is_armed_by_the_same_words(
    options: RunOptions | None,
    allowed: str | None,
    broker: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment(broker, tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    if allowed is not None:
        monkeypatch.setenv("MULTI_TRADER_ALLOW_LIVE", allowed)
    coordinator = MultiTraderCoordinator([STRATEGY], paper=False, options=options)
    with pytest.raises(SafetyRefusal, match="MULTI_TRADER_ALLOW_LIVE"):
        asyncio.run(coordinator.run())
    assert not list(tmp_path.rglob("journal.db"))
