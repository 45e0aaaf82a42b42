"""A broker's REST that answers what it is told to, and the production client of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coordinator.settings import simulator_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker

PATIENCE_S = 20.0
Query = dict[str, list[str]]
Answer = Callable[[Query], tuple[int, bytes]]


@dataclass
class Answers:
    """What every request is answered, and how many there were."""

    answer: Answer = lambda query: (200, b"")
    queries: list[Query] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def always(self, body: Any, status: int = 200) -> None:
        """Answer this from now on: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.call(lambda query: (status, data))

    def wait_for(self, paths: set[str]) -> None:
        """Return once all of these were asked for."""
        end_s = time.monotonic() + PATIENCE_S
        while not paths <= set(self.paths):
            assert time.monotonic() < end_s, f"asked only for {self.paths}"
            time.sleep(0.005)

    def call(self, answer: Answer) -> None:
        """Answer what this makes of each query from now on."""
        self.answer, self.queries = answer, []


@contextmanager
def answering() -> Iterator[tuple[Broker, Answers]]:
    """A broker over real HTTP, and what it is answered."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            answers.paths.append(urlsplit(self.path).path)
            answers.queries.append(query)
            status, body = answers.answer(query)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings = simulator_settings(url, Path("x"))
    try:
        yield Broker(AlpacaRest(settings, timeout_s=10.0), feed="iex"), answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
