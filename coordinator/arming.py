"""A sweep is never traded, and real money only by two words: the file's and the command's."""

from __future__ import annotations

from coordinator.config import CoordinatorConfig, Mode
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
