"""A running session in words and rows, for Prefect's pages: pure functions of its view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from coordinator.core.live_view import LiveView, StrategyView
from coordinator.core.risk import Limits
from coordinator.readers import StatusView

_NO_LIMITS = Limits()
_UNLIMITED = "any"
_TRADING = "trading"


def percent_gone(view: LiveView) -> float:
    """How much of the session's time is over, 0 to 100."""
    whole = (view.closes_at - view.opens_at).total_seconds()
    gone = (view.at - view.opens_at).total_seconds()
    return round(min(max(100 * gone / whole, 0.0), 100.0), 1) if whole > 0 else 100.0


def state_sentence(view: LiveView) -> str:
    """The session in one paragraph of Markdown: what is wrong first, then money, then streams.

    A card shows the first thirty letters of it.
    """
    orders = sum(one.open_orders for one in view.strategies)
    gain = dollars(view.day_pnl, signed=True)
    money = f"**{dollars(view.equity)}**, **{gain}** today, {orders} open orders."
    return " ".join([*troubles(view), money, stream_sentence(view)])


def troubles(view: LiveView) -> list[str]:
    """What holds trading back, a sentence each; empty while all is well."""
    found = ["**⚠ KILLED: nothing is bought.**"] if view.killed else []
    found += [f"**⚠ Frozen:** {plain(note)}." for note in view.frozen.values()]
    found += [
        f"**⚠ {one.name} opens nothing more:** {plain(one.stopped)}."
        for one in view.strategies
        if one.stopped
    ]
    return found


def stream_sentence(view: LiveView) -> str:
    """When this was, each stream and its state, and the tickers whose bars do not come."""
    streams = ", ".join(f"{name} {state}" for name, state in view.streams.items())
    bar = f"last bar {view.last_bar:%H:%M}" if view.last_bar else "no bar yet"
    blind = f" No bars of {', '.join(sorted(view.blind))}." if view.blind else ""
    return f"At {view.at:%H:%M} UTC, {bar}; streams: {streams or 'none'}.{blind}"


def strategy_rows(view: LiveView) -> list[dict[str, str]]:
    """A row a strategy: its money, what it holds, and how much of its limits is used."""
    return [_row(one, view.limits.get(one.name, _NO_LIMITS)) for one in view.strategies]


def status_rows(views: Iterable[StatusView]) -> list[dict[str, str]]:
    """A row a strategy of every coordinator's newest session, whether it runs or not."""
    rows = []
    for view in views:
        limits = view.live.limits if view.live else {}
        place = {"Session": view.state, "Coordinator": view.coordinator, "Account": view.account}
        for one in view.strategies:
            row = _row(one, limits.get(one.name, _NO_LIMITS)) | place
            if row["State"] == _TRADING and view.state != "running":
                row["State"] = "-"
            rows.append(row)
    return rows


def _row(one: StrategyView, limits: Limits) -> dict[str, str]:
    """Narrow columns first: the page cuts off what is far to the right."""
    most = _UNLIMITED if limits.max_daily_trades is None else limits.max_daily_trades
    return {
        "Strategy": one.name,
        "State": _state(one),
        "Equity": dollars(one.equity),
        "Day P&L": dollars(one.day_pnl, signed=True),
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
    return ", ".join(f"{qty.normalize():f} {symbol}" for symbol, qty in held.items()) or "none"


def _loss(day_pnl: Decimal, most: Decimal | None) -> str:
    lost = max(-day_pnl, Decimal(0))
    return f"{dollars(lost)} / {_UNLIMITED if most is None else dollars(most)}"


def dollars(amount: Decimal, *, signed: bool = False) -> str:
    """'$1,234.50', '-$0.50'; with a plus in front of a gain where `signed`."""
    cents = abs(amount).quantize(Decimal("0.01"))
    minus = "-" if amount < 0 and cents else ""
    return f"{minus or ('+' if signed and cents else '')}${cents:,}"


def one_line(text: str, most: int = 300) -> str:
    """Somebody else's words on one line, not too many of them."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[:most]}..."


def plain(text: str) -> str:
    """Somebody else's words on one line, without what Markdown would make of them."""
    words = one_line(text)
    for sign in "\\`*_|<>[]":
        words = words.replace(sign, " " if sign in "<>|" else f"\\{sign}")
    return words.rstrip(".")
