"""Translates a configuration into the engine's setup."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from coordinator.config import CoordinatorConfig, StrategyConfig, config_hash
from coordinator.core.lane import StrategySpec
from coordinator.core.risk import Limits
from coordinator.core.setup import Setup
from coordinator.settings import SIMULATED


def specs_of(
    strategies: Iterable[StrategyConfig], min_warmup_bars: int | None
) -> list[StrategySpec]:
    """The engine's specs of these strategies; `min_warmup_bars` overrides their own."""
    specs = []
    for strategy in strategies:
        risk = strategy.risk_config
        limits = Limits(
            Decimal(risk.max_position_size),
            risk.max_daily_trades,
            risk.max_daily_loss,
            risk.stop_loss_pct,
            risk.take_profit_pct,
        )
        warmup = strategy.min_warmup_bars if min_warmup_bars is None else min_warmup_bars
        specs.append(
            StrategySpec(
                name=strategy.name,
                strategy_type=strategy.strategy_type,
                params=strategy.strategy_params,
                rule=strategy.strategy,
                tickers=strategy.tickers,
                initial_cash=strategy.initial_cash,
                min_warmup_bars=warmup,
                limits=limits,
                code=strategy.strategy.source_digest,
            )
        )
    return specs


def setup_of(config: CoordinatorConfig, min_warmup_bars: int | None, *, simulated: bool) -> Setup:
    """The engine's setup for a configuration; `min_warmup_bars` overrides the strategies' own."""
    return Setup(
        coordinator=config.name,
        mode=SIMULATED if simulated else config.mode.value,
        feed=config.feed.value,
        config_hash=config_hash(config),
        specs=tuple(specs_of(config.active, min_warmup_bars)),
        controls=config.controls.as_controls(),
        crossing=config.crossing,
        crypto_fee_rate=config.crypto_fee_rate,
        shadows=tuple(specs_of(config.shadows, min_warmup_bars)),
    )
