"""Books as plain values, so that those in memory can be held against those that a journal gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from coordinator.core.books import Books

Parts = dict[str, dict[Any, Any]]


def dump(books: Books) -> Parts:
    """All that books know, part by part."""
    return {
        "ledger": {
            name: (
                account.initial_cash,
                account.configured_cash,
                account.transferred,
                account.cash,
                account.realized,
                account.fees,
                {symbol: (p.qty, p.cost) for symbol, p in account.positions.items()},
            )
            for name, account in books.ledger.accounts.items()
        },
        "orders": {
            order.client_order_id: (
                order.status,
                order.broker_order_id,
                order.reported_qty,
                order.booked_qty,
                frozenset(order.executions.until),
                order.filled_avg_price,
                order.entry_day,
            )
            for order in books.orders
        },
        "days": {
            name: (day.start_equity, day.transferred_before, day.date, day.entries, day.stopped)
            for name, day in books.days.items()
        },
        "marks": dict(books.ledger.marks),
        "last bars": dict(books.last_bar),
        "denials": dict(books.denied),
        "postings": {
            part.name: getattr(books.posted, part.name)
            for part in fields(books.posted)
            if part.name not in ("version", "_moved")  # in the order in which they were heard
        },
        "frozen": dict(books.frozen),
        "halts": {
            "killed": books.halts.killed,
            "paused": set(books.halts.paused),
            "flattened": set(books.halts.flattened),
        },
    }


def differences(mine: Parts, replayed: Parts) -> Iterator[str]:
    """Each part in which two books differ, with what only the one and only the other has."""
    for part in mine:
        if mine[part] != replayed[part]:
            only_here = _unlike(mine[part], replayed[part])
            yield f"{part} in memory {only_here}, replayed {_unlike(replayed[part], mine[part])}"


def _unlike(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in one.items() if other.get(key, ...) != value}
