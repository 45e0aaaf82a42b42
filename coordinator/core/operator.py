"""Decides an operator's request: the records that fulfil it, and a sentence in answer.

Pause, resume and flatten concern one strategy, whose book this coordinator keeps; kill and revive
concern the account. A request that is fulfilled already leads to no record, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from coordinator.core import records as r
from coordinator.core.amounts import units
from coordinator.core.books import Books
from coordinator.core.flat import Held, sellable
from coordinator.core.messages import Act, Answer, OperatorAsked
from coordinator.core.naming import listed
from coordinator.core.risk import Asset
from coordinator.core.values import Side

Decision = tuple[list[r.Record], Answer]


def decide(
    books: Books, assets: Mapping[str, Asset], is_open: Callable[[str], bool], asked: OperatorAsked
) -> Decision:
    """The records, not yet applied, and the answer; `is_open` says whether a symbol trades now."""
    match asked.act:
        case Act.KILL:
            return _kill(books, asked)
        case Act.REVIVE:
            return _revive(books, assets, asked)
        case _ if asked.strategy not in books.strategies():
            known = listed(sorted(books.strategies()))
            return [], Answer(False, f"no strategy {asked.strategy!r} here; there are: {known}.")
        case Act.PAUSE:
            return _pause(books, asked)
        case Act.RESUME:
            return _resume(books, asked)
        case Act.FLATTEN:
            return _flatten(books, assets, is_open, asked)


def _pause(books: Books, asked: OperatorAsked) -> Decision:
    name = asked.strategy
    if name in books.halts.paused:
        return [], Answer(True, f"{name} is paused already, {_until(name)}.")
    goes_on = "its exits, stops and targets go on"
    said = f"{name} is paused: it opens nothing {_until(name)}; {goes_on}."
    return [r.Paused(asked.now, name, asked.by)], Answer(True, said)


def _resume(books: Books, asked: OperatorAsked) -> Decision:
    name = asked.strategy
    if name not in books.halts.paused:
        return [], Answer(True, f"{name} is not paused.")
    killed = " But the account is killed: nothing is bought until `multi-trader revive`."
    said = f"{name} is resumed: it may open positions again.{killed if books.halts.killed else ''}"
    return [r.Resumed(asked.now, name, asked.by)], Answer(True, said)


def _flatten(
    books: Books, assets: Mapping[str, Asset], is_open: Callable[[str], bool], asked: OperatorAsked
) -> Decision:
    name = asked.strategy
    records: list[r.Record] = []
    if name not in books.halts.flattened:
        records.append(r.FlattenRequested(asked.now, name, asked.by))
    said = " and ".join(_steps(books, sellable(books, assets, [name]), is_open, name)) or "is flat"
    return records, Answer(True, f"{name} {said}. It stays paused {_until(name)}.")


def _steps(books: Books, left: list[Held], is_open: Callable[[str], bool], name: str) -> list[str]:
    """What flattening a strategy takes now, in words."""
    buys = sum(order.side is Side.BUY for order in books.orders.open_of(name))
    now = [in_words(h) for h in left if is_open(h.symbol)]
    later = [in_words(h) for h in left if not is_open(h.symbol)]
    parts = [f"cancels {buys} open {'buy' if buys == 1 else 'buys'}"] if buys else []
    parts += [f"sells {', '.join(now)}"] if now else []
    parts += [f"sells {', '.join(later)} once its market opens"] if later else []
    return parts


def _kill(books: Books, asked: OperatorAsked) -> Decision:
    until = "Nothing is bought until `multi-trader revive`."
    if books.halts.killed:
        return [], Answer(True, f"The account is killed already. {until}")
    said = f"The account is killed: everything is cancelled and sold. {until}"
    return [r.Killed(asked.now, asked.by)], Answer(True, said)


def _revive(books: Books, assets: Mapping[str, Asset], asked: OperatorAsked) -> Decision:
    """Refused while any coordinator of the account holds something or has an open order."""
    if not books.halts.killed:
        return [], Answer(True, "The account is not killed.")
    left = [f"{h.strategy} holds {in_words(h)}" for h in sellable(books, assets)]
    open_now = (order for orders in books.all_orders for order in orders.open())
    left += [f"order {order.client_order_id} is open" for order in open_now]
    if left:
        return [], Answer(False, f"The account is not revived: {', '.join(left)}.")
    said = "The account is revived: strategies may buy again."
    return [r.Revived(asked.now, asked.by)], Answer(True, said)


def in_words(position: Held) -> str:
    """'12.5 SPY'."""
    return f"{units(position.qty)} {position.symbol}"


def _until(name: str) -> str:
    return f"until `multi-trader resume {name}`"
