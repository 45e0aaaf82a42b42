"""The embedded simulator: a broker on a loopback port for one run, with a fresh account.

The coordinator reaches it through URLs, as it reaches Alpaca.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from coordinator.core.values import is_crypto
from coordinator.errors import OperatorError
from coordinator.settings import Settings, simulator_settings
from coordinator.shell.folders import private_folder
from coordinator.shell.simulated_leases import forget_killed_runs, forget_run
from coordinator.shell.wire import NEW_YORK

log = logging.getLogger("coordinator")

LEAST_CASH = Decimal(100_000)
FILL_MODEL = "spread"
"""Fills one basis point either side of the last close."""
CLAIM = "claimed"
"""The file that marks an account's folder as taken by a session."""
ROOM = Decimal("1.1")
"""The account's cash as a multiple of all strategies' capital."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the simulator plays, and for which tickers.

    `session_date` is the exchange's date, or the UTC date if only crypto is traded; None means the
    last date of the bars file, or without one the next session. `capital` is in dollars.
    """

    home: Path
    tickers: Sequence[str]
    capital: Decimal
    clock_speed: float
    session_date: date | None = None
    bars: Path | None = None
    source: str | None = None
    seed: int = 7
    fill_model: str | None = None

    @property
    def crypto_only(self) -> bool:
        """Whether no stock is traded, so that the session is a UTC day."""
        return all(is_crypto(ticker) for ticker in self.tickers)

    def known_date(self) -> date | None:
        """The session's date; None if only the simulator can tell it, from the bars file."""
        if self.session_date is not None or self.bars is not None:
            return self.session_date
        if self.crypto_only:
            return datetime.now(UTC).date()
        from simulator.calendar import Calendar

        today = datetime.now(NEW_YORK).date()
        return Calendar(today, today).first_on_or_after(today).date


@contextmanager
def embedded_simulator(simulation: Simulation, account: str) -> Iterator[Settings]:
    """Run a simulator within the context; yields settings that point at it.

    Raises:
        OperatorError: the bars file, the date or the fill model cannot be used.
    """
    from simulator.errors import SimulatorError
    from simulator.server import Simulator, SimulatorOptions

    day = simulation.known_date()
    options = SimulatorOptions(
        bars=simulation.bars,
        source=simulation.source,
        date=day,
        start=datetime.combine(day, time(0), UTC) if day and simulation.crypto_only else None,
        seed=simulation.seed,
        clock_speed=simulation.clock_speed,
        fill_model=simulation.fill_model or FILL_MODEL,
        cash=max(LEAST_CASH, simulation.capital * ROOM),
        account_number=account,
    )
    forget_killed_runs()
    try:
        simulator = Simulator(options)
        _tell_of_missing_bars(simulation, simulator.exchange.universe)
        simulator.start()
    except (SimulatorError, OperatorError) as error:
        _unclaim(simulation.home / account)
        raise OperatorError(str(error)) from None
    settings = simulator_settings(simulator.url, simulation.home)
    try:
        yield settings
    finally:
        simulator.stop()
        forget_run(settings.account_host, account)
        folder = simulation.home / account
        if {file.name for file in folder.glob("*")} <= {CLAIM}:  # no session began
            _unclaim(folder)


def _tell_of_missing_bars(simulation: Simulation, available: Collection[str]) -> None:
    """Warn of tickers without bars in the file; raises OperatorError if no ticker has any."""
    missing = [ticker for ticker in simulation.tickers if ticker not in available]
    if missing and simulation.bars is not None:
        lacks = f"{simulation.bars}: has no bars of {', '.join(missing)}"
        has = f"it holds {', '.join(available)}"
        if len(missing) == len(simulation.tickers):
            raise OperatorError(
                f"{lacks}; {has}. Correct the configuration's tickers, or give another file."
            )
        log.warning("%s, so nothing is decided on them; %s", lacks, has)


def claim_account(simulation: Simulation, *, for_warm_up: bool = False) -> str:
    """A fresh account, SIM0001 and up: the newest that a warm-up has prepared, or a new one.

    A run claims an account by creating its folder, or CLAIM in it: no two runs get the same one.
    """
    home, day = simulation.home, simulation.known_date()
    private_folder(home)
    folders = sorted(f for f in home.iterdir() if re.fullmatch(r"SIM\d{4,}", f.name))
    if day is not None and not for_warm_up:
        for folder in reversed(folders):
            if (folder / "warmup" / f"{day.isoformat()}.parquet").exists() and _claimed(folder):
                return folder.name
    number = max((int(folder.name[3:]) for folder in folders), default=0)
    while True:
        number += 1
        folder = home / f"SIM{number:04d}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if not for_warm_up:
            _claimed(folder)
        return folder.name


def _unclaim(folder: Path) -> None:
    """Give back an unused account; one that a warm-up prepared stays for the next run."""
    (folder / CLAIM).unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or never made
        folder.rmdir()


def _claimed(folder: Path) -> bool:
    """Take a folder for a session; False if another session has it."""
    try:
        (folder / CLAIM).touch(0o600, exist_ok=False)
    except FileExistsError:
        return False
    return True
