"""What a configuration says, ready to run: at a start, and again at each reload."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coordinator.core.controls import Controls
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.lane import StrategySpec, tickers_of


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration; `shadows` are strategies that only watch, beside those of `specs`."""

    coordinator: str
    mode: str
    feed: str
    config_hash: str
    specs: tuple[StrategySpec, ...]
    controls: Controls = Controls()  # noqa: RUF009
    crossing: bool = False
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE
    shadows: tuple[StrategySpec, ...] = ()

    @property
    def all_specs(self) -> tuple[StrategySpec, ...]:
        """The strategies that trade on the account, and the shadows beside them."""
        return (*self.specs, *self.shadows)

    @property
    def tickers(self) -> list[str]:
        """Every ticker of any strategy, once, in order of first mention; shadows' too."""
        return tickers_of(self.all_specs)
