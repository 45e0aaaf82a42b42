"""The setup of a backtest, the same in every session, and the opening of each session."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.exchange import Exchange, asset_of
from coordinator.backtest.rules import fit_for_lanes
from coordinator.backtest.tape import Tape
from coordinator.config import CoordinatorConfig, config_hash
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.controls import Controls
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.risk import Asset
from coordinator.core.session import SessionPlan
from coordinator.embedded import LEAST_CASH, ROOM
from coordinator.engine_setup import specs_of
from coordinator.shell import startup

MODE = "backtest"


@dataclass(frozen=True, slots=True)
class BacktestSetup:
    """What is tested, the same in every session. `account` is the backtest's own.

    `tickers`, those of all strategies even if `specs` are only some, determine the sessions. With
    `apart`, strategies share bars and nothing else.
    """

    specs: Sequence[StrategySpec]
    coordinator: str
    account: str
    feed: str
    config_hash: str
    fill_model: str
    controls: Controls
    crossing: bool
    crypto_fee_rate: Decimal
    tickers: Sequence[str]
    apart: bool = False

    @property
    def traded(self) -> list[str]:
        """Every ticker of these strategies, in order of first mention."""
        return tickers_of(self.specs)

    def assets(self) -> Mapping[str, Asset]:
        """The order increments and minimum of each ticker."""
        return {ticker: asset_of(ticker) for ticker in self.traded}

    def name(self, plan: SessionPlan) -> SessionName:
        """The identity of the session with this plan."""
        return SessionName(
            session_id(self.coordinator, self.account, plan),
            self.coordinator,
            self.account,
            MODE,
            self.feed,
            self.config_hash,
            self.fill_model,
            self.crypto_fee_rate,
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened on the books at `start`, with the records of its opening."""

    start: datetime
    plan: SessionPlan
    name: SessionName
    records: tuple[r.Record, ...]

    @classmethod
    def on(
        cls,
        books: Books,
        setup: BacktestSetup,
        tape: Tape,
        exchange: Exchange | ExchangesApart,
        start: datetime,
    ) -> Opened:
        """Open the session that begins at `start`; the first one adopts the exchange's account."""
        plan = startup.plan(start, tape.hours, setup.tickers)
        assert plan is not None, f"nothing is traded from {start} on"
        records: list[r.Record] = []
        if not books.account:
            records.append(r.AccountAdopted(start, setup.account, exchange.cash, ()))
            books.apply_all(records)
        books.orders = books.orders.only(lambda order: order.is_open)  # no more is told of others
        name = setup.name(plan)
        records += open_session(books, setup.specs, plan, name, start)
        return cls(start, plan, name, tuple(records))

    @property
    def record(self) -> r.SessionOpened:
        """The SessionOpened record."""
        [opened] = [one for one in self.records if isinstance(one, r.SessionOpened)]
        return opened


def backtest_setup(config: CoordinatorConfig, account: str, model: str) -> BacktestSetup:
    """The setup for the enabled strategies of a configuration."""
    return BacktestSetup(
        specs=[fit_for_lanes(spec) for spec in specs_of(config.enabled, None)],
        coordinator=config.name,
        account=account,
        feed=config.feed.value,
        config_hash=config_hash(config),
        fill_model=model,
        controls=config.controls.as_controls(),
        crossing=config.crossing,
        crypto_fee_rate=config.crypto_fee_rate,
        tickers=config.tickers,
    )


def alone(setup: BacktestSetup, only: Collection[str] | None) -> BacktestSetup:
    """All strategies, or those in `only`, each on its own account: orders cannot cross."""
    specs = [spec for spec in setup.specs if only is None or spec.name in only]
    return replace(setup, specs=specs, apart=True, crossing=False)


def deposit_for(capital: Decimal) -> Decimal:
    """The dollars to deposit into the account of strategies with so much initial cash together."""
    return max(LEAST_CASH, capital * ROOM)
