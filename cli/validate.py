"""`multi-trader validate`: a configuration, judged without a network and without importing much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.faults import plainly


@plainly
def validate(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="Configuration, JSON.")],
) -> None:
    """Check a configuration and name every error in it.

    Each comes with its place in the file; exit 2 if there is any.

    \b
    Example:
      multi-trader validate --config configs/multi_trader_simple.json
    """
    from coordinator.config import load_config

    checked = load_config(config)
    cash = sum(strategy.initial_cash for strategy in checked.active)
    typer.echo(
        f"{config}: valid: {len(checked.active)} of {len(checked.strategies)} strategies enabled, "
        f"{len(checked.tickers)} tickers, ${cash:,.2f} of initial cash, mode {checked.mode.value}."
    )
