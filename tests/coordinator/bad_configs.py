"""A corpus of bad configurations: what is wrong, the document, and the exact paths to report."""

from __future__ import annotations

import json
from typing import Any

S0 = "strategies[0]"
P0 = "strategies[0].strategy_params"
R0 = "strategies[0].risk_config"
OMIT = object()


def entry(**changes: Any) -> dict[str, Any]:
    """A good strategy with some keys changed, added, or left out."""
    good = {"name": "SPY_Momentum", "strategy_type": "momentum", "tickers": ["SPY"]}
    return {key: value for key, value in (good | changes).items() if value is not OMIT}


def one(**changes: Any) -> str:
    """A document of one strategy, as text."""
    return json.dumps({"strategies": [entry(**changes)]})


def risk(**limits: Any) -> str:
    return one(risk_config=limits)


def params(kind: str, **parameters: Any) -> str:
    return one(strategy_type=kind, strategy_params=parameters)


def controls(**limits: Any) -> str:
    return several(entry(), controls=limits)


def several(*entries: Any, **root: Any) -> str:
    return json.dumps({"strategies": list(entries)} | root)


BAD: list[tuple[str, str | bytes, list[str]]] = [
    # --- the text itself
    ("an empty text", "", ["$"]),
    ("only blanks", " \n\t ", ["$"]),
    ("no JSON", "strategies: []", ["$"]),
    ("a comma too many", '{"strategies": [],}', ["$"]),
    ("text after the document", one() + "}", ["$"]),
    ("not UTF-8", b'{"name": "\xff"}', ["$"]),
    ("UTF-16", '{"strategies": []}'.encode("utf-16"), ["$"]),
    ("a list", "[]", ["$"]),
    ("a number", "17", ["$"]),
    ("null", "null", ["$"]),
    ("nested without end", "[" * 100_000, ["$"]),
    ("an endless number", '{"strategies": ' + "9" * 5000 + "}", ["$"]),
    # --- the root
    ("nothing in it", "{}", ["strategies"]),
    ("no strategies", '{"strategies": []}', ["strategies"]),
    ("strategies as an object", '{"strategies": {}}', ["strategies"]),
    ("strategies as null", '{"strategies": null}', ["strategies"]),
    ("a strategy that is a text", several("SPY"), [S0]),
    ("a strategy that is null", several(entry(), None), ["strategies[1]"]),
    ("an unknown mode", several(entry(), mode="Live"), ["mode"]),
    ("an unknown feed", several(entry(), feed="otc"), ["feed"]),
    ("a name that is null", several(entry(), name=None), ["name"]),
    ("an empty name", several(entry(), name=""), ["name"]),
    ("a name too long for a file's, in bytes", several(entry(), name="€" * 67), ["name"]),
    ("a name of two lines", several(entry(), name="a\nb"), ["name"]),
    ("a name that leads out of a folder", several(entry(), name="x/../../y"), ["name"]),
    ("a name with a backslash", several(entry(), name="x\\y"), ["name"]),
    ("cash beyond every float", one(initial_cash=10**400), [f"{S0}.initial_cash"]),
    ("a misspelt key", several(entry(), strategy=[]), ["strategy"]),
    ("crossing as a number", several(entry(), crossing=1), ["crossing"]),
    ("crossing as a text", several(entry(), crossing="yes"), ["crossing"]),
    ("a fee of everything", several(entry(), crypto_fee_rate=1), ["crypto_fee_rate"]),
    ("a fee below 0", several(entry(), crypto_fee_rate=-0.001), ["crypto_fee_rate"]),
    ("a fee that is NaN", several(entry(), crypto_fee_rate=float("nan")), ["crypto_fee_rate"]),
    ("a fee that is null", several(entry(), crypto_fee_rate=None), ["crypto_fee_rate"]),
    ("controls as a list", several(entry(), controls=[]), ["controls"]),
    ("controls that are null", several(entry(), controls=None), ["controls"]),
    ("an unknown control", controls(max_order_quantity=5), ["controls.max_order_quantity"]),
    ("a collar of 0", controls(price_collar=0), ["controls.price_collar"]),
    ("a collar in quotes", controls(price_collar="0.5"), ["controls.price_collar"]),
    ("an order of 0", controls(max_order_qty=0), ["controls.max_order_qty"]),
    ("an order that is null", controls(max_order_qty=None), ["controls.max_order_qty"]),
    ("an order of no dollars", controls(max_order_notional=0), ["controls.max_order_notional"]),
    (
        "a ticker without dollars",
        controls(max_symbol_notional=-1),
        ["controls.max_symbol_notional"],
    ),
    ("no orders a minute", controls(max_orders_per_minute=0), ["controls.max_orders_per_minute"]),
    ("half an order", controls(max_orders_per_minute=1.5), ["controls.max_orders_per_minute"]),
    ("a control of the account in a strategy", one(crossing=True), [f"{S0}.crossing"]),
    ("a key of a later version: sweep", several(entry(), sweep={}), ["sweep"]),
    ("a folder as a number", several(entry(), strategies_dir=3), ["strategies_dir"]),
    ("a folder that is null", several(entry(), strategies_dir=None), ["strategies_dir"]),
    ("a schema that is null", several(entry(), **{"$schema": None}), ['["$schema"]']),
    ("a folder without a name", several(entry(), strategies_dir=""), ["strategies_dir"]),
    ("a folder of nobody's", several(entry(), strategies_dir="~nobody-here/x"), ["strategies_dir"]),
    ("a key with a dot and blanks", several(entry(), **{"a. b": 1}), ['["a. b"]']),
    ("a key given twice", '{"mode": "paper", "mode": "paper", ' + one()[1:], ["mode"]),
    # --- a strategy
    ("no name", one(name=OMIT), [f"{S0}.name"]),
    ("no type", one(strategy_type=OMIT), [f"{S0}.strategy_type"]),
    ("no tickers", one(tickers=OMIT), [f"{S0}.tickers"]),
    ("a name with a blank", one(name="SPY 1"), [f"{S0}.name"]),
    ("a name with a dot", one(name="SPY.1"), [f"{S0}.name"]),
    ("a name with a line's end", one(name="SPY\n"), [f"{S0}.name"]),
    ("a name of 49 letters", one(name="a" * 49), [f"{S0}.name"]),
    ("a name that climbs folders", one(name="../../evil"), [f"{S0}.name"]),
    ("a name that is a number", one(name=7), [f"{S0}.name"]),
    ("a name that is a list", one(name=["SPY"]), [f"{S0}.name"]),
    ("the reserved name", one(name="UNASSIGNED"), [f"{S0}.name"]),
    (
        "a name given to two strategies",
        several(entry(), entry(tickers=["QQQ"])),
        ["strategies[1].name"],
    ),
    ("a type that is a module", one(strategy_type="os:system"), [f"{S0}.strategy_type"]),
    ("a type that is a path", one(strategy_type="../../evil"), [f"{S0}.strategy_type"]),
    ("a type in capitals", one(strategy_type="RSI"), [f"{S0}.strategy_type"]),
    ("a type that is null", one(strategy_type=None), [f"{S0}.strategy_type"]),
    ("empty tickers", one(tickers=[]), [f"{S0}.tickers"]),
    ("tickers as a text", one(tickers="SPY"), [f"{S0}.tickers"]),
    ("a ticker in small letters", one(tickers=["SPY", "qqq"]), [f"{S0}.tickers[1]"]),
    ("a ticker that is SQL", one(tickers=["'; DROP TABLE bars; --"]), [f"{S0}.tickers[0]"]),
    ("a ticker with a line's end", one(tickers=["SPY\n"]), [f"{S0}.tickers[0]"]),
    ("a pair with two slashes", one(tickers=["BTC/USD/EUR"]), [f"{S0}.tickers[0]"]),
    ("a pair without its second half", one(tickers=["BTC/"]), [f"{S0}.tickers[0]"]),
    ("a ticker that is a number", one(tickers=[1]), [f"{S0}.tickers[0]"]),
    ("a ticker given twice", one(tickers=["SPY", "QQQ", "SPY"]), [f"{S0}.tickers[2]"]),
    ("no cash", one(initial_cash=0), [f"{S0}.initial_cash"]),
    ("less than no cash", one(initial_cash=-1.5), [f"{S0}.initial_cash"]),
    ("cash in quotes", one(initial_cash="10000"), [f"{S0}.initial_cash"]),
    ("cash that is true", one(initial_cash=True), [f"{S0}.initial_cash"]),
    ("cash that is NaN", one(initial_cash=float("nan")), [f"{S0}.initial_cash"]),
    ("cash that is infinite", one(initial_cash=float("inf")), [f"{S0}.initial_cash"]),
    (
        "cash beyond any account",
        one(initial_cash=5).replace("5", "1e99999"),
        [f"{S0}.initial_cash"],
    ),
    (
        "cash finer than any coin",
        one(initial_cash=5).replace("5", "1e-99999"),
        [f"{S0}.initial_cash"],
    ),
    (
        "cash of 19 decimals",
        one(initial_cash=5).replace("5", "1.0000000000000000001"),
        [f"{S0}.initial_cash"],
    ),
    ("warm-up in quotes", one(min_warmup_bars="50"), [f"{S0}.min_warmup_bars"]),
    ("warm-up with a fraction", one(min_warmup_bars=50.5), [f"{S0}.min_warmup_bars"]),
    ("warm-up below zero", one(min_warmup_bars=-1), [f"{S0}.min_warmup_bars"]),
    ("warm-up of 100001", one(min_warmup_bars=100_001), [f"{S0}.min_warmup_bars"]),
    ("enabled as a text", one(enabled="yes"), [f"{S0}.enabled"]),
    ("enabled as a number", one(enabled=1), [f"{S0}.enabled"]),
    ("a mode that is the account's", one(mode="paper"), [f"{S0}.mode"]),
    ("an object beside the type", one(strategy="SPY"), [f"{S0}.strategy"]),
    ("a limit outside risk_config", one(stop_loss_pct=0.02), [f"{S0}.stop_loss_pct"]),
    # --- limits
    ("limits as a list", one(risk_config=[]), [R0]),
    ("limits that are null", one(risk_config=None), [R0]),
    ("an unknown limit", risk(max_position=0.5), [f"{R0}.max_position"]),
    ("a size above 1", risk(max_position_size=1.0001), [f"{R0}.max_position_size"]),
    ("a size of 0", risk(max_position_size=0), [f"{R0}.max_position_size"]),
    ("a size in quotes", risk(max_position_size="0.5"), [f"{R0}.max_position_size"]),
    ("a size that is null", risk(max_position_size=None), [f"{R0}.max_position_size"]),
    ("entries below zero", risk(max_daily_trades=-1), [f"{R0}.max_daily_trades"]),
    ("entries with a fraction", risk(max_daily_trades=5.5), [f"{R0}.max_daily_trades"]),
    ("entries beyond every number", risk(max_daily_trades=1e300), [f"{R0}.max_daily_trades"]),
    ("entries that are true", risk(max_daily_trades=True), [f"{R0}.max_daily_trades"]),
    ("entries that are null", risk(max_daily_trades=None), [f"{R0}.max_daily_trades"]),
    ("a loss of 0", risk(max_daily_loss=0), [f"{R0}.max_daily_loss"]),
    ("a loss below 0", risk(max_daily_loss=-500), [f"{R0}.max_daily_loss"]),
    ("a stop of 0", risk(stop_loss_pct=0), [f"{R0}.stop_loss_pct"]),
    ("a stop of 100 %", risk(stop_loss_pct=1), [f"{R0}.stop_loss_pct"]),
    ("a stop that is NaN", risk(stop_loss_pct=float("nan")), [f"{R0}.stop_loss_pct"]),
    ("a target of 0", risk(take_profit_pct=0), [f"{R0}.take_profit_pct"]),
    ("a target without end", risk(take_profit_pct=float("inf")), [f"{R0}.take_profit_pct"]),
    # --- parameters
    ("parameters as a list", one(strategy_params=[1]), [P0]),
    ("parameters that are null", one(strategy_params=None), [P0]),
    ("a parameter of another type", params("momentum", rsi_period=14), [f"{P0}.rsi_period"]),
    ("a window of 0", params("momentum", lookback_period=0), [f"{P0}.lookback_period"]),
    (
        "a window with a fraction",
        params("momentum", lookback_period=20.5),
        [f"{P0}.lookback_period"],
    ),
    (
        "a window in quotes",
        params("mean_reversion", lookback_period="20"),
        [f"{P0}.lookback_period"],
    ),
    ("a window that is true", params("adaptive", volume_window=True), [f"{P0}.volume_window"]),
    ("a window that is null", params("adaptive", volume_window=None), [f"{P0}.volume_window"]),
    (
        "a threshold below 0",
        params("momentum", momentum_threshold=-0.01),
        [f"{P0}.momentum_threshold"],
    ),
    (
        "a threshold that is NaN",
        params("mean_reversion", exit_threshold=float("nan")),
        [f"{P0}.exit_threshold"],
    ),
    (
        "a threshold in quotes",
        params("mean_reversion", entry_threshold="2"),
        [f"{P0}.entry_threshold"],
    ),
    ("an RSI of one bar", params("rsi", rsi_period=1), [f"{P0}.rsi_period"]),
    ("an RSI above 100", params("rsi", rsi_overbought=100.5), [f"{P0}.rsi_overbought"]),
    ("an RSI below 0", params("rsi", rsi_oversold=-1), [f"{P0}.rsi_oversold"]),
    (
        "RSI bounds that are equal",
        params("rsi", rsi_oversold=50, rsi_overbought=50),
        [f"{P0}.rsi_oversold"],
    ),
    ("RSI bounds crossed by one", params("rsi", rsi_overbought=20), [f"{P0}.rsi_overbought"]),
    (
        "windows that are equal",
        params("adaptive", short_window=30, long_window=30),
        [f"{P0}.short_window"],
    ),
    (
        "a long window below the default short one",
        params("adaptive", long_window=5),
        [f"{P0}.long_window"],
    ),
    (
        "a number in an unknown type's parameters",
        params("x", a=[{"b": float("nan")}]),
        [f"{P0}.a[0].b", f"{S0}.strategy_type"],
    ),
    # --- several at once
    (
        "both orders of an adaptive wrong",
        params("adaptive", short_window=40, rsi_oversold=80),
        [f"{P0}.rsi_oversold", f"{P0}.short_window"],
    ),
    (
        "an order beside a bad value",
        params("adaptive", short_window=40, rsi_period=1),
        [f"{P0}.rsi_period", f"{P0}.short_window"],
    ),
    (
        "an order with a bad value",
        params("adaptive", short_window="x", long_window=5),
        [f"{P0}.short_window"],
    ),
    (
        "something wrong in every part",
        several(
            entry(tickers=[], risk_config={"max_position_size": 2, "stop_los_pct": 0.1}),
            entry(name="SPY_Momentum", strategy_params={"momentum_threshold": -1}),
            entry(name="?", tickers=["spy", "QQQ", "QQQ"], initial_cash=0, enabled=None),
            mode="demo",
            verbose=True,
        ),
        [
            "mode",
            f"{R0}.max_position_size",
            f"{R0}.stop_los_pct",
            f"{S0}.tickers",
            "strategies[1].name",
            "strategies[1].strategy_params.momentum_threshold",
            "strategies[2].enabled",
            "strategies[2].initial_cash",
            "strategies[2].name",
            "strategies[2].tickers[0]",
            "strategies[2].tickers[2]",
            "verbose",
        ],
    ),
    (
        "twelve bad strategies, in their order",
        several(*(entry(name=f"s{n}", tickers=["!"]) for n in range(12))),
        [f"strategies[{n}].tickers[0]" for n in range(12)],
    ),
]
