"""When a session trades: the exchange's hours of its date, crypto's UTC day, and the end.

Stocks count only in the exchange's regular session. Crypto trades from 00:00 UTC of the
session's UTC date. Nothing is decided on the bar that ends at a stock session's close or at the
run's end, because no fill could be waited for after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from coordinator.core.values import MINUTE, Bar, is_crypto


@dataclass(frozen=True, slots=True)
class Hours:
    """One exchange session: [`open`, `close`), aware UTC, and its date at the exchange."""

    date: date
    open: datetime
    close: datetime

    def covers(self, start: datetime) -> bool:
        """Whether a bar that starts at `start` belongs to this session."""
        return self.open <= start < self.close


class Markets(NamedTuple):
    """Something that is true or false of stocks, and of crypto."""

    stocks: bool
    crypto: bool

    def of(self, symbol: str) -> bool:
        """Whether it is true of a ticker's market."""
        return self.crypto if is_crypto(symbol) else self.stocks


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a coordinator trades on one date.

    `stock` is the exchange session, None where no stock is traded; `crypto_day` begins at
    00:00 UTC of the date whose crypto bars count, None where no crypto is traded; at `end`
    everything has closed.
    """

    date: date
    stock: Hours | None
    crypto_day: datetime | None
    end: datetime

    @property
    def begin(self) -> datetime:
        """When the first of its markets opens."""
        opens = self.stock.open if self.stock else None
        return min(filter(None, (opens, self.crypto_day)), default=self.end)

    def first_bar(self, symbol: str) -> datetime | None:
        """When the session's first bar of a ticker can start; None if it does not trade."""
        if is_crypto(symbol):
            return self.crypto_day
        return self.stock.open if self.stock else None

    def last_end(self, symbol: str) -> datetime | None:
        """When the ticker's last bar of the session ends; None if it does not trade."""
        if is_crypto(symbol):
            return self.end if self.crypto_day else None
        return self.stock.close if self.stock else None

    def counts(self, bar: Bar) -> bool:
        """Whether a bar of this session's time feeds indicators, marks and limits."""
        return self.counting(bar.start).of(bar.symbol)

    def is_open(self, symbol: str, now: datetime) -> bool:
        """Whether a ticker's market is open in this session at `now`."""
        return self.open_at(now).of(symbol)

    def open_at(self, now: datetime) -> Markets:
        """Which markets are open in this session at `now`."""
        crypto = self.crypto_day
        return Markets(
            self.stock is not None and self.stock.covers(now),
            crypto is not None and crypto <= now < self.end,
        )

    def counting(self, start: datetime) -> Markets:
        """Whether bars that start at `start` count, by market."""
        end = start + MINUTE
        stock, crypto = self.stock, self.crypto_day
        return Markets(
            stock is not None and stock.open <= start and end <= stock.close,
            crypto is not None and crypto <= start and end <= self.end,
        )

    def deciding(self, start: datetime) -> Markets:
        """Whether a decision may be taken at the close of bars that start at `start`, by market."""
        stocks, crypto = self.counting(start)
        end = start + MINUTE
        closes = self.stock.close if self.stock else None
        return Markets(stocks and end != closes, crypto and end != self.end)

    def rolls_at(self, tickers: tuple[str, ...]) -> datetime:
        """When the day of a strategy on these tickers begins: the open, or 00:00 UTC."""
        has_stock = any(not is_crypto(ticker) for ticker in tickers)
        if self.stock is not None and has_stock:
            return self.stock.open
        return self.crypto_day or self.end


def next_midnight(now: datetime) -> datetime:
    """The next 00:00 UTC after `now`."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(0), UTC)


def plan_session(
    now: datetime,
    today: date,
    sessions: list[Hours],
    *,
    stocks: bool,
    crypto: bool,
    crypto_lead_s: float,
) -> SessionPlan | None:
    """What to trade from broker time `now` on; None when nothing is left to trade today.

    `today` is the exchange's date at `now`, `sessions` its sessions around that date. A
    crypto-only coordinator that starts less than `crypto_lead_s` before 00:00 UTC starts for the
    next UTC date. Beside crypto, a stock session counts that opens before the next 00:00 UTC.
    """
    left = [s for s in sessions if s.close > now]
    if not crypto:
        hours = next((s for s in left if s.date == today), None)
        return SessionPlan(hours.date, hours, None, hours.close) if stocks and hours else None
    midnight = next_midnight(now)
    if not stocks and midnight - now <= timedelta(seconds=crypto_lead_s):
        midnight += timedelta(days=1)
    crypto_day = midnight - timedelta(days=1)
    hours = next((s for s in left if s.open < midnight), None) if stocks else None
    day = hours.date if hours else crypto_day.date()
    return SessionPlan(day, hours, crypto_day, max(midnight, hours.close) if hours else midnight)
