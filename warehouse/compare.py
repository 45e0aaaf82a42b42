"""Two strategies side by side, over the days on which both ran; read from the warehouse alone.

A strategy is given by its name; `NAME@MODE` or `NAME@ACCOUNT` selects one of several histories.
Accounts and modes are compared, never summed.
"""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from warehouse.errors import NothingToCompare
from warehouse.queries import ask
from warehouse.schemas import SHADOW_ACCOUNT, SHADOW_MARK, UNASSIGNED
from warehouse.store import Store

_HISTORIES = """
    SELECT account, mode, strategy, list(DISTINCT session_date ORDER BY session_date) AS days
    FROM stg_days
    WHERE strategy IN ($1, $1 || $4) AND ($2 IS NULL OR session_date >= $2::DATE)
      AND ($3 IS NULL OR session_date <= $3::DATE)
    GROUP BY account, mode, strategy ORDER BY account, mode, strategy
"""
_DAYS = """
    SELECT session_date, sum(net_pnl) AS net_pnl FROM stg_days
    WHERE account = $1 AND mode = $2 AND strategy = $3 AND list_contains($4::DATE[], session_date)
    GROUP BY session_date ORDER BY session_date
"""
_FIGURES = """
    WITH mine AS (
        FROM stg_days WHERE account = $1 AND mode = $2 AND strategy = $3
             AND list_contains($4::DATE[], session_date)
    ), days AS (
        SELECT session_date, sum(net_pnl) AS net_pnl, sum(fees) AS fees, sum(fills) AS fills,
               product(1 + coalesce(return_pct, 0)) - 1 AS r, max(max_drawdown) AS intraday,
               bool_and(is_crypto) AS is_crypto
        FROM mine GROUP BY session_date
    ), grown AS (
        SELECT *, product(1 + r) OVER (ORDER BY session_date ROWS UNBOUNDED PRECEDING) AS growth
        FROM days
    ), fallen AS (
        SELECT *, 1 - growth / greatest(1, max(growth) OVER (
            ORDER BY session_date ROWS UNBOUNDED PRECEDING)) AS fall
        FROM grown
    ), trips AS (
        SELECT count(*) AS trips, count(*) FILTER (net_pnl > 0) AS won FROM v_round_trips
        WHERE account = $1 AND mode = $2 AND strategy = $3
          AND list_contains($4::DATE[], session_date)
    ), slipped AS (
        SELECT sum(slippage_bps * abs(qty)::DOUBLE * price::DOUBLE)
                   / nullif(sum(abs(qty)::DOUBLE * price::DOUBLE), 0) AS bps,
               sum(slippage_cost) AS cost
        FROM v_slippage WHERE account = $1 AND mode = $2 AND strategy = $3
                          AND list_contains($4::DATE[], session_date)
    ), exposed AS (
        SELECT avg(average) AS average, max(highest) AS highest
        FROM exposures JOIN mine USING (session_id, strategy)
    ), bare AS (
        SELECT count(*) > 0 AS is_bare FROM variants JOIN mine USING (session_id, strategy)
        WHERE details = 'none'
    )
    SELECT CASE WHEN any_value(is_bare) THEN NULL ELSE any_value(trips) END AS round_trips,
           sum(fills)::BIGINT AS fills, sum(net_pnl) AS net_pnl,
           arg_max(growth, session_date) - 1 AS total_return,
           any_value(won)::DOUBLE / nullif(any_value(trips), 0) AS hit_rate,
           max(fall) AS max_drawdown, max(intraday) AS max_intraday_drawdown,
           avg(r) / nullif(stddev_samp(r), 0)
               * sqrt(CASE WHEN bool_and(is_crypto) THEN 365 ELSE 252 END) AS sharpe,
           sum(fees) AS fees, any_value(bps) AS slippage_bps, any_value(cost) AS slippage_cost,
           any_value(average) AS average_exposure, any_value(highest) AS highest_exposure
    FROM fallen, trips, slipped, exposed, bare
"""
_DECISIONS = """
    SELECT date_trunc('minute', o.decided_at) AS minute, o.symbol,
           CASE WHEN o.status = 'denied' THEN 'denied (' || coalesce(o.reason, '') || ')'
                ELSE o.side END AS did
    FROM orders AS o JOIN sessions AS s USING (session_id)
    WHERE s.account = $1 AND s.mode = $2 AND o.strategy = $3 AND o.decided_at IS NOT NULL
      AND list_contains($4::DATE[], s.session_date)
    ORDER BY o.decided_at, o.client_order_id
"""

_FAULTS = """
    SELECT s.session_date, f.reason FROM faults AS f JOIN sessions AS s USING (session_id)
    WHERE s.account = $1 AND s.mode = $2 AND f.strategy = $3
      AND list_contains($4::DATE[], s.session_date)
    ORDER BY s.session_date
"""


@dataclass(frozen=True, slots=True)
class History:
    """One strategy on one account in one mode."""

    account: str
    mode: str
    strategy: str

    @property
    def title(self) -> str:
        """The strategy's name, with mode and account."""
        return f"{self.strategy.removesuffix(SHADOW_MARK)} ({self.mode}, {self.account})"


@dataclass(frozen=True, slots=True)
class Figures:
    """A strategy's figures on the common days: dollars, fractions (0.025 is 2.5 %), basis points.

    None if the days do not determine a figure: no round trip, a single day, no variation.
    `round_trips` is None for a sweep's variant whose details were not kept.
    """

    round_trips: int | None
    fills: int
    net_pnl: Decimal
    total_return: float | None
    hit_rate: float | None
    max_drawdown: float | None
    max_intraday_drawdown: float | None
    sharpe: float | None
    fees: Decimal
    slippage_bps: float | None
    slippage_cost: Decimal | None
    average_exposure: float | None
    highest_exposure: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A minute in which their decisions on a common ticker differ; '-' means no decision."""

    at: datetime
    symbol: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A strategy that failed on some of the days, and opened nothing more on them."""

    history: History
    days: tuple[date, ...]
    reason: str
    """The failure on the first of these days."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two strategies over the same days; decisions are compared on `symbols`, which both traded."""

    a: History
    b: History
    days: tuple[date, ...]
    of_a: Figures
    of_b: Figures
    correlation: float | None
    symbols: tuple[str, ...]
    agreed: int
    differing: tuple[Difference, ...]
    failed: tuple[Failed, ...] = ()


def compare(
    location: str | Path, a: str, b: str, *, start: date | None = None, end: date | None = None
) -> Comparison:
    """Compare two strategies on their common days between two dates, both included.

    Raises:
        NothingToCompare: a name is unknown, or the two have no day in common.
        WarehouseError: the file cannot be read.
    """
    with Store.open_read_only(location) as store:
        (one, other), days = _pair(store, a, b, start, end)
        mine, theirs = _daily(store, one, days), _daily(store, other, days)
        did, they_did = _decisions(store, one, days), _decisions(store, other, days)
        symbols = {symbol for _, symbol in did} & {symbol for _, symbol in they_did}
        both = sorted(key for key in {**did, **they_did} if key[1] in symbols)
        differing = tuple(
            Difference(key[0], key[1], did.get(key, "-"), they_did.get(key, "-"))
            for key in both
            if did.get(key) != they_did.get(key)
        )
        return Comparison(
            a=one,
            b=other,
            days=tuple(days),
            of_a=_figures(store, one, days),
            of_b=_figures(store, other, days),
            correlation=_correlation(mine, theirs),
            symbols=tuple(sorted(symbols)),
            agreed=len(both) - len(differing),
            differing=differing,
            failed=tuple(found for each in (one, other) for found in _failed(store, each, days)),
        )


_Found = tuple[History, frozenset[date]]


def _pair(
    store: Store, a: str, b: str, start: date | None, end: date | None
) -> tuple[tuple[History, History], list[date]]:
    """The two histories to compare: with the newest common day, preferably on one account."""
    first, second = _histories(store, a, start, end), _histories(store, b, start, end)
    pairs = [
        (days, one, other)
        for one, mine in first
        for other, theirs in second
        if one != other and (days := mine & theirs)
    ]
    if not pairs:
        raise NothingToCompare(_nothing(a, b, first, second))
    days, one, other = max(
        pairs, key=lambda pair: (max(pair[0]), _account(pair[1]) == _account(pair[2]), len(pair[0]))
    )
    return (one, other), sorted(days)


def _nothing(a: str, b: str, first: Sequence[_Found], second: Sequence[_Found]) -> str:
    """Why two names cannot be compared, and what to do."""
    if first != second:
        return (
            f"{a} and {b} have no day in common: {a} has {_spans(first)}, {b} {_spans(second)}."
            " Run both in one session, one of them as a shadow, or backtest both on the same bars."
        )
    if len(first) > 1:
        return (
            f"The histories of {a} have no day in common: {_spans(first)}."
            " Backtest it on the bars of a day on which it ran."
        )
    ((one, _),) = first
    same = a if a == b else f"{a} and {b}"
    return (
        f"{same} {'is' if a == b else 'are'} one history, {one.title}, with {_spans(first)}:"
        " nothing would differ. Compare it with another strategy, or run it a second time, as a"
        " shadow or in a backtest on the same bars."
    )


def _account(history: History) -> str:
    """The account that a history belongs to, or whose shadow it is."""
    return history.account.removeprefix(SHADOW_ACCOUNT)


def _histories(store: Store, name: str, start: date | None, end: date | None) -> list[_Found]:
    plain, _, where = name.partition("@")
    plain = plain.removesuffix(SHADOW_MARK)
    rows = ask(store, _HISTORIES, [plain, start, end, SHADOW_MARK]).rows
    found = [
        (History(account, mode, strategy), frozenset(days))
        for account, mode, strategy, days in rows
        if where in ("", account, mode)
    ]
    if found:
        return found
    if where and (known := _histories(store, plain, start, end)):
        places = "; ".join(f"@{one.mode}, @{one.account}" for one, _ in known)
        raise NothingToCompare(f"{plain} has no history {name!r}. Those there are: {places}.")
    known_names = sorted(_names(store))
    near = difflib.get_close_matches(plain, known_names, n=1)
    between = " between these dates" if start or end else ""
    meant = near and near[0] != plain
    hint = f"did you mean {near[0]!r}?" if meant else f"known: {', '.join(known_names) or 'none'}."
    raise NothingToCompare(
        f"The warehouse has no strategy {plain!r}{between}; {hint} What was not loaded yet,"
        " `multi-trader end-of-day` loads."
    )


def _names(store: Store) -> Iterator[str]:
    for (name,) in ask(store, "SELECT DISTINCT strategy FROM pnl_daily").rows:
        if name != UNASSIGNED:
            yield str(name).removesuffix(SHADOW_MARK)


def _spans(found: Sequence[_Found]) -> str:
    return "; ".join(f"{min(days)} to {max(days)} ({one.mode})" for one, days in found)


def _scope(history: History, days: Sequence[date]) -> list[object]:
    return [history.account, history.mode, history.strategy, list(days)]


def _daily(store: Store, history: History, days: Sequence[date]) -> list[float]:
    return [float(net) for _, net in ask(store, _DAYS, _scope(history, days)).rows]


def _figures(store: Store, history: History, days: Sequence[date]) -> Figures:
    (row,) = ask(store, _FIGURES, _scope(history, days)).rows
    return Figures(*row)


def _failed(store: Store, history: History, days: Sequence[date]) -> Iterator[Failed]:
    rows = ask(store, _FAULTS, _scope(history, days)).rows
    if rows:
        yield Failed(history, tuple(day for day, _ in rows), str(rows[0][1]))


def _decisions(
    store: Store, history: History, days: Sequence[date]
) -> dict[tuple[datetime, str], str]:
    """The decision of each minute on each ticker; a minute's last one counts."""
    rows = ask(store, _DECISIONS, _scope(history, days)).rows
    return {(minute, symbol): did for minute, symbol, did in rows}


def _correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The correlation of daily net P&L; None below two days, or if one of them is constant."""
    try:
        return statistics.correlation(a, b)
    except statistics.StatisticsError:
        return None
