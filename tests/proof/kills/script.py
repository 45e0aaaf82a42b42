"""What a session plays: strategies, cash, and a script of faults, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import configs

NEW_YORK = ZoneInfo("America/New_York")
HALF_DAYS = (date(2026, 11, 27), date(2026, 12, 24), date(2025, 7, 3))
"""The exchange closes at 13:00 New York: a whole session is 210 minutes."""
OPENS, CLOSES = time(9, 31), time(13, 0)
QUIET = timedelta(minutes=20)
"""So long before its end nothing strikes a session any more: it is for what was left."""
AN_END = time(10, 45)
"""About when a session ends that does not go on to the close; all New York time."""
CASH = 1_000_000
SPEED = 2000
"""What is told to both processes. Faster, the proof would wait for time-outs of ours alone."""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Script:
    """One session's play. It ends at the exchange's close, or before it by a SIGTERM."""

    day: date
    ends: time
    config: dict[str, Any]
    faults: list[Entry]

    @property
    def to_the_close(self) -> bool:
        """Whether it ends by itself."""
        return self.ends == CLOSES

    @property
    def ends_at(self) -> datetime:
        """Its end, aware."""
        return datetime.combine(self.day, self.ends, NEW_YORK)

    @property
    def strategies(self) -> set[str]:
        """The names under which orders are ours."""
        return {strategy["name"] for strategy in self.config["strategies"]}


def write(rng: random.Random) -> Script:
    """A play by chance: mixed ones have crypto, which trades on after the exchange's close."""
    mixed = rng.random() < 0.4
    config = configs.mixed() if mixed else configs.twenty_six()
    tickers = sorted({t for strategy in config["strategies"] for t in strategy["tickers"]})
    for strategy in config["strategies"]:
        strategy["min_warmup_bars"] = rng.choice((0, 5, 20))
    share = rng.choice((0.0, 0.4, 0.8, 1.0))
    faults = [
        entry
        for make, most in FAULTS
        for _ in range(rng.randint(0, most))
        if rng.random() < share
        for entry in make(rng, tickers)
    ]
    ends = CLOSES if not mixed and rng.random() < 0.4 else AN_END
    for entry in faults:
        entry["at"] = f"{_moment(entry['at'], ends):%H:%M}"
    return Script(rng.choice(HALF_DAYS), ends, config, faults)


def _moment(share: float, ends: time) -> datetime:
    """That share of the time in which anything strikes, to the minute."""
    first = datetime.combine(date.min, OPENS)
    return first + share * (datetime.combine(date.min, ends) - QUIET - first)


def _update(kind: str) -> Callable[[random.Random, list[str]], list[Entry]]:
    def make(rng: random.Random, tickers: list[str]) -> list[Entry]:
        event = rng.choice(("fill", "fill", "new", None))
        struck = {"at": rng.random(), "kind": kind, "times": rng.randint(1, 6)}
        return [struck | ({"event": event} if event else {})]

    return make


def _lossy_stream(rng: random.Random, tickers: list[str]) -> list[Entry]:
    lasts = {"for_s": rng.randint(60, 3600), "share": rng.choice((0.05, 0.3, 1.0))}
    return [{"at": rng.random(), "kind": "lose_trade_updates", "seed": rng.randrange(99), **lasts}]


def _order_request(kind: str) -> Callable[[random.Random, list[str]], list[Entry]]:
    def make(rng: random.Random, tickers: list[str]) -> list[Entry]:
        entry: Entry = {"at": rng.random(), "kind": kind, "times": rng.randint(1, 3)}
        match kind:
            case "http_500_after_accept":
                entry["status"] = rng.choice((500, 502, 504))
            case "late_accept":
                entry["delay_s"] = rng.choice((0.5, 5, 20))
            case "http_error":
                entry |= {"method": "POST", "path": "/v2/orders", "status": rng.choice((500, 503))}
            case _:
                entry |= {"method": "POST", "path": "/v2/orders"}
        return [entry]

    return make


def _asked(kind: str) -> Callable[[random.Random, list[str]], list[Entry]]:
    """Of questions, but for the account at the start: who cannot ask that is told so and ends."""

    def make(rng: random.Random, tickers: list[str]) -> list[Entry]:
        paths = ("/v2/orders:by_client_order_id", "/v2/account/activities", "/v2/clock")
        entry = {"at": rng.random(), "kind": kind, "method": "GET", "path": rng.choice(paths)}
        return [entry | {"times": rng.randint(1, 3)}]

    return make


def _stream(kind: str, *, lasts: bool = False) -> Callable[[random.Random, list[str]], list[Entry]]:
    def make(rng: random.Random, tickers: list[str]) -> list[Entry]:
        entry: Entry = {"at": rng.random(), "kind": kind}
        if lasts:
            entry["for_s"] = rng.randint(60, 400)
        if kind == "cut_frame":
            entry |= {"path": rng.choice(("/stream", "/v2/iex")), "keep_bytes": rng.randrange(60)}
        return [entry]

    return make


def _hand_trade(rng: random.Random, tickers: list[str]) -> list[Entry]:
    """A human buys, and perhaps sells some of it later."""
    symbol, silent = rng.choice(tickers), rng.random() < 0.4
    trade = {"kind": "hand_trade", "symbol": symbol, "silent": silent}
    bought = trade | {"at": 0.8 * rng.random(), "side": "buy", "qty": "3"}
    if rng.random() < 0.5:
        return [bought]
    return [bought, trade | {"at": 0.85 + 0.15 * rng.random(), "side": "sell", "qty": "1"}]


def _hand_cancel(rng: random.Random, tickers: list[str]) -> list[Entry]:
    return [{"at": rng.random(), "kind": "hand_cancel", "symbol": rng.choice(tickers)}]


def _money(rng: random.Random, tickers: list[str]) -> list[Entry]:
    """Fees, dividends, interest and deposits, to the cent."""
    cents = rng.randint(1, 5000)
    dollars = f"{cents / 100:.2f}"
    stocks = [ticker for ticker in tickers if "/" not in ticker]
    posted = rng.choice(
        (
            {"type": "FEE", "net_amount": f"-{dollars}"},
            {"type": "INT", "net_amount": dollars},
            {"type": "CSD", "net_amount": dollars},
            {"type": "DIV", "net_amount": dollars, "symbol": rng.choice(stocks)},
        )
    )
    return [{"at": rng.random(), "kind": "activity", **posted}]


def _amends(rng: random.Random, tickers: list[str]) -> list[Entry]:
    if rng.random() < 0.5:
        return [{"at": rng.random(), "kind": "bust"}]
    return [
        {"at": rng.random(), "kind": "correct", "price": f"{rng.randint(5000, 60000) / 100:.2f}"}
    ]


FAULTS: tuple[tuple[Callable[[random.Random, list[str]], list[Entry]], int], ...] = (
    (_update("lose_trade_update"), 3),
    (_update("duplicate_trade_update"), 3),
    (_update("reorder_trade_updates"), 3),
    (_lossy_stream, 2),
    (_order_request("http_500_after_accept"), 3),
    (_order_request("lose_answer"), 3),
    (_order_request("late_accept"), 2),
    (_order_request("http_error"), 1),
    (_order_request("http_429"), 1),
    (_asked("http_429"), 1),
    (_asked("http_error"), 1),
    (_asked("lose_answer"), 1),
    (_stream("drop_orders"), 2),
    (_stream("drop_data"), 2),
    (_stream("mute_orders", lasts=True), 2),
    (_stream("mute_data", lasts=True), 1),
    (_stream("cut_frame"), 2),
    (_hand_trade, 2),
    (_hand_cancel, 2),
    (_money, 4),
    (_amends, 1),
)
"""Each with the most that a session has of it. `at` is the share of the session that has passed."""
