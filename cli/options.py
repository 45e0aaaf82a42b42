"""Options that several commands share, and parsers of their values."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cli.logs import LEVELS

EARLIEST_SESSION, LATEST_SESSION = datetime.date(1991, 1, 1), datetime.date(2189, 12, 31)


def a_date(text: str) -> datetime.date:
    """A date written YYYY-MM-DD.

    Raises typer.BadParameter for anything else.
    """
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC).date()
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a date; write it as 2026-03-17.") from None


def a_session_date(text: str) -> datetime.date:
    """A date on which a session can be simulated: the broker's messages can hold no others.

    Raises typer.BadParameter for anything else.
    """
    date = a_date(text)
    if not EARLIEST_SESSION <= date <= LATEST_SESSION:
        raise typer.BadParameter(
            f"'{text}' is not a date from {EARLIEST_SESSION} to {LATEST_SESSION}."
        )
    return date


def a_speed(text: str) -> float:
    """The speed of the broker's clock as a multiple of the local clock's: finite and above 0.

    Raises typer.BadParameter for anything else.
    """
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise typer.BadParameter(f"'{text}' is not a number above 0, such as 1 or 600.")
    return speed


def a_number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`, which raises typer.BadParameter."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise typer.BadParameter(f"'{text}' is not a whole number from {least} to {most}.")
        return number

    return parse


def a_measure(text: str) -> str:
    """The measure by which a sweep's variants are ranked.

    Raises typer.BadParameter for anything else.
    """
    from warehouse import MEASURES

    if text not in MEASURES:
        raise typer.BadParameter(f"'{text}' is no measure; use {', '.join(MEASURES)}.")
    return text


def a_level(text: str) -> str:
    """One of the log levels, in capitals.

    Raises typer.BadParameter for anything else.
    """
    if text.upper() not in LEVELS:
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(LEVELS)}.")
    return text.upper()


def levels(incomplete: str) -> list[str]:
    """The log levels that begin with `incomplete`, for shell completion."""
    return [one for one in LEVELS if one.startswith(incomplete.upper())]


def strategy_names(incomplete: str) -> list[str]:
    """Names that begin with `incomplete`, for shell completion; an error completes nothing.

    They are the strategies of the sessions under MULTI_TRADER_HOME, or without any session those
    that run without a configuration.
    """
    from coordinator.config import default_config
    from coordinator.errors import MultiTraderError
    from coordinator.settings import home_folder
    from coordinator.status import read_status

    try:
        views = read_status(home_folder())
    except (MultiTraderError, OSError):
        return []
    names = {one.name for view in views for one in (*view.strategies, *view.shadows)}
    if not views:
        names = {one.name for one in default_config().strategies}
    return sorted(name for name in names if name.startswith(incomplete) and name != "UNASSIGNED")


StrategyName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The strategy's name.", autocompletion=strategy_names),
]
AccountNumber = Annotated[
    str | None, typer.Option("--account", metavar="NUMBER", help="The account's number.")
]
CoordinatorName = Annotated[
    str | None, typer.Option("--coordinator", metavar="NAME", help="The coordinator's name.")
]
BarsFile = Annotated[
    Path | None,
    typer.Option(
        "--bars", metavar="FILE", help="Recorded one-minute bars to replay, Parquet or CSV."
    ),
]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="NAME", help="The data source to use, if the bars file holds several."
    ),
]
SessionDate = Annotated[
    datetime.date | None,
    typer.Option(
        "--date",
        parser=a_session_date,
        metavar="YYYY-MM-DD",
        help="Session date of the simulation.",
    ),
]
StrategiesDir = Annotated[
    Path | None,
    typer.Option(
        "--strategies",
        metavar="DIR",
        help="Folder of your own strategies, in place of the configuration's strategies_dir.",
    ),
]
FillModel = Annotated[
    str | None,
    typer.Option(
        "--fill-model",
        metavar="M",
        help="How simulated market orders fill: spread (1 bp either side; the default), close, "
        "slippage[:bps] or participation[:fraction].",
    ),
]
BrokerSpeed = Annotated[
    float,
    typer.Option(
        "--clock-speed",
        parser=a_speed,
        metavar="N",
        help="A simulator's clock runs up to N times as fast as the local one.",
    ),
]
LogLevel = Annotated[
    str,
    typer.Option(
        "--log-level",
        parser=a_level,
        metavar="L",
        help="DEBUG, INFO, WARNING or ERROR.",
        autocompletion=levels,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]
SessionId = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="One session by its id.")
]


def refuse_source_alone(source: str | None, bars: Path | None) -> None:
    """Raise OperatorError for --source without --bars."""
    from coordinator.errors import OperatorError

    if source is not None and bars is None:
        raise OperatorError(
            f"--source {source} names a set of a bars file, and there is none: add --bars FILE."
        )
