"""The configuration as frozen values: each key's type, range, default and meaning.

The same field definitions serve the file's form (`ConfigDocument`), the form that runs
(`CoordinatorConfig`) and the generated JSON Schema.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationInfo,
    field_validator,
)

from coordinator.config.sweep_block import Sweep
from coordinator.core.controls import Controls
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.values import NAME_PATTERN, SYMBOL_PATTERN, is_crypto
from coordinator.strategies.base import Exact, Strategy, plain_value, whole_where_meant

LONGEST_NAME = 200
"""Bytes of a coordinator's name: a report's file name holds it, the session's date and the account,
and file systems allow 255 bytes."""

Dollars = Annotated[Exact, Field(gt=0, decimal_places=18)]
Ticker = Annotated[str, Field(pattern=f"^{SYMBOL_PATTERN.pattern}$")]


class Mode(Enum):
    """Whether the account is Alpaca's paper account or the live one."""

    PAPER = "paper"
    LIVE = "live"


class Feed(Enum):
    """Alpaca's stock feed: one exchange (IEX, free) or all of them (SIP)."""

    IEX = "iex"
    SIP = "sip"


class StrategyMode(Enum):
    """Whether a strategy trades on the account, or beside it with simulated fills."""

    LIVE = "live"
    SHADOW = "shadow"


class _Part(BaseModel):
    """A part of a configuration: frozen, and strict, but for integers written as 20.0."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object, info: ValidationInfo) -> object:
        return whole_where_meant(cls.model_fields[str(info.field_name)].annotation, value)


class RiskConfig(_Part):
    """One strategy's limits; None means no limit. Floats mean their decimal text: 0.1 is one tenth.

    Raises:
        pydantic.ValidationError: for a value outside its range, or an unknown name.
    """

    max_position_size: Annotated[
        Exact,
        Field(gt=0, le=1, description="most of the book's equity in one ticker, a fraction"),
    ] = Decimal("1.0")
    max_daily_trades: Annotated[
        int | None,
        Field(ge=0, description="entry orders a day; exits are never blocked"),
    ] = None
    max_daily_loss: Annotated[
        Dollars | None,
        Field(description="dollars lost in a day at which entries stop until its end"),
    ] = None
    stop_loss_pct: Annotated[
        Exact | None,
        Field(gt=0, lt=1, description="fall from the average entry price that sells: 0.02 is 2 %"),
    ] = None
    take_profit_pct: Annotated[
        Exact | None,
        Field(gt=0, description="rise from the average entry price that sells: 0.02 is 2 %"),
    ] = None


class ControlsConfig(_Part):
    """Limits on the entries of all strategies together; None means no limit.

    Raises:
        pydantic.ValidationError: for a value outside its range, or an unknown name.
    """

    price_collar: Annotated[
        Exact | None,
        Field(
            gt=0,
            description="change from one close to the next that stops entries on its ticker:"
            " 0.5 is 50 %; null is no collar",
            json_schema_extra={"type": ["number", "null"]},
        ),
    ] = Controls().price_collar
    max_order_qty: Annotated[
        Exact | None, Field(gt=0, description="most units of one entry order")
    ] = None
    max_order_notional: Annotated[Dollars | None, Field(description="dollars of one entry")] = None
    max_symbol_notional: Annotated[
        Dollars | None,
        Field(description="dollars that the account may hold in one ticker, open buys included"),
    ] = None
    max_orders_per_minute: Annotated[
        int | None,
        Field(
            ge=1, description="entry orders of one strategy in a minute; one more stops its entries"
        ),
    ] = None

    def as_controls(self) -> Controls:
        """The same limits as the engine takes them."""
        return Controls(**self.model_dump())

    def as_document(self) -> dict[str, Any]:
        """The limits as JSON values; only the collar can be null, as its default is a limit."""
        limits = self.model_dump(exclude_none=True)
        return plain_value({"price_collar": None} | limits)  # type: ignore[no-any-return]


class SharedSettings(_Part):
    """The settings of a strategy that a document and a configuration share."""

    name: Annotated[
        str, Field(pattern=f"^{NAME_PATTERN.pattern}$", description="unique; names its book")
    ]
    tickers: Annotated[
        tuple[Ticker, ...],
        Field(
            strict=False,
            min_length=1,
            json_schema_extra={"uniqueItems": True},
            description='what it trades: "SPY" is a stock, "BTC/USD" crypto; required unless swept',
        ),
    ]
    initial_cash: Annotated[
        Dollars, Field(description="dollars of its book, the first time it runs")
    ] = Decimal("10000.0")
    min_warmup_bars: Annotated[
        int, Field(ge=0, le=100_000, description="bars a ticker needs before it is traded")
    ] = 50
    enabled: Annotated[bool, Field(description="false: it does not run")] = True
    mode: Annotated[
        StrategyMode,
        Field(
            strict=False,
            description="shadow: it runs beside the live ones with simulated fills in its own book,"
            " and sends nothing to the broker",
        ),
    ] = StrategyMode.LIVE
    risk_config: Annotated[RiskConfig, Field(description="limits of this strategy")] = RiskConfig()


class AccountSettings(_Part):
    """The settings of the account that a document and a configuration share."""

    mode: Annotated[
        Mode, Field(strict=False, description="live also needs --live and MULTI_TRADER_ALLOW_LIVE")
    ] = Mode.PAPER
    feed: Annotated[Feed, Field(strict=False, description="Alpaca's stock data feed")] = Feed.IEX
    crossing: Annotated[
        bool,
        Field(
            description="two strategies with opposite orders trade with each other, at the last"
            " price; false: one waits for the other"
        ),
    ] = False
    crypto_fee_rate: Annotated[
        Exact, Field(ge=0, lt=1, description="the broker's fee on crypto, a fraction")
    ] = CRYPTO_FEE_RATE
    controls: Annotated[
        ControlsConfig, Field(description="limits on the entries of all strategies together")
    ] = ControlsConfig()


class StrategyDocument(SharedSettings):
    """One entry of a file's `strategies`."""

    strategy_type: Annotated[
        str,
        Field(
            description="a built-in type, or one of your own",
            examples=["adaptive", "momentum", "mean_reversion", "rsi"],
        ),
    ]
    strategy_params: Annotated[
        dict[str, Any],
        Field(description="parameters of the strategy type; those left out have their defaults"),
    ] = {}
    sweep: Annotated[
        Sweep | None,
        Field(
            description="for a backtest: lists or ranges of values to try, for parameters, tickers,"
            " initial_cash, min_warmup_bars, or a limit such as risk_config.stop_loss_pct; each"
            " combination is a strategy of its own"
        ),
    ] = None


def _fits_a_file_name(name: str | None) -> str | None:
    if name is not None and len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"should be at most {LONGEST_NAME} bytes long in UTF-8")
    return name


class ConfigDocument(AccountSettings):
    """A configuration file."""

    name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=100,
            pattern=r"^[^\x00-\x1f\x7f/\\]*$",
            description="name of the coordinator, part of file names; default: the file's stem",
        ),
        AfterValidator(_fits_a_file_name),
    ] = None
    strategies_dir: Annotated[
        str | None,
        Field(
            min_length=1,
            pattern=r"^[^\x00]*$",
            description="folder of your own strategies' files, relative to this file's folder",
        ),
    ] = None
    schema_of_editor: Annotated[
        str | None,
        Field(alias="$schema", description="place of the JSON Schema, for an editor; not read"),
    ] = None
    strategies: Annotated[tuple[StrategyDocument, ...], Field(strict=False, min_length=1)]


_DUMPED_APART = {"strategy", "risk_config", "sweep_of", "swept", "mode"}


class StrategyConfig(SharedSettings):
    """One strategy, ready to run: its settings and the strategy object."""

    strategy: InstanceOf[Strategy]
    sweep_of: str | None = None
    """The name of the entry whose sweep made it."""
    swept: dict[str, Any] = {}
    """The swept values of this variant, as JSON values."""

    @property
    def strategy_type(self) -> str:
        """The registered name of its type; `frame` for an object with generate_signal."""
        return self.strategy.strategy_type

    @property
    def strategy_params(self) -> dict[str, Any]:
        """All its parameters as JSON values, defaults included."""
        return self.strategy.parameters

    def as_document(self) -> dict[str, Any]:
        """The strategy as JSON values, as a file would have it, with every default filled in."""
        mode = {} if self.mode is StrategyMode.LIVE else {"mode": self.mode.value}
        return {  # the default mode is left out, so that hashes of existing configurations stay
            **plain_value(self.model_dump(exclude=_DUMPED_APART)),
            **mode,
            "strategy_type": self.strategy_type,
            "strategy_params": self.strategy_params,
            "risk_config": plain_value(self.risk_config.model_dump(exclude_none=True)),
            **({"sweep_of": self.sweep_of, "swept": self.swept} if self.sweep_of else {}),
        }

    @property
    def crypto_only(self) -> bool:
        """Whether it trades no stock, so that its day rolls at 00:00 UTC."""
        return all(map(is_crypto, self.tickers))


class CoordinatorConfig(AccountSettings):
    """A valid configuration; `strategies` are in the document's order.

    `left_out` counts the combinations of its sweeps that the strategies' own checks refused.
    """

    name: str
    strategies: tuple[StrategyConfig, ...]
    left_out: int = 0

    @property
    def swept(self) -> tuple[StrategyConfig, ...]:
        """The enabled variants of sweeps; a backtest with any plays each of them apart."""
        return tuple(one for one in self.enabled if one.sweep_of is not None)

    @property
    def enabled(self) -> tuple[StrategyConfig, ...]:
        """The enabled strategies, shadows included."""
        return tuple(strategy for strategy in self.strategies if strategy.enabled)

    @property
    def active(self) -> tuple[StrategyConfig, ...]:
        """The enabled strategies that trade on the account."""
        return tuple(one for one in self.enabled if one.mode is StrategyMode.LIVE)

    @property
    def shadows(self) -> tuple[StrategyConfig, ...]:
        """The enabled strategies that decide beside them, with simulated fills."""
        return tuple(one for one in self.enabled if one.mode is StrategyMode.SHADOW)

    @property
    def tickers(self) -> tuple[str, ...]:
        """Every ticker of an enabled strategy, once, in order of first mention."""
        return tuple(dict.fromkeys(ticker for one in self.enabled for ticker in one.tickers))

    def as_document(self) -> dict[str, Any]:
        """The configuration as JSON values, with every default filled in."""
        return {
            "name": self.name,
            "mode": self.mode.value,
            "feed": self.feed.value,
            "crossing": self.crossing,
            "crypto_fee_rate": plain_value(self.crypto_fee_rate),
            "controls": self.controls.as_document(),
            "strategies": [strategy.as_document() for strategy in self.strategies],
        }
