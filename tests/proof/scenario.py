"""What one seed plays: hours, tickers, strategies, and when the process is killed.

Sessions are short and strategies eager, so that a few virtual minutes hold many orders.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.proof.market import (
    EXCHANGE_ZONE,
    ONE_MINUTE,
    PAIRS,
    STOCKS,
    Listing,
    OpenHours,
    Tape,
)
from tests.proof.together import perhaps_together

ACCOUNT = "PA3PROOF"
DAYS = (date(2026, 3, 17), date(2026, 7, 2), date(2026, 3, 9), date(2026, 11, 2))
HISTORY_MINUTES = 45
RICHES = 50
"""How many times the usual capital a rich world has: a position of coins is beyond one order."""


@dataclass(frozen=True)
class Scenario:
    """One seed's play. `kills` are numbers of boundaries at which the process dies."""

    listings: tuple[Listing, ...]
    hours: tuple[OpenHours, ...]
    begins: datetime
    ends: datetime
    settles: datetime
    """When the next session's coordinator is started, to see what is left of this one."""
    is_away: bool
    """Whether nobody trades for weeks before that."""
    further: tuple[tuple[datetime, datetime], ...]
    """When each further day of trading begins and ends."""
    configs: tuple[dict[str, Any], ...]
    """One for each coordinator; two trade stocks and crypto side by side on the account."""
    cash: Decimal
    tape: Tape
    cents_only: bool
    whole_cents: bool
    has_budget: bool
    kills: tuple[int, ...]


def scenario(
    rng: random.Random,
    kills: Sequence[int] | None = None,
    minutes: int | None = None,
    days: int = 1,
) -> Scenario:
    """A play by chance of so many days. `kills` says when the process dies on the first one,
    `minutes` how long a session is."""
    market = rng.choice(("stocks", "stocks", "crypto", "both"))
    listings = _listings(rng, market)
    day, usual = rng.choice(DAYS), rng.randrange(21, 45)
    minutes = minutes or usual
    opens, closes, ends = _hours(rng, market, day, minutes)
    begins = max(opens if market == "stocks" else ends - minutes * ONE_MINUTE, opens)
    begins += timedelta(seconds=rng.uniform(-200, 300) * minutes / usual)
    hours = _calendar(day, opens, closes)
    later = [h for h in hours if h.opens > ends or h.day > day]
    more, later = later[: days - 1], later[days - 1 :]
    further = [(h.opens, h.closes if market == "stocks" else _midnight(h.day)) for h in more]
    spans = {
        one: [*_spans(one, hours, begins, opens, closes, ends), *_further_spans(one, more)]
        for one in listings
    }
    if kills is None:
        count = rng.choice((0, 0, 1, 1, 2, 4))
        kills = sorted(rng.randrange(1, rng.choice((60, 600, 2500))) for _ in range(count))
    configs = _configs(rng, market, listings)
    strategies = [strategy for config in configs for strategy in config["strategies"]]
    whole_cents = rng.random() < 0.25
    spare, tape = rng.choice((1_000, 50_000)), Tape(rng, spans)
    cents_only, has_budget = whole_cents or rng.random() < 0.5, rng.random() < 0.2
    is_away = rng.random() < 0.2
    following = later[rng.randrange(8, 20) if is_away else 0]
    last_end = further[-1][1] if further else ends
    settles = following.opens if is_away or market != "crypto" else last_end
    settles += timedelta(minutes=2) if market != "stocks" else timedelta(minutes=-5)
    if market != "stocks" and rng.random() < 0.3:
        for strategy in strategies:
            strategy["initial_cash"] *= RICHES
    capital = sum((Decimal(str(s["initial_cash"])) for s in strategies), Decimal(0))
    return Scenario(
        listings,
        tuple(hours),
        begins,
        ends,
        settles,
        is_away,
        tuple(further),
        tuple(configs),
        capital + spare,
        tape,
        cents_only,
        whole_cents,
        has_budget,
        tuple(kills),
    )


def _listings(rng: random.Random, market: str) -> tuple[Listing, ...]:
    stocks = rng.sample(STOCKS, rng.randrange(1, 4)) if market != "crypto" else []
    pairs = rng.sample(PAIRS, rng.randrange(1, 3)) if market != "stocks" else []
    return (*stocks, *pairs)


def _hours(
    rng: random.Random, market: str, day: date, minutes: int
) -> tuple[datetime, datetime, datetime]:
    """(open, close, end of trading): crypto ends at 00:00 UTC, and stocks then not later."""
    midnight = _midnight(day)
    if market == "stocks":
        opens = datetime(day.year, day.month, day.day, 9, 30, tzinfo=EXCHANGE_ZONE)
        opens = opens.astimezone(UTC)
        return opens, opens + minutes * ONE_MINUTE, opens + minutes * ONE_MINUTE
    opens = midnight - minutes * ONE_MINUTE
    closes = midnight - rng.choice((0, 0, 5, 10)) * ONE_MINUTE
    return opens, closes, midnight


def _midnight(day: date) -> datetime:
    """The 00:00 UTC at which a date ends."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _calendar(day: date, opens: datetime, closes: datetime) -> list[OpenHours]:
    """The exchange's sessions of some days around, all as long as this one."""
    found = []
    for shift in range(-6, 34):
        one = day + timedelta(days=shift)
        if one.weekday() < 5:
            hours = [
                datetime.combine(one, t.astimezone(EXCHANGE_ZONE).time(), EXCHANGE_ZONE)
                for t in (opens, closes)
            ]
            if hours[1] < hours[0]:
                hours[1] += timedelta(days=1)
            found.append(OpenHours(one, hours[0].astimezone(UTC), hours[1].astimezone(UTC)))
    return found


def _spans(
    listing: Listing,
    hours: Sequence[OpenHours],
    begins: datetime,
    opens: datetime,
    closes: datetime,
    ends: datetime,
) -> list[tuple[datetime, int]]:
    """(first minute, minutes) in which a ticker has bars: some history, and this session."""
    history = timedelta(minutes=HISTORY_MINUTES)
    if listing.crypto:
        first = (begins - history).replace(second=0, microsecond=0)
        return [(first, (ends - first) // ONE_MINUTE)]
    before = [h for h in hours if h.closes <= opens][-2:]
    parts = [(h.opens, (h.closes - h.opens) // ONE_MINUTE) for h in before]
    return [*parts, (opens, (closes - opens) // ONE_MINUTE)]


def _further_spans(listing: Listing, hours: Sequence[OpenHours]) -> list[tuple[datetime, int]]:
    """The same for each further day of trading."""
    ends = [_midnight(h.day) if listing.crypto else h.closes for h in hours]
    return [(h.opens, (end - h.opens) // ONE_MINUTE) for h, end in zip(hours, ends, strict=True)]


def _configs(rng: random.Random, market: str, listings: Sequence[Listing]) -> list[dict[str, Any]]:
    parts = [list(listings)]
    if market == "both" and rng.random() < 0.6:
        parts = [[x for x in listings if x.crypto is crypto] for crypto in (False, True)]
    configs = []
    for number, part in enumerate(parts):
        most = 7 if len(parts) == 1 else 4
        strategies = [_strategy(rng, f"S{number}{i}", part) for i in range(rng.randrange(2, most))]
        config: dict[str, Any] = {"name": f"proof{number}", "strategies": strategies}
        config["crossing"] = rng.random() < 0.3
        if rng.random() < 0.1:
            config["controls"] = {"max_orders_per_minute": 1}
        configs.append(config)
    return configs


def _strategy(rng: random.Random, name: str, listings: Sequence[Listing]) -> dict[str, Any]:
    kind = rng.choice(("momentum", "momentum", "mean_reversion", "rsi", "adaptive"))
    risk: dict[str, Any] = {"max_position_size": rng.choice((0.3, 0.9, 1.0))}
    if rng.random() < 0.2:
        risk["max_daily_trades"] = rng.randrange(1, 8)
    if rng.random() < 0.2:
        risk["max_daily_loss"] = rng.choice((5.0, 50.0))
    if rng.random() < 0.3:
        risk |= {"stop_loss_pct": 0.003, "take_profit_pct": 0.004}
    strategy = {
        "name": name,
        "strategy_type": kind,
        "strategy_params": _params(rng, kind),
        "tickers": [
            one.symbol for one in rng.sample(listings, rng.randrange(1, len(listings) + 1))
        ],
        "initial_cash": float(rng.choice((2_000, 5_000, 20_000))),
        "min_warmup_bars": rng.randrange(6),
        "risk_config": risk,
    }
    return perhaps_together(strategy)


def _params(rng: random.Random, kind: str) -> dict[str, Any]:
    """Windows so short and thresholds so low that it says something at nearly every bar."""
    match kind:
        case "momentum":
            threshold = rng.choice((0.0, 0.0005))
            return {"lookback_period": rng.randrange(1, 4), "momentum_threshold": threshold}
        case "mean_reversion":
            return {
                "lookback_period": rng.randrange(2, 5),
                "entry_threshold": rng.choice((0.1, 0.7)),
                "exit_threshold": rng.choice((0.0, 0.3)),
            }
        case "rsi":
            return {"rsi_period": 2, "rsi_overbought": 60, "rsi_oversold": 45}
        case _:
            windows = {"short_window": 1, "long_window": 3, "volume_window": 2}
            return {**windows, "rsi_period": 2, "rsi_overbought": 55, "rsi_oversold": 45}
