"""Fill models: what an execution costs against the last close, and how much may execute.

Rule: a model is a value without state; the venue asks it two questions and does the rest. The
same models serve backtests. Prices are rounded half-even to 9 decimals.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol

from simulator.errors import OptionsError
from simulator.money import CRYPTO_PRICE_STEP, exact, half_even
from simulator.values import Bar, Side

_BPS = Decimal(10_000)


class FillModel(Protocol):
    """How market orders meet the tape."""

    @property
    def name(self) -> str:
        """The word that reports use for it."""

    def price(self, side: Side, reference: Decimal) -> Decimal:
        """Dollars a unit that a market order pays or gets around `reference`."""

    def capacity(self, bar: Bar) -> Decimal | None:
        """The most that may execute against this bar, all orders together; None: no limit."""


@dataclass(frozen=True)
class Spread:
    """Half a spread off the last close, against the taker: buy x (1 + bps/10000)."""

    half_spread_bps: Decimal
    name: str = "spread"

    @exact
    def price(self, side: Side, reference: Decimal) -> Decimal:
        """The reference moved by the half-spread."""
        moved = reference * (1 + side.sign * self.half_spread_bps / _BPS)
        return half_even(moved, CRYPTO_PRICE_STEP)

    def capacity(self, bar: Bar) -> Decimal | None:
        """No limit."""
        return None


@dataclass(frozen=True)
class Participation:
    """`pricing`, but at most `fraction` of each bar's volume; the rest waits for later bars."""

    fraction: Decimal
    pricing: Spread
    name: str = "participation"

    def price(self, side: Side, reference: Decimal) -> Decimal:
        """As the pricing says."""
        return self.pricing.price(side, reference)

    @exact
    def capacity(self, bar: Bar) -> Decimal | None:
        """fraction x volume."""
        return self.fraction * bar.volume


def fill_model(text: str) -> FillModel:
    """The model that a `--fill-model` text names.

    close | spread[:half-spread bps, 1] | slippage[:bps, 5] | participation[:fraction, 0.1]
    Raises OptionsError for anything else.
    """
    name, _, argument = text.partition(":")
    defaults = {"close": "0", "spread": "1", "slippage": "5", "participation": "0.1"}
    if name not in defaults or (name == "close" and argument):
        raise OptionsError(
            f"fill model {text!r} is not known; use close, spread[:bps], slippage[:bps] "
            "or participation[:fraction]"
        )
    try:
        number = Decimal(argument or defaults[name])
    except InvalidOperation:
        raise OptionsError(f"fill model {text!r}: {argument!r} is not a number") from None
    if not number.is_finite() or number < 0 or number >= _BPS:
        raise OptionsError(f"fill model {text!r}: {argument} must be >= 0 and below 10000 bps")
    if name == "participation":
        if not 0 < number <= 1:
            raise OptionsError(f"fill model {text!r}: the fraction must be in (0, 1]")
        return Participation(number, Spread(Decimal(1)))
    return Spread(number, name)
