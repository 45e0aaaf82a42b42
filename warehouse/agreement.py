"""The end of day's reconciliation: journal, broker and warehouse must have the same executions.

A difference is a row in `discrepancies` of kind `journal` (the warehouse lacks or alters a row of
the journal), `fill` or `fee` (the broker lists something else). A repeated reconciliation replaces
the findings of the one before, so that differences explained meanwhile go away. Nothing else is
changed, and nothing is ever booked from here. Executions and fees from the time of a session that
is not loaded may be that session's, and are left to its own end of day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from warehouse.frames import Row, as_mappings
from warehouse.load import SessionSource, utc_now
from warehouse.store import Store
from warehouse.unloaded import UnloadedSessions, read_unloaded
from warehouse.write import read_record

BrokerSide = Mapping[str, Sequence[Row]]
"""The broker's lists since a time: `fills` of (order_id, symbol, side, qty, price, filled_at) and
`fees` of (activity_id, day, amount); ids are the broker's, amounts Decimal dollars, signed."""
AskBroker = Callable[[str, str, datetime], "BrokerSide | str"]
"""(account, mode, since) -> the broker's lists, or a sentence why it could not be asked."""

WINDOW = timedelta(days=7)
"""How far before an account's newest session differences are searched: fees come days later."""
KINDS = ("journal", "fill", "fee")
JOURNAL_ALONE = ("journal",)
"""The kinds judged without a broker's answer; earlier findings of the others stay."""
_CENT = Decimal("0.01")
_ZERO = Decimal(0)

_SESSIONS = """
    SELECT session_id, account, mode, opened_at, status <> 'open' AS ended FROM sessions
    WHERE list_contains($1, session_id) ORDER BY opened_at, session_id
"""
_ORDERS = """
    SELECT o.broker_order_id AS id, arg_max(session_id, s.opened_at) AS session_id,
           any_value(o.strategy) AS strategy, any_value(o.symbol) AS symbol,
           bool_and(s.status NOT IN ('open')) AS ended,
           arg_max(o.closed_at IS NULL, s.opened_at) AS rests, max(s.opened_at) AS opened_at,
           coalesce(sum(f.net), 0) AS net, coalesce(sum(f.gross), 0) AS gross,
           coalesce(sum(f.paid), 0) AS paid, coalesce(sum(f.executions), 0) AS executions
    FROM orders AS o JOIN sessions AS s USING (session_id)
    LEFT JOIN (SELECT session_id, client_order_id, sum(qty) AS net,
                      coalesce(sum(qty) FILTER (qty > 0), 0) AS gross,
                      sum(money_product(qty, price)) AS paid, count(*) AS executions
               FROM fills WHERE NOT starts_with(execution_id, 'cross.') GROUP BY ALL) AS f
         USING (session_id, client_order_id)
    WHERE s.account = $1 AND s.mode = $2 AND s.opened_at >= $3 AND o.broker_order_id IS NOT NULL
      AND o.strategy <> 'UNASSIGNED'
    GROUP BY o.broker_order_id
"""
_STORED = {
    "fills": ("execution_id", "qty", "SELECT * FROM fills WHERE session_id = ?"),
    "activities": ("activity_id", "amount", "SELECT * FROM activities WHERE session_id = ?"),
}
# Orders of all sessions of that time, also of sessions that are not judged.
_KNOWN = """
    SELECT DISTINCT o.broker_order_id AS id FROM orders AS o JOIN sessions AS s USING (session_id)
    WHERE s.account = $1 AND s.mode = $2 AND coalesce(s.closed_at >= $3, true)
      AND o.broker_order_id IS NOT NULL AND o.strategy <> 'UNASSIGNED'
"""
# Foreign orders may have the client id of an order of ours that never reached the broker. What was
# crossed never did, either.
_UNOWNED = """
    SELECT DISTINCT ON (f.execution_id) f.*
    FROM fills AS f JOIN sessions AS s USING (session_id)
    WHERE s.account = $1 AND s.mode = $2 AND f.filled_at >= $3
      AND NOT starts_with(f.execution_id, 'cross.')
      AND (session_id, client_order_id) NOT IN (
          SELECT (session_id, client_order_id) FROM orders
          WHERE broker_order_id IS NOT NULL AND strategy <> 'UNASSIGNED')
    ORDER BY f.execution_id
"""
_FEES = """
    SELECT regexp_replace(activity_id, '\\.beyond$', '') AS id,
           arg_max(session_id, s.opened_at) AS session_id, sum(amount) AS amount,
           bool_or(allocated_by = 'accrued') AS accrued
    FROM activities JOIN sessions AS s USING (session_id)
    WHERE s.account = $1 AND s.mode = $2 AND kind = 'fee'
      AND coalesce(s.closed_at >= $3::DATE::TIMESTAMPTZ, true) GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The reconciliation of one account's sessions; `message` is the result as a sentence."""

    account: str
    sessions: tuple[str, ...]
    three_way: bool
    found: int
    message: str


@dataclass(frozen=True, slots=True)
class _Difference:
    session_id: str
    kind: str
    symbol: str | None
    strategy: str | None
    ours: Decimal | None
    brokers: Decimal | None
    note: str


def reconcile(
    store: Store,
    sources: Iterable[SessionSource],
    ask_broker: AskBroker,
    *,
    others: Iterable[SessionSource] = (),
    now: Callable[[], datetime] = utc_now,
) -> list[Agreement]:
    """Compares the newest sessions of each account among `sources`, which must be loaded.

    Sessions of `others` that are not loaded are taken into account by their journals.
    """
    by_id = {source.session_id: source for source in sources}
    missing = [one for one in others if one.session_id not in by_id and not is_loaded(store, one)]
    sessions = [read_unloaded(source) for source in missing]
    found = []
    for mine in _newest(store, by_id):
        unloaded = UnloadedSessions.on(mine[0]["account"], mine[0]["mode"], sessions)
        found.append(_reconcile_account(store, mine, by_id, ask_broker, unloaded, now()))
    return found


def ask_beforehand(
    store: Store, sources: Iterable[SessionSource]
) -> Callable[[AskBroker], AskBroker]:
    """A function that asks all that `reconcile` will, to be called after closing the warehouse.

    A broker may take a minute to answer, and other processes need not wait for that.
    """
    newest = _newest(store, [source.session_id for source in sources])
    keys = [(s["account"], s["mode"], s["opened_at"]) for s, *_ in newest]

    def ask_all(ask_broker: AskBroker) -> AskBroker:
        answers = {key: ask_broker(*key) for key in keys}
        return lambda *key: answers.get(key, "it was not asked")

    return ask_all


def _newest(store: Store, names: Iterable[str]) -> list[list[Row]]:
    """The sessions to judge, by account, oldest first."""
    sessions = store.rows(_SESSIONS, [list(names)])
    found = []
    for account, mode in dict.fromkeys((s["account"], s["mode"]) for s in sessions):
        mine = [s for s in sessions if (s["account"], s["mode"]) == (account, mode)]
        since = max(s["opened_at"] for s in mine) - WINDOW
        found.append([s for s in mine if s["opened_at"] >= since])
    return found


def is_loaded(store: Store, source: SessionSource) -> bool:
    """Whether the warehouse has a session as its journal has it now."""
    record = read_record(store.connection, source.session_id)
    return record is not None and record.mark == source.mark


def _reconcile_account(
    store: Store,
    sessions: Sequence[Row],
    sources: Mapping[str, SessionSource],
    ask_broker: AskBroker,
    unloaded: UnloadedSessions,
    at: datetime,
) -> Agreement:
    account, mode, since = (sessions[0][name] for name in ("account", "mode", "opened_at"))
    names = tuple(s["session_id"] for s in sessions)
    found = [d for name in names for d in _against_journal(store, sources[name])]
    side = ask_broker(account, mode, since)
    if not isinstance(side, str):
        key = [account, mode, since]
        ended = all(s["ended"] for s in sessions)
        found += _against_broker(store, side, key, names, unloaded, ended=ended)
    judged = JOURNAL_ALONE if isinstance(side, str) else KINDS
    found = [difference for difference in found if difference.session_id in names]
    _write(store, names, judged, found, at)
    alone = f"journal and warehouse alone: {side}"
    reach = alone if isinstance(side, str) else "journal, broker and warehouse"
    sessions_ = "1 session" if len(names) == 1 else f"{len(names)} sessions"
    message = f"Reconciled {account} ({reach}): {_count(len(found))} in {sessions_}."
    return Agreement(account, names, not isinstance(side, str), len(found), message)


def _against_journal(store: Store, source: SessionSource) -> list[_Difference]:
    """Executions and activities in which journal and warehouse differ."""
    rows = source.rows()
    found = []
    for table, (key, column, sql) in _STORED.items():
        stored = {(r[key], r["strategy"]): r[column] for r in store.rows(sql, [source.session_id])}
        journal = {(r[key], r["strategy"]): r for r in as_mappings(rows[table])}
        for name in dict.fromkeys([*journal, *stored]):
            ours = journal[name][column] if name in journal else None
            theirs = stored.get(name)
            if ours != theirs or (name in journal) != (name in stored):
                note = f"{name[0]}: the journal has {ours}, the warehouse {theirs}"
                symbol = journal[name]["symbol"] if name in journal else None
                found.append(
                    _Difference(
                        session_id=source.session_id,
                        kind="journal",
                        symbol=symbol,
                        strategy=name[1],
                        ours=ours,
                        brokers=None,
                        note=note,
                    )
                )
    return found


def _against_broker(
    store: Store,
    side: BrokerSide,
    key: Sequence[Any],
    sessions: Sequence[str],
    unloaded: UnloadedSessions,
    *,
    ended: bool,
) -> list[_Difference]:
    orders = {row["id"]: row for row in store.rows(_ORDERS, key)}
    here = {name: order for name, order in orders.items() if not unloaded.may_move(order)}
    found = _differing_orders(here, side["fills"])
    if ended:  # else an unknown order may be of a session that was not loaded completely
        known = {row["id"] for row in store.rows(_KNOWN, key)} | unloaded.orders
        booked = {row["execution_id"]: row for row in store.rows(_UNOWNED, key)}
        booked |= unloaded.unowned_since(key[2])
        listed = [fill for fill in side["fills"] if fill["order_id"] not in known]
        ours, theirs = (_sums(filter(unloaded.is_outside, f)) for f in (booked.values(), listed))
        found += _differing_unowned(theirs, ours, sessions[-1])
    fees = {row["id"]: row for row in store.rows(_FEES, key)}
    judged = [fee for fee in side["fees"] if not unloaded.may_book(fee, fees)]
    return found + _differing_fees(fees, judged, sessions[-1])


def _differing_orders(orders: Mapping[str, Row], fills: Sequence[Row]) -> list[_Difference]:
    """Orders whose executions differ from the broker's, in quantity or else in cost."""
    listed: dict[str, list[Row]] = {}
    for fill in fills:
        listed.setdefault(fill["order_id"], []).append(fill)
    found = []
    for name, order in orders.items():
        theirs = sum((fill["qty"] for fill in listed.get(name, ())), _ZERO)
        paid = sum((fill["qty"] * fill["price"] for fill in listed.get(name, ())), _ZERO)
        if not order["ended"] or (theirs == order["gross"] != order["net"]):
            continue  # it is still open; or the broker still lists executions that it has busted
        if theirs != order["net"]:
            ours, what = order["net"], "a quantity of"
        elif abs(paid - order["paid"]) > _CENT * max(order["executions"], 1):
            ours, theirs, what = order["paid"], paid, "dollars for its executions of"
        else:
            continue
        note = f"order {name}: the broker lists {what} {theirs}, the warehouse {ours}"
        place = order["session_id"], "fill", order["symbol"], order["strategy"]
        found.append(_Difference(*place, ours, theirs, note))
    return found


def _sums(fills: Iterable[Row]) -> dict[tuple[str, str], Decimal]:
    """Quantities by ticker, in the broker's spelling, and side."""
    found: dict[tuple[str, str], Decimal] = {}
    for fill in fills:
        name = fill["symbol"].replace("/", ""), fill["side"]
        found[name] = found.get(name, _ZERO) + fill["qty"]
    return found


def _differing_unowned(
    listed: Mapping[tuple[str, str], Decimal],
    booked: Mapping[tuple[str, str], Decimal],
    session_id: str,
) -> list[_Difference]:
    """Differing sums by ticker and side of executions that no strategy ordered."""
    found = []
    for symbol, side in dict.fromkeys([*listed, *booked]):
        theirs, ours = listed.get((symbol, side), _ZERO), booked.get((symbol, side), _ZERO)
        if theirs != ours:
            note = (
                f"orders of nobody here: the broker lists {theirs} {side} of {symbol}, "
                f"the warehouse {ours}"
            )
            place = session_id, "fill", symbol, "UNASSIGNED"
            found.append(_Difference(*place, ours, theirs, note))
    return found


def _differing_fees(ours: Mapping[str, Row], fees: Sequence[Row], newest: str) -> list[_Difference]:
    """Fees that are not booked, or with another amount; amounts accrued with fills may differ.

    One of nothing need not be booked.
    """
    found = []
    listed = {fee["activity_id"]: fee["amount"] for fee in fees}
    for name, amount in listed.items():
        mine = ours.get(name)
        if mine is None and not amount:
            continue
        if mine is None or (not mine["accrued"] and mine["amount"] != amount):
            booked = None if mine is None else mine["amount"]
            session = newest if mine is None else mine["session_id"]
            later = "; a coordinator books it at its next look" if mine is None else ""
            note = f"fee {name}: the broker took {amount}, the warehouse has {booked}{later}"
            found.append(_Difference(session, "fee", None, None, booked, amount, note))
    return found


def _write(
    store: Store,
    sessions: Sequence[str],
    judged: Sequence[str],
    found: list[_Difference],
    at: datetime,
) -> None:
    """Replaces earlier findings of the kinds judged now; a finding that persists keeps its time."""
    with store.transaction() as connection:
        known = connection.execute(
            "SELECT session_id, kind, note, found_at FROM discrepancies "
            "WHERE list_contains($1, session_id) AND list_contains($2, kind)",
            [list(sessions), list(judged)],
        ).fetchall()
        first = {(session, kind, note): found_at for session, kind, note, found_at in known}
        connection.execute(
            "DELETE FROM discrepancies WHERE list_contains($1, session_id) "
            "AND list_contains($2, kind)",
            [list(sessions), list(judged)],
        )
        for d in found:
            seen = first.get((d.session_id, d.kind, d.note), at)
            values = [d.session_id, seen, d.kind, d.symbol, d.strategy, d.ours, d.brokers, d.note]
            connection.execute("INSERT INTO discrepancies VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _count(number: int) -> str:
    return "no difference" if not number else f"{number} difference{'s' if number > 1 else ''}"
