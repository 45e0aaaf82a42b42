"""The simulator as a process, and its account as anybody may ask for it over REST."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.environment import bare_environment

Raw = dict[str, Any]
ORDERS_PAGE, FILLS_PAGE = 500, 100
ANSWER_S = 30.0
TRIES = 8
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Account:
    """What the venue says: cash, net positions by symbol without its slash, orders, executions."""

    number: str
    cash: Decimal
    positions: dict[str, Decimal]
    orders: tuple[Raw, ...]
    fills: tuple[Raw, ...]


class Venue:
    """A simulator of its own, as a context manager. `folder` takes its script and its log."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = (folder / "simulator.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "simulator", "--log-level", "WARNING", *options],
            env=bare_environment(folder),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline() for _ in range(5)]
        found = [re.fullmatch(r"export (\w+)=(\S+)\n", line) for line in lines]
        self.variables = {one[1]: one[2] for one in found if one}
        if len(self.variables) != len(lines):
            raise RuntimeError(f"the simulator did not start: see {folder / 'simulator.log'}")
        self._url = self.variables["APCA_API_BASE_URL"]

    def __enter__(self) -> Venue:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    @property
    def process(self) -> int:
        """The simulator's process."""
        return self._process.pid

    def orders(self) -> list[Raw]:
        """Every order of the account, oldest first."""
        query = {"status": "all", "direction": "asc", "limit": ORDERS_PAGE}
        return list(self._pages("/v2/orders", query, "after_order_id", ORDERS_PAGE))

    def account(self) -> Account:
        """The account as it is now; nothing moves it while no coordinator listens."""
        account = self._get("/v2/account", {})
        held = {p["symbol"].replace("/", ""): Decimal(p["qty"]) for p in self._get("/v2/positions")}
        query = {"direction": "asc", "page_size": FILLS_PAGE}
        path = "/v2/account/activities/FILL"
        fills = tuple(self._pages(path, query, "page_token", FILLS_PAGE))
        cash = Decimal(account["cash"])
        return Account(account["account_number"], cash, held, tuple(self.orders()), fills)

    def now(self) -> datetime:
        """Broker time."""
        return datetime.fromisoformat(self._get("/v2/clock")["timestamp"])

    def _pages(self, path: str, query: Mapping[str, Any], token: str, size: int) -> Iterator[Raw]:
        asked = dict(query)
        while True:
            page = self._get(path, asked)
            yield from page
            if len(page) < size:
                return
            asked[token] = page[-1]["id"]

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The answer; a fault of the script may strike us as it strikes the coordinator."""
        url = f"{self._url}{path}?{urllib.parse.urlencode(query or {})}"
        keys = {"APCA-API-KEY-ID": "judge", "APCA-API-SECRET-KEY": "judge"}
        for left in reversed(range(TRIES)):
            try:
                request = urllib.request.Request(url, headers=keys)  # noqa: S310  # it is loopback
                with _OPENER.open(request, timeout=ANSWER_S) as answer:
                    return json.load(answer)
            except OSError:
                if not left:
                    raise
                time.sleep(0.05)
        raise AssertionError
