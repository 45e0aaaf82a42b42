"""What can be traded: any well-formed symbol is an asset, its id a function of its name.

Rule: no list decides what exists. Known names only get better numbers (minimum sizes, exchanges).
"""

import re
import uuid
from dataclasses import dataclass
from decimal import Decimal

from simulator.money import QTY_STEP
from simulator.values import AssetClass

_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,9}(/[A-Z0-9]{2,10})?")
_OLD_PAIR = re.compile(r"([A-Z][A-Z0-9]{2,})(USD[CT]?)")  # no stock's symbol is so long
_NAMESPACE = uuid.UUID("5f1b7a52-7d3e-5c0a-9d44-3d0a35f6b7aa")

# (min_order_size in coin, price_increment in dollars); about one dollar's worth each
_PAIRS = {
    "BTC/USD": ("0.000016", "0.01"),
    "ETH/USD": ("0.0004", "0.01"),
    "SOL/USD": ("0.007", "0.001"),
    "LTC/USD": ("0.014", "0.001"),
    "BCH/USD": ("0.0025", "0.01"),
    "LINK/USD": ("0.06", "0.001"),
    "AVAX/USD": ("0.04", "0.001"),
    "AAVE/USD": ("0.010186515", "0.01"),
    "UNI/USD": ("0.12", "0.0001"),
    "DOT/USD": ("0.2", "0.0001"),
    "XRP/USD": ("0.5", "0.0001"),
    "ADA/USD": ("2", "0.00001"),
    "DOGE/USD": ("6", "0.00001"),
    "SHIB/USD": ("60000", "0.000000001"),
    "BTC/USDT": ("0.000016", "0.01"),
    "ETH/USDT": ("0.0004", "0.01"),
}
_ARCA = frozenset({
    "SPY", "IWM", "DIA", "VTI", "GLD", "SLV", "TLT", "IEF", "SHY", "XLK", "XLE", "XLF", "XLV",
    "XLI", "XLP", "XLU", "XLY", "XLB", "XLRE", "XLC", "USO", "DBB", "FXY",
})  # fmt: skip

DEFAULT_STOCKS = [
    "SPY", "QQQ", "IWM", "DIA", "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA", "AMD",
    "NFLX", "JPM", "BAC", "XOM", "CVX", "JNJ", "PFE", "KO", "WMT", "DIS", "GLD", "SLV", "TLT",
    "IEF", "XLK", "XLE", "XLF", "XLV", "XLI", "XLU", "DBB", "FXY",
]  # fmt: skip
DEFAULT_PAIRS = ["BTC/USD", "ETH/USD", "SOL/USD", "LTC/USD", "LINK/USD", "AVAX/USD", "DOGE/USD"]


@dataclass(frozen=True, slots=True)
class Asset:
    """One tradable symbol; increments and sizes in its own units, price_increment in dollars."""

    id: str
    symbol: str
    asset_class: AssetClass
    exchange: str
    min_order_size: Decimal
    min_trade_increment: Decimal
    price_increment: Decimal


def is_symbol(text: str) -> bool:
    """Whether `text` has the form of a stock's or pair's symbol."""
    return _SYMBOL.fullmatch(text) is not None


def is_crypto(symbol: str) -> bool:
    """Whether the symbol names a pair."""
    return "/" in symbol


def asset_id(symbol: str) -> str:
    """The UUID of a symbol: the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, symbol))


def find_asset(text: str) -> Asset | None:
    """The asset of that name, or None when the text is no symbol."""
    return asset_of(text) if is_symbol(text) else None


def asset_of(symbol: str) -> Asset:
    """The asset of a symbol."""
    if is_crypto(symbol):
        size, increment = _PAIRS.get(symbol, ("0.001", "0.000000001"))
        return Asset(
            id=asset_id(symbol),
            symbol=symbol,
            asset_class=AssetClass.CRYPTO,
            exchange="CRYPTO",
            min_order_size=Decimal(size),
            min_trade_increment=QTY_STEP,
            price_increment=Decimal(increment),
        )
    return Asset(
        id=asset_id(symbol),
        symbol=symbol,
        asset_class=AssetClass.STOCK,
        exchange="ARCA" if symbol in _ARCA else "NASDAQ",
        min_order_size=QTY_STEP,
        min_trade_increment=QTY_STEP,
        price_increment=Decimal("0.01"),
    )


def order_symbol(symbol: str) -> str:
    """How orders spell a symbol: pairs with their slash, though a client may leave it out."""
    pair = _OLD_PAIR.fullmatch(symbol)
    return f"{pair[1]}/{pair[2]}" if pair else symbol


def position_symbol(symbol: str) -> str:
    """How positions spell a symbol: 'BTC/USD' becomes 'BTCUSD', stocks stay."""
    return symbol.replace("/", "")
