"""What may be traded: no sweep, no shadow of another market, no pair but against dollars, and real
money only by two words, the file's and the command's."""

from __future__ import annotations

from coordinator.config import CoordinatorConfig, Mode
from coordinator.core.values import is_crypto
from coordinator.errors import OperatorError, SafetyRefusal


def refuse_half_armed(config: CoordinatorConfig, *, live: bool, simulated: bool) -> None:
    """Refuse what only one of the two has armed; a simulated run risks nothing.

    Raises:
        SafetyRefusal: with what is missing.
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
    """Refuse what no session can run as it stands; the simulator takes every pair's money for USD.

    Raises:
        OperatorError: a sweep, shadows of another market, or a pair that is not paid in dollars.
    """
    refuse_sweep(config)
    refuse_strange_shadows(config)
    if not simulated:
        refuse_other_money(config)


def refuse_sweep(config: CoordinatorConfig) -> None:
    """Refuse to trade a sweep, which tries values and is no portfolio.

    Raises:
        OperatorError: naming the entries, and what to do with them.
    """
    if not config.swept:
        return
    entries = dict.fromkeys(f'"{one.sweep_of}"' for one in config.swept)
    raise OperatorError(
        f"the configuration has a sweep in {', '.join(entries)} ({len(config.swept):,} variants),"
        " and a sweep is for backtests: try it with `multi-trader backtest --config FILE --bars"
        " FILE`, then put the values that you choose into strategy_params and take the sweep out."
    )


def refuse_other_money(config: CoordinatorConfig) -> None:
    """Refuse pairs that are bought with something else than dollars: the books count in dollars.

    Raises:
        OperatorError: naming them.
    """
    traded = dict.fromkeys(ticker for one in config.active for ticker in one.tickers)
    other = [ticker for ticker in traded if is_crypto(ticker) and not ticker.endswith("/USD")]
    if other:
        raise OperatorError(
            f"{', '.join(other)}: pairs are traded against USD alone. What is paid for with"
            " another coin moves no dollars of the account, and books in dollars would not sum to"
            " it; a simulated run, a shadow or a backtest counts it as if it were dollars."
        )


def refuse_strange_shadows(config: CoordinatorConfig) -> None:
    """Refuse shadows on a market that no live strategy trades: the session would have to open that
    market's stream, take its lease and run until it closes.

    Raises:
        OperatorError: naming them, and what to do with them.
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
