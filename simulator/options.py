"""Everything that can be set on a simulator."""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True)
class SimulatorOptions:
    """How to play which bars, and what the account is like. Every field has a default.

    bars: Parquet or CSV file of minute bars; None: the seeded generator.
    source: the set of the file to use.
    date: exchange date (UTC date for crypto alone). None: with a file, its last date; else today
        if it is a session, else the next session.
    start: aware broker time at which the clock stands first. None: 09:20 New York on `date` when
        there can be stock bars that day, else 00:00 UTC of `date`.
    seed: of the generator.
    port: of 127.0.0.1; 0 takes a free one.
    clock_speed: broker seconds a real second, at most.
    fill_model: close | spread[:bps] | slippage[:bps] | participation[:fraction].
    cash: dollars in the account at the start.
    cash_decimals: decimals to which each movement of cash is rounded, half-even; None: exact.
    account_number: as /v2/account answers it.
    credentials: the one key and secret accepted; None: any that are not empty.
    symbol_limit: (channel, symbol) pairs on a stock endpoint; 30 is Alpaca's Basic plan.
    settle_s: real seconds without a stir before the clock moves on.
    first_settle_s: the same when a client has just come, so that it can bring up all its sockets.
    faults: file of scripted faults.
    free_running: the clock neither waits for a client nor for quiet.
    bars_per_frame: split a minute's bars into frames of at most so many; None: one frame.
    quiet: generated symbols with missing minutes; None: a few that the seed chooses.
    requests_per_minute: rate limit of trading REST, and another of data, in real time; None: never
        429.
    order_connections: `trade_updates` connections allowed for one key; None: any number, so that
        a stock and a crypto coordinator run side by side.
    frames_waiting: frames that may wait for one client before error 407.
    auth_deadline_s: real seconds in which a websocket must authenticate.
    refused: market-data paths that the plan does not include (error 409), such as '/v2/sip'.
    """

    bars: Path | None = None
    source: str | None = None
    date: datetime.date | None = None
    start: datetime.datetime | None = None
    seed: int = 7
    port: int = 0
    clock_speed: float = 600.0
    fill_model: str = "spread"
    cash: Decimal = Decimal(100_000)
    cash_decimals: int | None = None
    account_number: str = "PA3SIM000001"
    credentials: tuple[str, str] | None = None
    symbol_limit: int | None = None
    settle_s: float = 0.05
    first_settle_s: float = 0.5
    faults: Path | None = None
    free_running: bool = False
    bars_per_frame: int | None = None
    quiet: frozenset[str] | None = None
    requests_per_minute: int | None = None
    order_connections: int | None = None
    frames_waiting: int = 4096
    auth_deadline_s: float = 10.0
    refused: frozenset[str] = frozenset()
