"""The configuration's words as exact numbers, with the defaults of CONTRACT section 4.

Rule: a JSON number means the decimal that is written there, not the float nearest to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.oracle import signals
from tests.oracle.bars import is_crypto


@dataclass(frozen=True, slots=True)
class AssetRules:
    """What the broker lets one order of an asset: step, least quantity, least cost of a buy."""

    increment: Decimal
    min_qty: Decimal
    min_buy_usd: Decimal


STOCK = AssetRules(Decimal("0.0001"), Decimal("0.0001"), Decimal(1))
CRYPTO = AssetRules(Decimal("0.000000001"), Decimal("0.000016"), Decimal(10))


@dataclass(frozen=True, slots=True)
class Spec:
    """One enabled strategy of a configuration; fractions are exact, None is no limit."""

    name: str
    strategy_type: str
    params: Mapping[str, Fraction]
    tickers: tuple[str, ...]
    initial_cash: Decimal
    min_warmup_bars: int
    max_position_size: Decimal
    max_daily_trades: int | None
    max_daily_loss: Decimal | None
    stop_loss_pct: Decimal | None
    take_profit_pct: Decimal | None

    @property
    def longest_window(self) -> int:
        """In bars."""
        return signals.longest_window(self.strategy_type, self.params)

    @property
    def any_stock(self) -> bool:
        """Whether the strategy's day rolls at the exchange's open."""
        return not all(is_crypto(ticker) for ticker in self.tickers)


def specs(config: Mapping[str, object], min_warmup_bars: int | None) -> list[Spec]:
    """The enabled strategies of a configuration, in its order.

    min_warmup_bars: overrides what the configuration says for every strategy, unless None.
    """
    blocks = config["strategies"]
    assert isinstance(blocks, list)
    return [_spec(block, min_warmup_bars) for block in blocks if block.get("enabled", True)]


def _spec(block: Mapping[str, object], min_warmup_bars: int | None) -> Spec:
    kind = str(block["strategy_type"])
    given, risk = _mapping(block, "strategy_params"), _mapping(block, "risk_config")
    tickers = block["tickers"]
    assert isinstance(tickers, list)
    trades = risk.get("max_daily_trades")
    warmup = block.get("min_warmup_bars", 50) if min_warmup_bars is None else min_warmup_bars
    return Spec(
        name=str(block["name"]),
        strategy_type=kind,
        params=signals.parameters(kind, given),
        tickers=tuple(tickers),
        initial_cash=Decimal(str(block.get("initial_cash", 10000.0))),
        min_warmup_bars=int(str(warmup)),
        max_position_size=_number(risk, "max_position_size") or Decimal(1),
        max_daily_trades=None if trades is None else int(str(trades)),
        max_daily_loss=_number(risk, "max_daily_loss"),
        stop_loss_pct=_number(risk, "stop_loss_pct"),
        take_profit_pct=_number(risk, "take_profit_pct"),
    )


def _mapping(block: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = block.get(name, {})
    assert isinstance(value, Mapping)
    return value


def _number(block: Mapping[str, object], name: str) -> Decimal | None:
    value = block.get(name)
    return None if value is None else Decimal(str(value))
