"""Which strategies fit into the symbols that a data plan grants, when not all do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coordinator.core.lane import StrategySpec
from coordinator.core.values import is_crypto
from coordinator.settings import LEAST_PAIRS, LIMITED_FEED


@dataclass(frozen=True, slots=True)
class Allotment:
    """Symbols given out in the order of the configuration, each strategy all of its own or none.

    `fits` names the strategies that got theirs; `lacks` has, for each other one, how many more
    symbols it would need.
    """

    fits: tuple[str, ...]
    lacks: dict[str, int]


def allot(specs: Sequence[StrategySpec], wanted: Collection[str], room: int) -> Allotment:
    """Give `room` symbols to the strategies that trade any of `wanted`; shared ones count once."""
    given: set[str] = set()
    fits, lacks = [], {}
    for spec in specs:
        more = {ticker for ticker in spec.tickers if ticker in wanted} - given
        if len(given) + len(more) <= room:
            given |= more
            fits.append(spec.name)
        else:
            lacks[spec.name] = len(more)
    return Allotment(tuple(fits), lacks)


def explain_refusal(
    specs: Sequence[StrategySpec], feed: str, wanted: Collection[str], granted: Collection[str]
) -> str:
    """The error text when the broker grants a market stream fewer symbols than it was asked for."""
    crypto = all(is_crypto(symbol) for symbol in wanted)
    got = sorted(set(wanted) & set(granted))
    parts = [
        f"the broker does not grant all {len(wanted)} symbols that the configuration wants on the"
        f" {'crypto' if crypto else feed} feed; it granted {', '.join(got) or 'none'}.",
    ]
    room = len(got) or LEAST_PAIRS
    if room < len(wanted):
        parts.append(_in_words(allot(specs, wanted, room), room))
    else:
        parts.append(
            f"A plan grants at least {LEAST_PAIRS}; subscriptions of other programs may count too."
        )
    parts.append("Nothing was traded. Give the strategies fewer tickers, or disable some")
    if feed == LIMITED_FEED and not crypto:
        parts[-1] += ', or set "feed": "sip" if the plan has it: that feed has no such limit'
    parts[-1] += ". A second coordinator does not help, for the limit is the account's."
    return " ".join(parts)


def _in_words(allotment: Allotment, room: int) -> str:
    fits = ", ".join(allotment.fits) or "none"
    lacks = ", ".join(f"{name} ({count} more)" for name, count in allotment.lacks.items())
    return (
        f"In the configuration's order, {room} symbols do for these strategies: {fits};"
        f" and not for these: {lacks}."
    )
