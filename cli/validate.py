"""`multi-trader validate`: checks a configuration, without network and with few imports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import plainly
from cli.options import StrategiesDir
from cli.tables import print_json

if TYPE_CHECKING:
    from coordinator.config import CoordinatorConfig
    from coordinator.errors import ConfigError

_COIN = re.compile(r"([A-Z]{3,})(USD[CT]?)")
"""A pair as other vendors write it; no stock's ticker has so many letters."""


@plainly
def validate(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="Configuration, JSON.")],
    strategies: StrategiesDir = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, including the problems.")
    ] = False,
) -> None:
    """Check a configuration and list every error in it.

    Each error comes with its place in the file. Exit 2 if there are any.

    \b
    Example:
      multi-trader validate --config configs/multi_trader_simple.json
    """
    from coordinator.config import load_config
    from coordinator.errors import ConfigError

    try:
        checked = load_config(config, strategies)
    except ConfigError as error:
        if not json:
            raise
        print_json(_problems(config, error))
        raise typer.Exit(error.exit_code) from None
    if json:
        print_json(_counts(config, checked))
        _warn_of_refusals_by_run(checked)
        _warn_of_tickers(checked)
        return
    cash = sum(strategy.initial_cash for strategy in checked.active)
    all_of_them = (
        f"{len(checked.strategies)} strateg{'y' if len(checked.strategies) == 1 else 'ies'}"
    )
    tickers = "1 ticker" if len(checked.tickers) == 1 else f"{len(checked.tickers)} tickers"
    beside = f" ({len(checked.shadows)} as shadows)" if checked.shadows else ""
    typer.echo(
        f"{config}: valid: {len(checked.enabled)} of {all_of_them} "
        f"enabled{beside}, {tickers}, ${cash:,.2f} of initial cash, "
        f"mode {checked.mode.value}."
    )
    _warn_of_refusals_by_run(checked)
    _warn_of_tickers(checked)
    if checked.swept:
        typer.echo(
            f"{len(checked.swept):,} of them are variants of a sweep, for `multi-trader backtest`"
            f" alone; {checked.left_out:,} more combinations make no valid strategy."
        )


def _warn_of_refusals_by_run(checked: CoordinatorConfig) -> None:
    """Warn of what a backtest may use but `multi-trader run` refuses."""
    from coordinator.arming import refuse_other_quote_currencies, refuse_shadows_on_other_markets
    from coordinator.errors import OperatorError

    for refuse in (refuse_shadows_on_other_markets, refuse_other_quote_currencies):
        try:
            refuse(checked)
        except OperatorError as error:
            typer.echo(f"but `multi-trader run` will refuse it: {error}", err=True)


def _warn_of_tickers(checked: CoordinatorConfig) -> None:
    """Warn of tickers of which otherwise the broker alone tells, and only at a start."""
    from coordinator.core.values import is_crypto
    from coordinator.settings import LEAST_PAIRS, LIMITED_FEED

    traded = [one for one in checked.enabled if not one.sweep_of]
    stocks = {ticker for one in traded for ticker in one.tickers if not is_crypto(ticker)}
    for name, quote in sorted(found.groups() for found in map(_COIN.fullmatch, stocks) if found):
        typer.echo(f"but {name}{quote} is a stock here; the coin is {name}/{quote}.", err=True)
    if checked.feed.value == LIMITED_FEED and len(stocks) > LEAST_PAIRS:
        typer.echo(
            f"but Alpaca's free plan streams {LEAST_PAIRS} stocks, and these are {len(stocks)}:"
            " without a plan that has more, `multi-trader run` stops at its start and says which"
            ' strategies fit; with one, set "feed": "sip".',
            err=True,
        )


def _problems(config: Path, error: ConfigError) -> dict[str, object]:
    found = [{"path": problem.path, "message": problem.message} for problem in error.problems]
    return {"config": str(config), "valid": False, "problems": found}


def _counts(config: Path, checked: CoordinatorConfig) -> dict[str, object]:
    return {
        "config": str(config),
        "valid": True,
        "problems": [],
        "mode": checked.mode.value,
        "tickers": list(checked.tickers),
        "strategies": [one.as_document() for one in checked.strategies],
    }
