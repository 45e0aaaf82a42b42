"""The broker's REST as a port: parsed JSON in and out, and errors that say what an answer proves.

The port fetches answers; `broker.py` interprets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol


class Api(Enum):
    """Which of Alpaca's three APIs a path belongs to; paths start after the API's version."""

    TRADING = "trading"
    STOCKS = "stock data"
    CRYPTO = "crypto data"


class Rest(Protocol):
    """One session of requests, blocking: used by one worker at a time, each request sent once.

    Raises:
        BrokerRejected: the answer proves that the request was not carried out.
        BrokerUnavailable: no answer, or one that proves nothing.
    """

    def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
        """The parsed answer to a GET."""

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Any:
        """The parsed answer to a POST of a JSON body."""

    def delete(self, api: Api, path: str) -> None:
        """Send a DELETE; a successful one returns nothing."""
