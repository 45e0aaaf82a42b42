"""The plan of an import as a JSON file: writes a form to fill in, and reads a filled-in one.

Amounts may be strings or numbers, and are exact decimals either way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from coordinator.config.text import ROOT, path_to, read_document, read_file, shown, unknown
from coordinator.core.adoption import Move, Plan, Recipient, Unowned
from coordinator.core.amounts import units
from coordinator.core.values import CENT, COIN, NAME_PATTERN, SYMBOL_PATTERN, ZERO, exactly
from coordinator.errors import ConfigError, Problem

_PLAN = ("plan", "account", "moves")
_MOVE = ("strategy", "symbol", "qty", "cash")


def form(name: str, account: str, held: Iterable[Unowned], recipients: Iterable[Recipient]) -> str:
    """The text of a plan that moves every position, and takes from strategies what UNASSIGNED is
    short of; a strategy is filled in where it can be no other."""
    known = list(recipients)
    moves = [
        {"strategy": strategy, "symbol": one.symbol, "qty": units(qty)}
        for one in held
        for strategy, qty in _parts(one, known)
    ]
    document = {"plan": name, "account": account, "moves": moves}
    return json.dumps(document, indent=2) + "\n"


def _parts(one: Unowned, recipients: Sequence[Recipient]) -> list[tuple[str, Decimal]]:
    """Strategies, or '' where it could be another, and the units that each would get."""
    if one.qty < 0 and sum(one.held_by.values(), ZERO) <= -one.qty:
        return [(name, -qty) for name, qty in one.held_by.items()]
    trading = (recipient.name for recipient in recipients if one.symbol in recipient.tickers)
    names = list(one.held_by if one.qty < 0 else trading)
    return [(names[0] if len(names) == 1 else "", one.qty)]


def read_plan(path: Path) -> Plan:
    """The plan in a JSON file.

    Raises:
        ConfigError: the file cannot be read, or is wrong; lists every problem in it.
    """
    source = str(path)
    try:
        text = read_file(path)
    except OSError as error:
        problem = Problem(ROOT, f"cannot be read: {error.strerror}; see --write-plan")
        raise ConfigError(source, [problem]) from None
    return parse_plan(read_document(text, source), source)


def parse_plan(document: object, source: str) -> Plan:
    """The plan in a parsed JSON document.

    Raises:
        ConfigError: lists every problem in it.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(source, [Problem(ROOT, "should be an object, as --write-plan writes it")])
    problems = _unknown_keys(document, _PLAN, ())
    name = document.get("plan")
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        rule = "should be 1 to 48 letters, digits, _ or -, and a name that no other plan has"
        problems.append(Problem("plan", f"{rule}, got {shown(name)}"))
    account, moves = document.get("account"), document.get("moves")
    if not isinstance(account, str) or not account:
        problems.append(Problem("account", f"should be the account's number, got {shown(account)}"))
    if not isinstance(moves, list) or not moves:
        problems.append(Problem("moves", f"should be a list of moves, got {shown(moves)}"))
        moves = []
    read = [_move(index, entry, problems) for index, entry in enumerate(moves)]
    if problems:
        raise ConfigError(source, problems)
    return Plan(str(name), str(account), tuple(move for move in read if move is not None))


def _move(index: int, entry: object, problems: list[Problem]) -> Move | None:
    """One move; None if it is wrong, with its problems added to `problems`."""
    place = ("moves", index)
    if not isinstance(entry, Mapping):
        problems.append(Problem(path_to(place), f"should be an object, got {shown(entry)}"))
        return None
    found = _unknown_keys(entry, _MOVE, place)
    strategy, symbol = entry.get("strategy"), entry.get("symbol", "")
    if not isinstance(strategy, str) or not NAME_PATTERN.fullmatch(strategy):
        wanted = "should be the name of the strategy that gets or gives it"
        found.append(Problem(path_to((*place, "strategy")), f"{wanted}, got {shown(strategy)}"))
    wanted_keys = ("symbol", "qty") if "symbol" in entry or "qty" in entry else ("cash",)
    missing = [key for key in wanted_keys if key not in entry]
    if missing or ("cash" in entry and wanted_keys != ("cash",)):
        rule = 'should have either "symbol" and "qty", or "cash"'
        found.append(Problem(path_to(place), rule))
    if "symbol" in entry and not (isinstance(symbol, str) and SYMBOL_PATTERN.fullmatch(symbol)):
        rule = 'should be a ticker such as "SPY" or "BTC/USD"'
        found.append(Problem(path_to((*place, "symbol")), f"{rule}, got {shown(symbol)}"))
    qty = _amount(entry, "qty", COIN, place, found)
    cash = _amount(entry, "cash", CENT, place, found)
    problems += found
    return None if found else Move(str(strategy), str(symbol), qty, cash)


@exactly
def _amount(
    entry: Mapping[str, Any], key: str, step: Decimal, place: tuple[Any, ...], found: list[Problem]
) -> Decimal:
    """A multiple of `step`; 0 if there is none, or with a problem added to `found`."""
    if key not in entry:
        return ZERO
    try:
        given = entry[key]
        amount = Decimal(given) if isinstance(given, str | int | Decimal) else Decimal("nan")
        fits = amount.is_finite() and 0 < abs(amount) < Decimal("1e18") and amount % step == 0
    except InvalidOperation:
        fits = False
    if isinstance(entry[key], bool) or not fits:
        rule = f"should be a number other than 0 of at most {-int(step.adjusted())} decimals"
        found.append(Problem(path_to((*place, key)), f"{rule}, got {shown(entry[key])}"))
        return ZERO
    return amount


def _unknown_keys(
    entry: Mapping[str, Any], known: Sequence[str], place: tuple[Any, ...]
) -> list[Problem]:
    return [
        Problem(path_to((*place, key)), unknown("key", key, known))
        for key in entry
        if key not in known
    ]
