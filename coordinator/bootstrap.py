"""The only place that wires parts together: configuration, environment, broker, engine, streams.

A run is: take the lease, ask the broker who we are, replay the journal, agree with the broker,
open or resume the session, warm up, trade, agree once more, and say what came of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from coordinator.arming import refuse_half_armed, refuse_untradable
from coordinator.broker_side import ask_broker
from coordinator.config import CoordinatorConfig, Mode, default_config, load_config
from coordinator.core.lane import tickers_of
from coordinator.core.reload import Setup
from coordinator.core.values import ZERO, is_crypto
from coordinator.core.view import LiveView, StrategyView
from coordinator.embedded import FILL_MODEL, Simulation, claim_account, embedded_simulator
from coordinator.errors import OperatorError, SafetyRefusal
from coordinator.joining import load
from coordinator.readers import (
    JournalSource,
    Loadable,
    StatusView,
    loadable,
    read_status,
    session_sources,
    sources_beside,
)
from coordinator.rereading import Rereading
from coordinator.setting_up import setup_of, specs_of, strategy_specs
from coordinator.settings import Settings, home_folder, read_settings, warehouse_path, webhook_url
from coordinator.shell.control_socket import controlled
from coordinator.shell.isolation import walls
from coordinator.shell.lease import Leases
from coordinator.shell.log_files import log_files
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.session import Observer, Run, RunResult, trade_session
from coordinator.shell.shadows import Beginning, Shadows
from coordinator.shell.webhook import Alerts, alerting
from coordinator.strategies.registry import BUILT_IN
from coordinator.warming import WarmUp, WarmupOutcome

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
SIMULATED_SPEED = 600.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is asked to do; `bars` or `date` alone already mean a simulated one.

    `clock_speed` is broker seconds a local second: None is 600 simulated, else 1. `date` is the
    exchange's, or the UTC date where only crypto is traded. `strategies` is a folder of strategies
    in place of the configuration's `strategies_dir`.
    """

    config: Path | None = None
    live: bool = False
    simulate: bool = False
    bars: Path | None = None
    source: str | None = None
    date: date | None = None
    clock_speed: float | None = None
    fill_model: str | None = None
    seed: int = 7
    min_warmup_bars: int | None = None
    feed: str | None = None
    home: Path | None = None
    strategies: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether the embedded simulator is the broker."""
        return self.simulate or self.bars is not None or self.date is not None

    @property
    def speed(self) -> float:
        """How many times as fast as ours the broker's clock may run."""
        return self.clock_speed or (SIMULATED_SPEED if self.simulated else 1.0)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a run ended: 'Completed', 'MarketClosed' or 'StoppedEarly', and in one sentence."""

    status: str
    message: str
    account: str | None = None
    session_id: str | None = None
    summary: str = ""
    discrepancies: int = 0
    strategies: tuple[StrategyView, ...] = ()
    shadows: tuple[StrategyView, ...] = ()


async def run_session(
    options: RunOptions,
    *,
    stop: asyncio.Event | None = None,
    environment: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
) -> SessionOutcome:
    """Run one session to its end, or until `stop` is set. Installs no signal handlers.

    Each of the `observers` is entered with the running session's clerk when it begins to trade, and
    left when it has stopped.

    Raises:
        OperatorError: bad configuration or environment, or refused for safety.
        LeaseHeld: another coordinator trades the same market with these keys.
        BrokerError: the broker could not be reached, or a stream was lost for good.
    """
    known = os.environ if environment is None else environment
    config = _configuration(options)
    return await run_configured(config, options, known, stop=stop, observers=observers)


async def run_configured(
    config: CoordinatorConfig,
    options: RunOptions,
    environment: Mapping[str, str],
    *,
    stop: asyncio.Event | None = None,
    leases_folder: Path | None = None,
    observers: Sequence[Observer] = (),
) -> SessionOutcome:
    """Like `run_session`, for a configuration that exists already."""
    with alerting(partial(webhook_url, environment), config.name, utc_now) as alerts:
        watched = [alerts.observe, *observers]
        outcome = await _run(config, options, environment, stop, leases_folder, alerts, watched)
        alerts.differs(outcome.discrepancies)
        return outcome


async def _run(
    config: CoordinatorConfig,
    options: RunOptions,
    environment: Mapping[str, str],
    stop: asyncio.Event | None,
    leases_folder: Path | None,
    alerts: Alerts,
    observers: Sequence[Observer],
) -> SessionOutcome:
    refuse_untradable(config)
    refuse_half_armed(config, live=options.live, simulated=options.simulated)
    live_ones = strategy_specs(config, options.min_warmup_bars)
    own = [*live_ones, *specs_of(config.shadows, options.min_warmup_bars)]
    shadows = {strategy.name for strategy in config.shadows}
    if not own:
        return SessionOutcome("Completed", "No strategy of the configuration is enabled.")
    markets = sorted({"crypto" if is_crypto(t) else "stocks" for t in tickers_of(own)})
    mode = Mode.PAPER if options.simulated else config.mode
    with (
        walls(own, BUILT_IN, beside=shadows, restless=options.speed != 1, load=load) as walled,
        _settings(config, options, environment) as settings,
        Leases(leases_folder) as leases,
        log_files(settings.home, config.name, [spec.name for spec in own]) as logs,
    ):
        alerts.begin()  # not before the walls: what is forked would have the webhook's URL
        specs = walled.specs
        leases.take_for_key(urlsplit(settings.trading_url).netloc, settings.key_id, markets)
        budgets = Budgets(settings, speed=options.speed, folder=leases_folder)
        names, host = [spec.name for spec in specs], settings.account_host

        def check_account(account: str) -> None:
            _on_account(account, mode, settings, leases, budgets, markets, config.name, names)
            logs.begin(account)

        def ready(found: CoordinatorConfig) -> Setup:
            found = _overridden(found, options)
            return setup_of(found, options.min_warmup_bars, simulated=options.simulated)

        setup = ready(config)
        run = Run(
            specs=specs[: len(live_ones)],
            shadows=specs[len(live_ones) :],
            shadowing=_shadowing,
            coordinator=setup.coordinator,
            mode=setup.mode,
            feed=setup.feed,
            config_hash=setup.config_hash,
            settings=settings,
            speed=options.speed,
            check_account=check_account,
            fill_model=(options.fill_model or FILL_MODEL) if options.simulated else "",
            controls=setup.controls,
            crossing=setup.crossing,
            crypto_fee_rate=setup.crypto_fee_rate,
            observers=[controlled(settings, environment, options.speed), *observers],
            source=Rereading(options.config, options.strategies, ready, walled, leases, host),
        )
        ports = Ports.real(budgets)
        return _outcome(await trade_session(run, stop or asyncio.Event(), ports), options)


def _shadowing(run: Run, beginning: Beginning) -> Shadows:
    """The shadows' part of a session; whoever has none loads nothing of it."""
    from coordinator.shadow import Shadow

    return Shadow(run, beginning)


@asynccontextmanager
async def warming(
    options: RunOptions, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[WarmUp]:
    """A warm-up of the next session, to be fetched in steps while the context lasts.

    Raises:
        OperatorError, BrokerError: as `run_session` does.
    """
    known = os.environ if environment is None else environment
    config = _configuration(options)
    refuse_untradable(config)
    refuse_half_armed(config, live=options.live, simulated=options.simulated)
    specs = specs_of(config.enabled, options.min_warmup_bars)
    with _settings(config, options, known, for_warm_up=True) as settings:
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


def _on_account(
    account: str,
    mode: Mode,
    settings: Settings,
    leases: Leases,
    budgets: Budgets,
    markets: Sequence[str],
    coordinator: str,
    strategies: Sequence[str],
) -> None:
    """The account is known now: is it the one that may be traded, and does nobody else?"""
    if mode is Mode.LIVE and settings.allow_live != account:
        raise SafetyRefusal(
            f"live trading is not armed: MULTI_TRADER_ALLOW_LIVE must equal the account's number"
            f" {account}, and is {settings.allow_live or 'not set'}."
        )
    host = settings.account_host
    budgets.on_account(account, host=host)
    leases.take_for_account(account, markets, host=host)
    leases.take_for_coordinator(account, coordinator, host=host)
    leases.take_for_strategies(account, strategies, host=host)


def utc_now() -> datetime:
    """This machine's clock, for what no broker has a time for."""
    return datetime.now(UTC)


def _outcome(result: RunResult | None, options: RunOptions) -> SessionOutcome:
    if result is None:
        day = f"on {options.date}: choose another" if options.date else "today"
        return SessionOutcome("MarketClosed", f"No session is left for these strategies {day}.")
    fills = f" Simulated fills: {options.fill_model or FILL_MODEL}." if options.simulated else ""
    ended = "traded to its end" if result.status == "Completed" else "was stopped before its end"
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
