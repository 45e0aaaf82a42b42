"""The coordinator as a Python object, for your own scripts."""

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
STOPPING = (
    "Stopping: waiting for the ends of open orders, and for what the broker still has to answer."
    " Ctrl-C once more leaves at once"
)
LEFT = (
    "Left at once. The journal keeps what was done; unless the broker was simulated, the next start"
    " resumes from it"
)
INTERRUPTED = 130
"""A shell's exit code of a program that Ctrl-C ended."""


class MultiTraderCoordinator:
    """Runs many strategies over one shared connection, each with its own book.

    `strategies` are dictionaries with the keys of the configuration's `strategies[]`. A `strategy`
    object may replace `strategy_type` and `strategy_params`: a Strategy, or any object with
    `generate_signal(bars: pandas.DataFrame) -> int`. Your own object runs in a separate process:
    its state is not visible here, files and connections opened earlier are closed to it, its output
    goes to the log, and an error in it stops that strategy alone. Credentials that are not passed
    come from the environment (APCA_API_KEY_ID, APCA_API_SECRET_KEY), as do the URLs and
    MULTI_TRADER_HOME.
    `name` is the coordinator's name; two coordinators on one account need different names.
    `crossing`, `crypto_fee_rate` and `controls` mean the same as in a configuration file.

    `paper=False` trades real money, if MULTI_TRADER_ALLOW_LIVE equals the account number; if you
    pass `options`, they must say `live=True` as well.
    `simulate=True` makes the embedded simulator the broker and needs no credentials. `clock_speed`
    is how many times as fast as the local clock the broker's clock may run: by default 600 with the
    embedded simulator, else 1; `multi-trader simulator` runs at 600 by default.

    Raises:
        ConfigError: lists everything that is wrong in `strategies`.
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
        arguments = {KEYS[0]: api_key, KEYS[1]: api_secret}
        passed = {key: value for key, value in arguments.items() if value is not None}
        # No copy, which the strategies' processes would inherit.
        self._environment = ChainMap(passed, os.environ)
        self._stop: asyncio.Event | None = None

    async def run(self) -> SessionOutcome:
        """Trade until the session's end, Ctrl-C, SIGTERM or `stop()`, then log the summary.

        A second Ctrl-C ends the whole program at once. If the script has not configured logging,
        the log goes to stderr.

        Raises:
            OperatorError: credentials are missing, or trading was refused for safety.
            BrokerError: the broker could not be reached, or a stream was lost for good.
        """
        self._stop = asyncio.Event()
        with _logging_to_stderr(), _stopped_by_signals(self._stop):
            outcome = await run_configured(
                self._config, self._options, self._environment, stop=self._stop
            )
            for line in outcome.summary.splitlines():
                log.info("%s", line)
        return outcome

    def stop(self) -> None:
        """End the session early and in order; call this on the event loop that runs it."""
        if self._stop is not None:
            self._stop.set()


@contextlib.contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Send the log to stderr within the context, unless the script has a handler for it."""
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
    """Let SIGINT and SIGTERM end the session in order, if this is the main thread.

    A second SIGINT ends the process: what waits for the broker in other threads cannot be stopped.
    """
    loop, interrupts = asyncio.get_running_loop(), 0

    def heed(number: int) -> None:
        nonlocal interrupts
        interrupts += number == signal.SIGINT
        if interrupts > 1:
            log.warning(LEFT)
            os._exit(INTERRUPTED)
        if not stop.is_set():
            log.info(STOPPING)
        stop.set()

    installed = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, heed, number)
        except (RuntimeError, ValueError, NotImplementedError):
            break  # not the main thread: the script handles the signals and calls stop()
        installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
