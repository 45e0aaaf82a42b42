"""Which configurations a session refuses to trade.

It refuses sweeps, shadows on a market that no live strategy trades, crypto pairs not quoted in
dollars, and live trading that is not enabled both in the file and on the command line.
"""

from __future__ import annotations

from coordinator.config import CoordinatorConfig, Mode
from coordinator.core.values import is_crypto
from coordinator.errors import OperatorError, SafetyRefusal


def refuse_half_armed(config: CoordinatorConfig, *, live: bool, simulated: bool) -> None:
    """Refuse live trading that only the file or only the command asks for.

    A simulated run risks no money, so it may use a live configuration.

    Raises:
        SafetyRefusal: naming what is missing.
    """
    if config.mode is Mode.LIVE and not live and not simulated:
        raise SafetyRefusal(
            'the configuration says "mode": "live", but --live was not given. Real money needs'
            " both, and MULTI_TRADER_ALLOW_LIVE set to the account's number."
        )
    if live and config.mode is not Mode.LIVE:
        raise SafetyRefusal(
            '--live was given, but the configuration does not say "mode": "live". Real money'
            " needs both, and MULTI_TRADER_ALLOW_LIVE set to the account's number."
        )


def refuse_untradable(config: CoordinatorConfig, *, simulated: bool) -> None:
    """Refuse a configuration that no session can trade.

    The simulator treats every quote currency as USD, so it may trade any pair.

    Raises:
        OperatorError: a sweep, shadows on another market, or a pair that is not quoted in USD.
    """
    refuse_sweep(config)
    refuse_shadows_on_other_markets(config)
    if not simulated:
        refuse_other_quote_currencies(config)


def refuse_sweep(config: CoordinatorConfig) -> None:
    """Refuse a sweep: its variants are for backtests and are not a portfolio.

    Raises:
        OperatorError: naming the entries.
    """
    if not config.swept:
        return
    entries = dict.fromkeys(f'"{one.sweep_of}"' for one in config.swept)
    raise OperatorError(
        f"the configuration has a sweep in {', '.join(entries)} ({len(config.swept):,} variants),"
        " and a sweep is for backtests: try it with `multi-trader backtest --config FILE --bars"
        " FILE`, then put the values that you choose into strategy_params and take the sweep out."
    )


def refuse_other_quote_currencies(config: CoordinatorConfig) -> None:
    """Refuse crypto pairs that are not quoted in USD, because books are kept in dollars.

    Raises:
        OperatorError: naming the pairs.
    """
    traded = dict.fromkeys(ticker for one in config.active for ticker in one.tickers)
    other = [ticker for ticker in traded if is_crypto(ticker) and not ticker.endswith("/USD")]
    if other:
        raise OperatorError(
            f"{', '.join(other)}: pairs are traded against USD alone. What is paid for with"
            " another coin moves no dollars of the account, and books in dollars would not sum to"
            " it; a simulated run, a shadow or a backtest counts it as if it were dollars."
        )


def refuse_shadows_on_other_markets(config: CoordinatorConfig) -> None:
    """Refuse shadows on a market that no live strategy trades: the session would have to open that
    market's stream, take its lease and run until it closes.

    Raises:
        OperatorError: naming the shadows.
    """
    traded = {is_crypto(ticker) for one in config.active for ticker in one.tickers}
    strange = [
        one.name
        for one in config.shadows
        if traded and not {is_crypto(ticker) for ticker in one.tickers} <= traded
    ]
    if strange:
        raise OperatorError(
            f"the shadow strategies {', '.join(strange)} are on a market that no live strategy of"
            " the configuration trades, and would change the session's hours: give them a"
            " configuration of their own, and run that beside this one."
        )
