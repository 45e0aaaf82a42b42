"""The only place that wires parts together: configuration, environment, broker, engine, streams.

A run takes the lease, asks the broker for the account, replays the journal, reconciles the books
with the broker, opens or resumes the session, warms up, trades, reconciles again and reports.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from coordinator.arming import refuse_half_armed, refuse_untradable
from coordinator.broker_side import ask_broker
from coordinator.claims import Claims
from coordinator.config import CoordinatorConfig, Mode, default_config, load_config
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.live_view import LiveView, StrategyView
from coordinator.core.records import SessionEnd
from coordinator.core.setup import Setup
from coordinator.core.values import ZERO, is_crypto
from coordinator.embedded import FILL_MODEL, Simulation, claim_account, embedded_simulator
from coordinator.engine_setup import setup_of, specs_of
from coordinator.errors import OperatorError
from coordinator.readers import (
    JournalSource,
    Loadable,
    loadable,
    session_sources,
    sources_beside,
)
from coordinator.reload_source import ReloadSource
from coordinator.run_options import RunOptions, SessionOutcome
from coordinator.settings import Settings, home_folder, read_settings, warehouse_path, webhook_url
from coordinator.shell.control_socket import controlled
from coordinator.shell.isolation import Walls, walls
from coordinator.shell.lease import Leases
from coordinator.shell.log_files import log_files
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.run import Observer, Run, RunResult
from coordinator.shell.session import trade_session
from coordinator.shell.shadows import Beginning, Shadows
from coordinator.shell.webhook import Alerts, alerting
from coordinator.status import StatusView, read_status
from coordinator.strategies.registry import BUILT_IN
from coordinator.strategy_loader import load
from coordinator.warmup import WarmUp, WarmupOutcome

__all__ = [
    "JournalSource",
    "LiveView",
    "Loadable",
    "Observer",
    "RunOptions",
    "SessionOutcome",
    "StatusView",
    "StrategyView",
    "WarmUp",
    "WarmupOutcome",
    "ask_broker",
    "home_folder",
    "loadable",
    "read_status",
    "run_configured",
    "run_session",
    "session_sources",
    "sources_beside",
    "warehouse_path",
    "warming",
]

log = logging.getLogger("coordinator")


async def run_session(
    options: RunOptions,
    *,
    stop: asyncio.Event | None = None,
    environment: Mapping[str, str] = os.environ,
    observers: Sequence[Observer] = (),
) -> SessionOutcome:
    """Run one session to its end, or until `stop` is set. Installs no signal handlers.

    Each of the `observers` is a context that spans the trading; it receives the session's clerk.

    Raises:
        OperatorError: bad configuration or environment, or refused for safety.
        LeaseHeld: another coordinator trades the same market with these credentials.
        BrokerError: the broker could not be reached, or a stream was lost for good.
    """
    config = _configuration(options)
    return await run_configured(config, options, environment, stop=stop, observers=observers)


async def run_configured(
    config: CoordinatorConfig,
    options: RunOptions,
    environment: Mapping[str, str],
    *,
    stop: asyncio.Event | None = None,
    leases_folder: Path | None = None,
    observers: Sequence[Observer] = (),
) -> SessionOutcome:
    """Like `run_session`, with a configuration that is already read."""
    launch = _Launch(config, options, environment, leases_folder)
    with alerting(partial(webhook_url, environment), config.name, utc_now) as alerts:
        outcome = await launch.run(stop or asyncio.Event(), alerts, observers)
        alerts.differs(outcome.discrepancies)
        return outcome


@dataclass(frozen=True, slots=True)
class _Launch:
    """One run to be started: its configuration, options and environment."""

    config: CoordinatorConfig
    options: RunOptions
    environment: Mapping[str, str]
    leases_folder: Path | None

    async def run(
        self, stop: asyncio.Event, alerts: Alerts, observers: Sequence[Observer]
    ) -> SessionOutcome:
        """Trade the next session, unless the market is closed or another process trades it."""
        config, options = self.config, self.options
        refuse_untradable(config, simulated=options.simulated)
        refuse_half_armed(config, live=options.live, simulated=options.simulated)
        own = specs_of((*config.active, *config.shadows), options.min_warmup_bars)
        shadows = {strategy.name for strategy in config.shadows}
        if not own:
            said = "No strategy of the configuration is enabled."
            return SessionOutcome(SessionEnd.COMPLETED, said)
        with (
            walls(own, BUILT_IN, beside=shadows, restless=options.speed != 1, load=load) as walled,
            _settings(config, options, self.environment) as settings,
            Leases(self.leases_folder) as leases,
            log_files(settings.home, config.name, [spec.name for spec in own]) as logs,
        ):
            alerts.begin()  # after the walls: forked processes must not inherit the webhook's URL
            claims = self._claims(settings, leases, walled.specs)
            claims.take_key()

            def check_account(account: str) -> None:
                claims.take_account(account)
                logs.begin(account)

            ours = [controlled(settings, self.environment, options.speed), alerts.observe]
            run = self._run_of(walled, claims, check_account, [*ours, *observers])
            ports = Ports.real(claims.budgets)
            result = await trade_session(run, stop, ports)
            if result is None and stop.is_set():
                said = "It was stopped before a session was opened."
                return SessionOutcome(SessionEnd.STOPPED_EARLY, said)
            return _outcome(result, options)

    def _claims(self, settings: Settings, leases: Leases, specs: Sequence[StrategySpec]) -> Claims:
        markets = {"crypto" if is_crypto(ticker) else "stocks" for ticker in tickers_of(specs)}
        return Claims(
            coordinator=self.config.name,
            mode=Mode.PAPER if self.options.simulated else self.config.mode,
            markets=sorted(markets),
            strategies=[spec.name for spec in specs],
            settings=settings,
            leases=leases,
            budgets=Budgets(settings, speed=self.options.speed, folder=self.leases_folder),
        )

    def _run_of(
        self,
        walled: Walls,
        claims: Claims,
        check_account: Callable[[str], None],
        observers: Sequence[Observer],
    ) -> Run:
        """What the session runs; the walls list the trading strategies before the shadows."""
        options, trading = self.options, len(self.config.active)
        specs, shadows = tuple(walled.specs[:trading]), tuple(walled.specs[trading:])
        return Run(
            setup=replace(self._setup(self.config), specs=specs, shadows=shadows),
            shadowing=_shadowing,
            settings=claims.settings,
            speed=options.speed,
            check_account=check_account,
            fill_model=(options.fill_model or FILL_MODEL) if options.simulated else "",
            observers=observers,
            source=ReloadSource(
                path=options.config,
                strategies=options.strategies,
                setup=self._setup,
                walls=walled,
                leases=claims.leases,
                host=claims.settings.account_host,
                simulated=options.simulated,
            ),
        )

    def _setup(self, config: CoordinatorConfig) -> Setup:
        """The engine's setup for a configuration under these options, at a start or a reload."""
        overridden = _overridden(config, self.options)
        minimum, simulated = self.options.min_warmup_bars, self.options.simulated
        return setup_of(overridden, minimum, simulated=simulated)


def _shadowing(run: Run, beginning: Beginning) -> Shadows:
    """The shadows' part of a session, imported only by a session that has shadows."""
    from coordinator.shadow import Shadow

    return Shadow(run, beginning)


@asynccontextmanager
async def warming(
    options: RunOptions, *, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[WarmUp]:
    """A warm-up of the next session; its bars are fetched within the context.

    Raises:
        OperatorError, BrokerError: as `run_session` does.
    """
    config = _configuration(options)
    refuse_untradable(config, simulated=options.simulated)
    refuse_half_armed(config, live=options.live, simulated=options.simulated)
    specs = specs_of(config.enabled, options.min_warmup_bars)
    with _settings(config, options, environment, for_warm_up=True) as settings:
        feed = config.feed.value
        yield await asyncio.to_thread(WarmUp.begin, specs, feed, settings, options.speed)


def _configuration(options: RunOptions) -> CoordinatorConfig:
    return _overridden(_named_or_built_in(options), options)


def _overridden(config: CoordinatorConfig, options: RunOptions) -> CoordinatorConfig:
    if options.feed is None:
        return config
    return config.model_copy(update={"feed": type(config.feed)(options.feed)})


def _named_or_built_in(options: RunOptions) -> CoordinatorConfig:
    if options.config is not None:
        return load_config(options.config, options.strategies)
    if options.strategies is not None:
        raise OperatorError(
            f"--strategies {options.strategies} offers strategies, and the built-in configuration"
            " names none of them: add --config FILE."
        )
    return default_config()


@contextmanager
def _settings(
    config: CoordinatorConfig,
    options: RunOptions,
    environment: Mapping[str, str],
    *,
    for_warm_up: bool = False,
) -> Iterator[Settings]:
    home = options.home or home_folder(environment)
    if not options.simulated:
        settings = read_settings(environment, live=config.mode is Mode.LIVE)
        yield replace(settings, home=options.home or settings.home)
        return
    simulation = Simulation(
        home=home,
        tickers=config.tickers,
        capital=sum((s.initial_cash for s in config.active), ZERO),
        clock_speed=options.speed,
        session_date=options.date,
        bars=options.bars,
        source=options.source,
        seed=options.seed,
        fill_model=options.fill_model,
    )
    account = claim_account(simulation, for_warm_up=for_warm_up)
    with embedded_simulator(simulation, account) as settings:
        yield settings


def utc_now() -> datetime:
    """This machine's clock, for times that do not come from the broker."""
    return datetime.now(UTC)


def _outcome(result: RunResult | None, options: RunOptions) -> SessionOutcome:
    if result is None:
        day = f"on {options.date}: choose another date" if options.date else "today"
        return SessionOutcome("MarketClosed", f"No session is left for these strategies {day}.")
    fills = f" Simulated fills: {options.fill_model or FILL_MODEL}." if options.simulated else ""
    whole = result.status is SessionEnd.COMPLETED
    ended = "traded to its end" if whole else "was stopped before its end"
    return SessionOutcome(
        status=result.status,
        message=f"Session {result.session_id} {ended}.{fills}",
        account=result.account,
        session_id=result.session_id,
        summary=result.summary,
        discrepancies=result.discrepancies,
        strategies=result.strategies,
        shadows=result.shadows,
    )
