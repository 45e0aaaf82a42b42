"""`multi-trader strategies`: lists the strategy types and their parameters."""

from __future__ import annotations

import json as json_text
import shutil
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import OPERATORS_FAULT, complain, plainly
from cli.options import StrategiesDir
from cli.tables import print_json

if TYPE_CHECKING:
    from coordinator.commands.strategy_listing import Parameter, StrategyDescription

WIDEST = 100


def _names(incomplete: str) -> list[str]:
    """The types that begin with `incomplete`, for shell completion; without those of a folder."""
    from coordinator.strategies.registry import registered_types

    return [name for name in registered_types() if name.startswith(incomplete)]


@plainly
def strategies(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One strategy type, in full.", autocompletion=_names),
    ] = None,
    folder: StrategiesDir = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of types.")] = False,
) -> None:
    """List the strategy types, their parameters and defaults.

    The list includes the types of installed packages and of the files in --strategies. Exit 2 if
    one of these cannot be used; the reason names file and line.

    \b
    Example:
      multi-trader strategies
      multi-trader strategies momentum
    """
    from coordinator.commands.strategy_listing import list_strategies

    listing = list_strategies(folder, name)
    if json:
        print_json([one.as_document() for one in listing.types])
    else:
        typer.echo("\n\n".join(_described(one, whole=name is not None) for one in listing.types))
    for fault in listing.faults:
        complain(fault)
    if listing.faults:
        raise typer.Exit(OPERATORS_FAULT)


def _described(one: StrategyDescription, *, whole: bool) -> str:
    origin = "" if one.origin == "built-in" else f"  ({one.origin})"
    lines = [f"{one.strategy_type}{origin}"]
    lines += ["  Looks at its tickers together."] if one.together else []
    if whole:
        lines += textwrap.indent(one.text, "  ").splitlines()
    elif one.summary:
        lines += _wrapped("  ", one.summary)
    if one.parameters:
        width = max(len(_setting(parameter)) for parameter in one.parameters) + 2
        for parameter in one.parameters:
            lines += _wrapped(f"    {_setting(parameter):<{width}}", _meaning(parameter))
    if one.order:
        lines += _wrapped("    ", "; ".join(one.order))
    if whole:
        lines += ["  In a configuration:", f"    {_entry(one)}"]
    return "\n".join(lines)


def _setting(parameter: Parameter) -> str:
    if parameter.required:
        return f"{parameter.name} (required)"
    return f"{parameter.name} = {json_text.dumps(parameter.default)}"


def _meaning(parameter: Parameter) -> str:
    kind = ", ".join(part for part in (parameter.kind, parameter.range) if part)
    return f"{kind}: {parameter.description}" if parameter.description else kind


def _entry(one: StrategyDescription) -> str:
    params = {parameter.name: parameter.default for parameter in one.parameters}
    entry = json_text.dumps({"strategy_type": one.strategy_type, "strategy_params": params})
    return entry.removeprefix("{").removesuffix("}")


def _wrapped(begin: str, text: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return textwrap.wrap(text, width, initial_indent=begin, subsequent_indent=" " * len(begin))
