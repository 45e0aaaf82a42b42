"""A headless Chromium, spoken to in its own protocol (CDP): open a page, wait for words, look.

No driver and no package beside websockets; where no Chromium is installed, NoBrowser says so.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect
from websockets.sync.connection import Connection

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_CLICK = """(() => {
  const found = [...document.querySelectorAll('a, button, li, [role=tab]')];
  const wanted = found.find(one => one.innerText && one.innerText.trim() === %s);
  if (wanted) wanted.click();
  return Boolean(wanted);
})()"""
_DEADLINE_S = 60.0
_POLL_S = 0.2


class NoBrowser(Exception):
    """There is no Chromium on this machine."""


class Page:
    """One tab."""

    def __init__(self, socket: Connection) -> None:
        self._socket, self._number = socket, 0

    def size(self, width: int, height: int) -> None:
        """Sets the window's size in pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, url: str, *words: str) -> None:
        """Goes there and waits until all `words` can be read; raises TimeoutError."""
        self.ask("Page.navigate", url=url)
        for word in words:
            self.wait_for(f"document.body && document.body.innerText.includes({json.dumps(word)})")

    def click(self, words: str) -> None:
        """Clicks on the link or button of these words; raises TimeoutError."""
        self.wait_for(_CLICK % json.dumps(words))

    def wait_for(self, condition: str) -> None:
        """Waits until a JavaScript expression is true; raises TimeoutError."""
        end_s = time.monotonic() + _DEADLINE_S
        while not self.value_of(condition):
            if time.monotonic() > end_s:
                seen = str(self.value_of("document.body.innerText"))[:2_000]
                raise TimeoutError(f"not within {_DEADLINE_S:.0f} s: {condition}\n{seen}")
            time.sleep(_POLL_S)

    def value_of(self, expression: str) -> Any:
        """What a JavaScript expression answers; None where the page is not ready for it."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def picture(self, file: Path) -> None:
        """Writes what the window shows as a PNG."""
        answer = self.ask("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(answer["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            answer = json.loads(self._socket.recv(timeout=_DEADLINE_S))
            if answer.get("id") == self._number:
                return dict(answer.get("result", {}))


@contextmanager
def browser() -> Iterator[Page]:
    """A browser with one empty tab; raises NoBrowser."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise NoBrowser("Chromium is not installed (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: S603
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_tab(Path(profile)), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait()


def _tab(profile: Path) -> str:
    """The address of the first tab's socket, once the browser listens."""
    file, end_s = profile / "DevToolsActivePort", time.monotonic() + _DEADLINE_S
    while not (file.exists() and "\n" in file.read_text()):
        if time.monotonic() > end_s:
            raise TimeoutError("the browser did not start")
        time.sleep(_POLL_S)
    port = file.read_text().split()[0]
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        tabs = json.load(answer)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
