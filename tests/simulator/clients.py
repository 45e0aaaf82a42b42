"""Alpaca's own clients, unmodified, pointed at a simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream

from simulator.server import Simulator

KEYS = ("key", "secret")
PATIENCE_S = 20.0


def trading(simulator: Simulator, *, raw: bool = False) -> TradingClient:
    """The trading client, on the test's thread (the simulator has its own)."""
    return TradingClient(*KEYS, raw_data=raw, url_override=simulator.url)


def stock_history(simulator: Simulator, *, raw: bool = False) -> StockHistoricalDataClient:
    """Bars of stocks by REST."""
    return StockHistoricalDataClient(*KEYS, raw_data=raw, url_override=simulator.url)


def crypto_history(simulator: Simulator, *, raw: bool = False) -> CryptoHistoricalDataClient:
    """Bars of pairs by REST."""
    return CryptoHistoricalDataClient(*KEYS, raw_data=raw, url_override=simulator.url)


def stock_stream(simulator: Simulator, path: str = "/v2/iex", *, raw: bool = False) -> Any:
    """The stock data stream."""
    return StockDataStream(*KEYS, raw_data=raw, url_override=simulator.stream_url + path)


def crypto_stream(simulator: Simulator, *, raw: bool = False) -> Any:
    """The crypto data stream."""
    url = simulator.stream_url + "/v1beta3/crypto/us"
    return CryptoDataStream(*KEYS, raw_data=raw, url_override=url)


def order_stream(simulator: Simulator, *, raw: bool = False) -> Any:
    """The `trade_updates` stream."""
    return TradingStream(*KEYS, raw_data=raw, url_override=simulator.stream_url + "/stream")


@asynccontextmanager
async def running(*streams: Any) -> AsyncIterator[None]:
    """Run the streams in this loop, and stop them cleanly."""
    tasks = [asyncio.create_task(stream._run_forever()) for stream in streams]
    try:
        yield
    finally:
        for stream in streams:
            await stream.stop_ws()
            await stream.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fails the test when it does not come."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is awaited lives in another thread
            await asyncio.sleep(0.002)
