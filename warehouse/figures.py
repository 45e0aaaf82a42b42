"""The charts and calendars of a report, read from the warehouse.

A session is drawn minute by minute, several of one strategy day by day; `sessions` are of one
account and mode.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import TypeAlias

from warehouse.calendar import calendar, strategy_grid
from warehouse.chart import TOGETHER, Line, Mark, line_chart
from warehouse.page import cents, folded, legend
from warehouse.queries import ask
from warehouse.render import plain
from warehouse.store import Store

Point: TypeAlias = "tuple[datetime, float]"

_DAYS_MAX = 60
"""The most days, or weeks, whose exposures can be told apart."""
PRICES_MAX = 8
"""The most price charts on a page: those of the tickers with the largest turnover."""

_ORDER = """
    SELECT strategy, count(*) FROM pnl_daily WHERE list_contains($1, session_id)
      AND strategy <> 'UNASSIGNED'
    GROUP BY strategy ORDER BY abs(sum(net_pnl)) DESC, strategy
"""
_MINUTES = """
    WITH moved AS (
        SELECT strategy, coalesce(booked_at, '-infinity') AS ts,
               sum(amount) OVER (PARTITION BY strategy ORDER BY booked_at NULLS FIRST)
                   AS transfers
        FROM activities WHERE list_contains($1, session_id) AND kind = 'transfer'
    )
    SELECT strategy, ts, e.equity::DOUBLE,
           (e.equity - p.start_equity - coalesce(m.transfers, 0))::DOUBLE,
           e.drawdown, e.market_value::DOUBLE
    FROM v_equity AS e JOIN pnl_daily AS p USING (session_id, strategy)
    ASOF LEFT JOIN moved AS m USING (strategy, ts)
    WHERE list_contains($1, session_id) ORDER BY ts
"""
_DAYS = """
    WITH days AS (
        SELECT d.*, began_at AS began, least(s.closed_at, lead(began_at) OVER days) AS closed_at,
               product(1 + coalesce(return_pct, 0)) OVER so_far AS growth,
               sum(net_pnl) OVER so_far AS gain
        FROM stg_days AS d JOIN sessions AS s USING (session_id)
        WHERE list_contains($1, session_id)
        WINDOW days AS (PARTITION BY strategy ORDER BY began_at),
               so_far AS (days ROWS UNBOUNDED PRECEDING)
    ), held AS (
        SELECT session_id, strategy, sum(market_value)::DOUBLE AS held FROM v_exposure GROUP BY ALL
    ), starts AS (
        SELECT strategy, min(began) AS began, arg_min(start_equity, began) AS equity
        FROM days GROUP BY strategy
    )
    SELECT strategy, began AS ts, equity::DOUBLE, 0::DOUBLE, 0::DOUBLE, NULL FROM starts
    UNION ALL
    SELECT strategy, coalesce(closed_at, began + INTERVAL 1 DAY), end_equity::DOUBLE, gain::DOUBLE,
           1 - growth / greatest(1, max(growth) OVER (
               PARTITION BY strategy ORDER BY began ROWS UNBOUNDED PRECEDING)),
           h.held
    FROM days LEFT JOIN held AS h USING (session_id, strategy) ORDER BY ts
"""
_GAINS = """
    SELECT strategy, session_date, sum(net_pnl)::DOUBLE FROM v_pnl_history
    WHERE account = $1 AND mode = $2 AND session_date BETWEEN $3 AND $4
      AND strategy <> 'UNASSIGNED' GROUP BY ALL ORDER BY ALL
"""
_TRADED = """
    SELECT symbol FROM fills WHERE list_contains($1, session_id)
    GROUP BY symbol ORDER BY sum(abs(qty::DOUBLE) * price::DOUBLE) DESC, symbol
"""
# At most a few hundred closes: the lowest, highest and last of each interval. Where two feeds have
# a minute, the consolidated one counts: sip comes after iex.
_CLOSES = """
    WITH span AS (
        SELECT min(opened_at) AS begins, any_value(account) AS account,
               max(coalesce(closed_at, opened_at + INTERVAL 1 DAY)) AS ends
        FROM sessions WHERE list_contains($1, session_id)
    ), closes AS (
        SELECT ts, arg_max(close, feed) AS close,
               date_diff('second', min(ts) OVER (), max(ts) OVER ()) AS length
        FROM bars AS b JOIN span AS s ON b.account = s.account AND b.ts BETWEEN begins AND ends
        WHERE symbol = $2 GROUP BY ts
    )
    SELECT DISTINCT unnest([arg_min(ts, close), arg_max(ts, close), max(ts)]) + INTERVAL 1 MINUTE,
           unnest([min(close), max(close), arg_max(close, ts)])::DOUBLE
    FROM closes GROUP BY time_bucket(to_seconds(greatest(60, length // 400)), ts) ORDER BY 1
"""
# By day, how many units a split made of one: what all strategies held after it against before. It
# comes before the executions of its day; one that was booked after its session, after them.
# Coordinators that share the account tell each of their own part of it: the largest says it best.
_SPLITS = """
    WITH added AS (
        SELECT session_id, a.session_date AS day, a.session_date > s.session_date AS is_late,
               sum(a.qty) AS qty
        FROM activities AS a JOIN sessions AS s USING (session_id)
        WHERE list_contains($1, session_id) AND a.symbol = $2 AND kind = 'split'
        GROUP BY ALL
    ), held AS (
        SELECT session_id, sum(qty) AS qty FROM positions WHERE symbol = $2 GROUP BY ALL
    ), traded AS (
        SELECT session_id, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) AS qty
        FROM fills WHERE symbol = $2 GROUP BY ALL
    ), splits AS (
        SELECT a.day, a.qty, coalesce(h.qty, 0) - CASE
                   WHEN a.is_late THEN 0 ELSE coalesce(t.qty, 0) + coalesce(l.qty, 0) END AS after
        FROM added AS a LEFT JOIN held AS h USING (session_id)
        LEFT JOIN traded AS t USING (session_id)
        LEFT JOIN added AS l ON l.session_id = a.session_id AND l.is_late AND NOT a.is_late
    )
    SELECT day, arg_max(after::DOUBLE / (after - qty)::DOUBLE, after) FROM splits
    WHERE after > 0 AND after > qty AND qty <> 0
      AND day <= (SELECT max(session_date) FROM sessions WHERE list_contains($1, session_id))
    GROUP BY day ORDER BY day
"""
# Executions nearer to each other than two pixels or so are one mark.
_MARKS = """
    WITH executed AS (
        SELECT *, date_diff('second', min(filled_at) OVER (), max(filled_at) OVER ()) AS length
        FROM fills WHERE list_contains($1, session_id) AND symbol = $2 AND qty > 0
    )
    SELECT min(filled_at), avg(price::DOUBLE), side,
           string_agg(DISTINCT strategy, ', ' ORDER BY strategy), sum(qty), min(price), max(price)
    FROM executed GROUP BY time_bucket(to_seconds(greatest(1, length // 400)), filled_at), side
    ORDER BY 1, side
"""


@dataclass(frozen=True, slots=True)
class ChartLines:
    """Lines for four charts of the same strategies in the same order; for two also the sums."""

    equities: list[Line]
    gains: list[Line]
    drawdowns: list[Line]
    exposures: list[Line]
    gain: Line
    exposure: Line


def read_lines(store: Store, sessions: Sequence[str]) -> ChartLines:
    """Equity and gain in dollars; drawdown and exposure as fractions of the equity."""
    counts = dict(ask(store, _ORDER, [list(sessions)]).rows)
    names, by_minute = list(counts), all(days == 1 for days in counts.values())
    sql = _MINUTES if by_minute else _DAYS
    drawn: dict[str, list[list[Point]]] = {name: [[], [], [], []] for name in names}
    total = _Total()
    for strategy, at, equity, gain, fall, held in ask(store, sql, [list(sessions)]).rows:
        if strategy not in drawn:
            continue
        share = held / equity if held is not None and equity else None
        for points, value in zip(drawn[strategy], (equity, gain, fall, share), strict=True):
            if value is not None:
                points.append((at, value))
        total.take(at, strategy, gain, (0.0, 0.0) if held is None else (held, equity))
    equities, gains, drawdowns, exposures = (
        [Line(name, drawn[name][chart], by_minute) for name in names] for chart in range(4)
    )
    gain, exposure = (Line(TOGETHER, points, by_minute) for points in total.points())
    return ChartLines(equities, gains, drawdowns, exposures, gain, exposure)


class _Total:
    """Sums of all strategies' latest values; values are taken in order of time."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[float, float, float]] = {}
        self._sums = [0.0, 0.0, 0.0]
        self._gains: dict[datetime, float] = {}
        self._shares: dict[datetime, float] = {}

    def take(self, at: datetime, strategy: str, gain: float, held: tuple[float, float]) -> None:
        """Take a strategy's values from `at` on; `held` are positions and equity, 0 if unknown."""
        before = self._now.get(strategy, (0.0, 0.0, 0.0))
        self._now[strategy] = gain, *held
        for place, (old, new) in enumerate(zip(before, self._now[strategy], strict=True)):
            self._sums[place] += new - old
        self._gains[at] = self._sums[0]
        if self._sums[2]:
            self._shares[at] = self._sums[1] / self._sums[2]

    def points(self) -> tuple[list[Point], list[Point]]:
        """The gains, and the exposures as fractions of all equity."""
        return list(self._gains.items()), list(self._shares.items())


def curve_sections(curves: ChartLines, span: str) -> str:
    """The four charts with their headings and legends."""
    (*held, all_held), means = _means(_percent([*curves.exposures, curves.exposure]))
    charts = (
        ("Equity, dollars", curves.equities, "dollars", None),
        (f"Gain within the {span}, dollars", curves.gains, "dollars", curves.gain),
        ("Drawdown from the peak, %", _percent(curves.drawdowns), "percent", None),
        (f"Exposure, % of equity held{means}", held, "percent", all_held),
    )
    return "".join(
        f"<h2>{escape(title)}</h2>{line_chart(lines, unit, together=sums)}{legend(lines, sums)}"
        for title, lines, unit, sums in charts
    )


def price_sections(store: Store, sessions: Sequence[str]) -> str:
    """The price charts of the traded tickers, with their executions."""
    traded = [symbol for (symbol,) in ask(store, _TRADED, [list(sessions)]).rows]
    if not traded:
        return '<h2>Fills on the price</h2><p class="quiet">Nothing was filled.</p>'
    shown = traded[:PRICES_MAX]
    left = f" (the {PRICES_MAX} most traded of {len(traded)})" if len(traded) > PRICES_MAX else ""
    charts = [_price_chart(store, list(sessions), symbol) for symbol in shown]
    return (
        f"<h2>Fills on the price{escape(left)}</h2>"
        '<p class="quiet">&#9650; bought, &#9660; sold.</p>' + "".join(charts)
    )


def calendar_sections(store: Store, account: str, mode: str, start: date, end: date) -> str:
    """Net P&L by day, of all strategies together and of each."""
    gains: dict[str, dict[date, float]] = {}
    total: dict[date, float] = {}
    for strategy, day, gain in ask(store, _GAINS, [account, mode, start, end]).rows:
        gains.setdefault(strategy, {})[day] = gain
        total[day] = total.get(day, 0.0) + gain
    names = sorted(gains, key=lambda name: -abs(sum(gains[name].values())))
    return (
        "<h2>Net P&amp;L by day, all strategies, dollars</h2>"
        + calendar(total)
        + "<h2>Net P&amp;L by strategy and day, dollars</h2>"
        + folded(strategy_grid(gains, names), len(names))
    )


def _price_chart(store: Store, sessions: list[str], symbol: str) -> str:
    marks = [
        Mark(at, price, side, f"{who}: {side} {plain(qty)} at {_span(low, high)}")
        for at, price, side, who, qty, low, high in ask(store, _MARKS, [sessions, symbol]).rows
    ]
    closes = ask(store, _CLOSES, [sessions, symbol]).rows
    splits = ask(store, _SPLITS, [sessions, symbol]).rows
    line = Line(symbol, [(at, _in_new_units(at, close, splits)) for at, close in closes])
    marks = [replace(mark, value=_in_new_units(mark.at, mark.value, splits)) for mark in marks]
    note = _of_splits([day for day, _ in splits])
    return f"<h3>{escape(symbol)}</h3>{note}{line_chart([line], 'dollars', marks)}"


def _of_splits(days: Sequence[date]) -> str:
    if not days:
        return ""
    of = f"the split{'s' * (len(days) > 1)} of {', '.join(map(str, days))}"
    return f'<p class="quiet">Prices are of the shares after {of}.</p>'


def _in_new_units(at: datetime, price: float, splits: Sequence[tuple[date, float]]) -> float:
    """A price as it would be after the splits that came later."""
    return price / math.prod(units for day, units in splits if at.date() < day)


def _span(low: Decimal, high: Decimal) -> str:
    return " to ".join(cents(plain(price)) for price in dict.fromkeys((low, high)))


def _means(lines: Sequence[Line]) -> tuple[list[Line], str]:
    """The lines, and what their points are: of many days, means of weeks.

    Positions open and close from day to day: a line for each strategy would be a hatching.
    """
    days = [[at.date().toordinal() for at, _ in line.points] for line in lines if not line.holds]
    length = max((max(ordinals) - min(ordinals) for ordinals in days if ordinals), default=0)
    if length <= _DAYS_MAX:
        return list(lines), ""
    weeks = next(weeks for weeks in itertools.count(1) if length <= 7 * weeks * _DAYS_MAX)
    found = []
    for line in lines:
        parts = itertools.groupby(
            line.points, key=lambda point: (point[0].date().toordinal() - 1) // (7 * weeks)
        )
        groups = [list(points) for _, points in parts]
        means = [(points[-1][0], statistics.fmean(v for _, v in points)) for points in groups]
        found.append(replace(line, points=means))
    return found, ", mean of each week" if weeks == 1 else f", mean of every {weeks} weeks"


def _percent(lines: Sequence[Line]) -> list[Line]:
    return [
        replace(line, points=[(at, 100 * value) for at, value in line.points]) for line in lines
    ]
