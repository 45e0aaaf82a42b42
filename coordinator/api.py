"""The coordinator as a Python object, for scripts of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.bootstrap import RunOptions, SessionOutcome, run_configured
from coordinator.config import ControlsConfig, configure
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.settings import KEYS

log = logging.getLogger("coordinator")
LOG_FORMAT = "%(asctime)s [%(levelname)s] %(message)s"
LOG_TIME = "%Y-%m-%d %H:%M:%S"


class MultiTraderCoordinator:
    """Runs many strategies over one shared connection, each with a book of its own.

    `strategies` are dictionaries with the keys of the configuration's `strategies[]`, but with a
    `strategy` object in place of `strategy_type` and `strategy_params` if you like: a Strategy, or
    anything with `generate_signal(bars: pandas.DataFrame) -> int`. An object of your own works in
    a process of its own: what it remembers is not seen here, files and connections that were open
    before are closed to it, what it prints goes to the log, and what goes wrong in it stops it
    alone. Keys left out come from the environment (APCA_API_KEY_ID, APCA_API_SECRET_KEY), as do
    the URLs and MULTI_TRADER_HOME.
    `name` is the coordinator's: two that run on one account at once need two. `crossing`,
    `crypto_fee_rate` and `controls` are the keys of that name in a configuration.

    With `paper=False` real money is traded, if MULTI_TRADER_ALLOW_LIVE equals the account number;
    `options` of your own must then say `live=True` as well.
    With `simulate=True` the embedded simulator is the broker, and no keys are needed. `clock_speed`
    says up to how many times as fast as ours the broker's clock runs: by default 600 for the
    embedded simulator, else 1; `multi-trader simulator` serves at 600 unless told.

    Raises:
        ConfigError: for everything that is wrong in `strategies`, at once.
    """

    def __init__(
        self,
        strategies: Sequence[Mapping[str, Any]],
        api_key: str | None = None,
        api_secret: str | None = None,
        paper: bool = True,
        *,
        name: str = "multi-trader",
        feed: str = "iex",
        crossing: bool = False,
        crypto_fee_rate: float | Decimal = CRYPTO_FEE_RATE,
        controls: ControlsConfig | Mapping[str, Any] = ControlsConfig(),  # noqa: B008
        simulate: bool = False,
        clock_speed: float | None = None,
        options: RunOptions | None = None,
        home: Path | None = None,
    ) -> None:
        mode = "paper" if paper else "live"
        self._config = configure(
            strategies,
            name=name,
            mode=mode,
            feed=feed,
            crossing=crossing,
            crypto_fee_rate=crypto_fee_rate,
            controls=controls,
        )
        self._options = options or RunOptions(
            live=not paper, simulate=simulate, clock_speed=clock_speed, home=home
        )
        given = {KEYS[0]: api_key, KEYS[1]: api_secret}
        own = {key: value for key, value in given.items() if value is not None}
        self._environment = ChainMap(own, os.environ)  # no copy, which strategies would inherit
        self._stop: asyncio.Event | None = None

    async def run(self) -> SessionOutcome:
        """Trade until the session's end, Ctrl-C, SIGTERM or `stop()`; logs the guide's summary.

        A script that has set up no logging reads the log on stderr, in the guide's format.

        Raises:
            OperatorError: missing keys, or refused for safety.
            BrokerError: the broker could not be reached, or a stream was lost for good.
        """
        self._stop = asyncio.Event()
        with _heard(), _stopped_by_signals(self._stop):
            outcome = await run_configured(
                self._config, self._options, self._environment, stop=self._stop
            )
            for line in outcome.summary.splitlines():
                log.info("%s", line)
        return outcome

    def stop(self) -> None:
        """End the session early and in order; call it on the loop that runs it."""
        if self._stop is not None:
            self._stop.set()


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Write our log to stderr meanwhile, unless somebody hears it already."""
    if log.hasHandlers():
        yield
        return
    handler, level = logging.StreamHandler(), log.level
    handler.setFormatter(logging.Formatter(LOG_FORMAT, datefmt=LOG_TIME))
    log.addHandler(handler)
    log.setLevel(level or logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the session in order, where this thread may say so."""
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except (RuntimeError, ValueError, NotImplementedError):
            break  # not the main thread: its owner hears the signals, and calls stop()
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
