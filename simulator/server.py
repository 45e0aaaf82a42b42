"""The simulator as others use it: start it, point Alpaca's clients at its address, stop it.

Rule: it runs in a thread of its own with a loop of its own, on loopback only. Clients talk to it
over the wire; only `snapshot` reads its state directly.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from simulator import rest_data, rest_orders, rest_trading
from simulator.calendar import new_york_date
from simulator.errors import Rejection, not_found
from simulator.exchange import Exchange
from simulator.gate import Gate
from simulator.opening import open_feed
from simulator.options import SimulatorOptions
from simulator.pacer import Pacer
from simulator.protocols import MARKET_ENDPOINTS, ORDER_PATH, Endpoint
from simulator.snapshot import VenueSnapshot

_HOST = "127.0.0.1"
_START_S, _STOP_S = 20.0, 10.0
_KEEP_ALIVE_S = 3600  # a client may rest for minutes of real time between two requests
_TICK_S = 0.1  # what uvicorn counts its date header and its limits by

__all__ = ["Simulator", "SimulatorOptions", "VenueSnapshot", "build_app"]


class Simulator:
    """Alpaca on a loopback port, as a context manager.

    Raises FeedError or OptionsError when made, if the options cannot be played; OSError on
    `start`, if the port is taken.
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self.options = options or SimulatorOptions()
        today = new_york_date(datetime.now(UTC))
        self.exchange = Exchange(self.options, open_feed(self.options, today))
        self._loop = asyncio.new_event_loop()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Base address of REST, trading and data: 'http://127.0.0.1:P'."""
        return f"http://{_HOST}:{self._port}"

    @property
    def stream_url(self) -> str:
        """Base address of the websockets: 'ws://127.0.0.1:P'."""
        return f"ws://{_HOST}:{self._port}"

    def start(self) -> None:
        """Open the port and serve; returns once it answers."""
        listener = _listen(self.options.port)
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="simulator", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(_START_S) or self._failure is not None:
            raise RuntimeError("the simulator did not start") from self._failure

    def stop(self) -> None:
        """Close every connection and the port; harmless when it is not running."""
        thread = self._thread
        if thread is None or not thread.is_alive() or self._server is None:
            return
        self._loop.call_soon_threadsafe(self._server.leave)
        thread.join(_STOP_S)
        if thread.is_alive():
            raise RuntimeError(f"the simulator did not stop within {_STOP_S} s")

    def wait(self) -> None:
        """Block until it stops; raises what ended it, if anything did."""
        if self._thread is not None:
            while self._thread.is_alive():
                self._thread.join(0.5)
        if self._failure is not None:
            raise RuntimeError("the simulator ended by itself") from self._failure

    def snapshot(self) -> VenueSnapshot:
        """The venue's exact state, from any thread."""
        if self._thread is None or not self._thread.is_alive():
            return VenueSnapshot.of(self.exchange)
        return asyncio.run_coroutine_threadsafe(self._snapshot(), self._loop).result(_STOP_S)

    async def _snapshot(self) -> VenueSnapshot:
        return VenueSnapshot.of(self.exchange)

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(listener))
        except BaseException as error:  # handed to the starting thread
            self._failure = error
        finally:
            self._ready.set()
            listener.close()
            self._loop.close()

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            build_app(self.exchange),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            http=self.exchange.wires.protocol(),
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._server = _Server(config, self._ready)
        pacer = asyncio.create_task(Pacer(self.exchange).run())
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await asyncio.wait((serving, pacer), return_when=asyncio.FIRST_COMPLETED)
        self._server.leave()
        pacer.cancel()
        results = await asyncio.gather(serving, pacer, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listen(port: int) -> socket.socket:
    """A listening socket whose protocol is named: only then does asyncio switch Nagle off."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """uvicorn's server; it signals when it is up, and leaves without delay."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_S)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


def build_app(exchange: Exchange) -> Gate:
    """The ASGI application that serves an exchange."""
    routes = [*rest_trading.ROUTES, *rest_orders.ROUTES, *rest_data.ROUTES]
    sockets = [
        WebSocketRoute(endpoint.path, _market_socket(exchange, endpoint))
        for endpoint in MARKET_ENDPOINTS
    ]

    async def order_socket(websocket: WebSocket) -> None:
        await exchange.order_streams.serve(websocket, exchange.quiet)

    app = Starlette(
        routes=[*routes, *sockets, WebSocketRoute(ORDER_PATH, order_socket)],
        exception_handlers={Rejection: _refusal, 404: _nothing_here, 405: _nothing_here},
    )
    app.router.redirect_slashes = False
    app.state.exchange = exchange
    return Gate(app, exchange)


def _market_socket(exchange: Exchange, endpoint: Endpoint) -> Any:
    async def market_socket(websocket: WebSocket) -> None:
        await exchange.markets.serve(websocket, endpoint, exchange.quiet)

    return market_socket


async def _refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, Rejection):
        raise error
    return JSONResponse(error.body(), error.status)


async def _nothing_here(request: Request, error: Exception) -> Response:
    wanted = f"{request.method} {request.url.path}"
    refusal = not_found(f"endpoint not found: {wanted} is not served by this simulator")
    return JSONResponse(refusal.body(), refusal.status)
