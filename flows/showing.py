"""A running session in words and rows, for Prefect's pages: pure functions of its view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from coordinator.core.amounts import dollars, gain, units
from coordinator.core.live_view import LiveView, StrategyView
from coordinator.core.risk import Limits
from coordinator.status import StatusView

_NO_LIMITS = Limits()
_UNLIMITED = "any"
_TRADING = "trading"
_MOST_LETTERS = 300


def percent_gone(view: LiveView) -> float:
    """The share of the session's time that has passed, 0 to 100."""
    whole = (view.closes_at - view.opens_at).total_seconds()
    gone = (view.at - view.opens_at).total_seconds()
    return round(min(max(100 * gone / whole, 0.0), 100.0), 1) if whole > 0 else 100.0


def state_sentence(view: LiveView) -> str:
    """The session in one paragraph of Markdown: troubles first, then money, then streams.

    A card shows its first thirty letters.
    """
    orders = sum(one.open_orders for one in view.strategies)
    money = f"**{dollars(view.equity)}**, **{gain(view.day_pnl)}** today, {orders} open orders."
    return " ".join([*troubles(view), money, stream_sentence(view)])


def troubles(view: LiveView) -> list[str]:
    """A sentence for each halt of trading; empty while all is well."""
    found = ["**⚠ KILLED: nothing is bought.**"] if view.killed else []
    found += [f"**⚠ Frozen:** {plain(note)}." for note in view.frozen.values()]
    found += [
        f"**⚠ {one.name} opens nothing more:** {plain(one.stopped)}."
        for one in view.strategies
        if one.stopped
    ]
    return found


def stream_sentence(view: LiveView) -> str:
    """The time of the view, each stream's state, and the tickers without bars."""
    streams = ", ".join(f"{name} {state}" for name, state in view.streams.items())
    bar = f"last bar {_clock(view.last_bar, view.at)}" if view.last_bar else "no bar yet"
    blind = f" No bars of {', '.join(sorted(view.blind))}." if view.blind else ""
    return f"At {view.at:%H:%M} UTC, {bar}; streams: {streams or 'none'}.{blind}"


def _clock(time: datetime, now: datetime) -> str:
    """A time of today as 14:05, one of another day with its date."""
    return f"{time:%H:%M}" if time.date() == now.date() else f"{time:%Y-%m-%d %H:%M}"


def strategy_rows(view: LiveView) -> list[dict[str, str]]:
    """A row for each strategy: its money, positions, and use of its limits."""
    return [_row(one, view.limits.get(one.name, _NO_LIMITS)) for one in view.strategies]


def status_rows(views: Iterable[StatusView]) -> list[dict[str, str]]:
    """A row for each strategy of every coordinator's newest session, running or not."""
    rows = []
    for view in views:
        limits = view.live.limits if view.live else {}
        place = {"Session": view.state, "Coordinator": view.coordinator, "Account": view.account}
        for one in view.strategies:
            row = _row(one, limits.get(one.name, _NO_LIMITS)) | place
            if row["State"] == _TRADING and not view.is_running:
                row["State"] = "-"
            rows.append(row)
    return rows


def _row(one: StrategyView, limits: Limits) -> dict[str, str]:
    """A strategy's row; narrow columns come first, because the page cuts off the right ones."""
    most = _UNLIMITED if limits.max_daily_trades is None else limits.max_daily_trades
    return {
        "Strategy": one.name,
        "State": _state(one),
        "Equity": dollars(one.equity),
        "Day P&L": gain(one.day_pnl),
        "Trades": f"{one.daily_trades} / {most}",
        "Daily loss": _loss(one.day_pnl, limits.max_daily_loss),
        "Orders": str(one.open_orders),
        "Positions": _positions(one.positions),
    }


def _state(one: StrategyView) -> str:
    if one.halted:
        return one.halted
    return f"stopped: {plain(one.stopped)}" if one.stopped else _TRADING


def _positions(held: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{units(qty)} {symbol}" for symbol, qty in held.items()) or "none"


def _loss(day_pnl: Decimal, most: Decimal | None) -> str:
    lost = max(-day_pnl, Decimal(0))
    return f"{dollars(lost)} / {_UNLIMITED if most is None else dollars(most)}"


def one_line(text: str) -> str:
    """A foreign text on one line, cut to 300 letters."""
    words = " ".join(text.split())
    return words if len(words) <= _MOST_LETTERS else f"{words[:_MOST_LETTERS]}..."


def plain(text: str) -> str:
    """A foreign text on one line, with Markdown's signs escaped."""
    words = one_line(text)
    for sign in "\\`*_|<>[]":
        words = words.replace(sign, " " if sign in "<>|" else f"\\{sign}")
    return words.rstrip(".")
