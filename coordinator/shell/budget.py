"""The broker's limit of requests a minute, counted in one file that all processes of a user share.

Rule: no window holds more requests than the limit, whichever process sends them, and the last ones
are reserved for exits. The file is a log of times on the local monotonic clock, which all processes
of one boot share; times in the future were written before a reboot and have expired. Its lock is
held for microseconds, and a process that dies releases it.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import time
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from coordinator.shell.folders import private_folder

log = logging.getLogger("coordinator")
LIMIT = 200
"""Requests a minute, of an account for trading and of a key for data on the Basic plan."""
WINDOW_S = 60.0
SLACK_S = 1.0
"""Broker seconds by which requests may arrive closer together than they were sent."""
BUSY_S = 0.002
"""Local seconds after which a file that another process has locked is tried again."""
STUCK_S = 5.0
"""Local seconds after which that process counts as stopped: its lock is not waited for any more."""
LEAST_HOLD_S = 1.0
"""Broker seconds for which a 429 holds requests back, at least."""
MAGIC = b"mt-sent1"


class Urgency(IntEnum):
    """The priority of a request; the smaller number goes first."""

    EXIT = 0
    """Sales and cancellations: may use the whole limit."""
    ENTRY = 1
    QUESTION = 2

    def share(self, limit: int) -> int:
        """How many of `limit` requests a window may hold before this urgency waits."""
        match self:
            case Urgency.EXIT:
                return limit
            case Urgency.ENTRY:
                return limit - limit // 10
            case Urgency.QUESTION:
                return limit - limit // 4


@dataclass(slots=True)
class _Sent:
    """The file's content. Times are local seconds, `stamps` of requests oldest first.

    `left` is the number of requests that the broker allows until `left_until_s`, less those sent
    since. After a 429 nothing but exits is sent until `held_until_s`.
    """

    limit: int
    held_until_s: float = -math.inf
    left: float = math.inf
    left_until_s: float = -math.inf
    stamps: array[float] = field(default_factory=lambda: array("d"))

    def wait_s(self, urgency: Urgency, now_s: float, window_s: float) -> float:
        """Seconds until one more request may go out; not positive if it may now."""
        share = urgency.share(self.limit)
        until_s = now_s
        if len(self.stamps) >= share:
            until_s = max(until_s, self.stamps[-share] + window_s)
        if urgency is not Urgency.EXIT:
            until_s = max(until_s, self.held_until_s)
            if self.left <= self.limit - share:
                until_s = max(until_s, self.left_until_s)
        return until_s - now_s

    def count(self, now_s: float, most: int) -> None:
        """Count one more request; the newest `most` are kept."""
        self.stamps.append(now_s)
        del self.stamps[:-most]
        self.left -= 1

    def within(self, now_s: float, window_s: float) -> int:
        """How many requests went out in the window before `now_s`."""
        return sum(stamp > now_s - window_s for stamp in self.stamps)

    def forget_the_future(self, now_s: float, window_s: float) -> None:
        """Drop what was written before a reboot."""
        while self.stamps and self.stamps[-1] > now_s:
            self.stamps.pop()
        if self.held_until_s > now_s + window_s:
            self.held_until_s = -math.inf
        if self.left_until_s > now_s + window_s:
            self.left_until_s = -math.inf

    def to_bytes(self) -> bytes:
        """The file's bytes: at most one page for a limit of 200, so that one write is enough."""
        head = [len(self.stamps), self.limit, self.held_until_s, self.left, self.left_until_s]
        body = MAGIC + array("d", head).tobytes() + self.stamps.tobytes()
        return body + zlib.crc32(body).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> _Sent | None:
        """The reverse; None if the data is damaged. Bytes behind its end are ignored."""
        start = len(MAGIC) + 5 * 8
        if len(data) < start or not data.startswith(MAGIC):
            return None
        count, limit, held_until_s, left, left_until_s = array("d", data[len(MAGIC) : start])
        end = start + 8 * int(count) if 0 <= count <= len(data) else len(data)
        if zlib.crc32(data[:end]) != int.from_bytes(data[end : end + 4], "little"):
            return None
        return cls(int(limit), held_until_s, left, left_until_s, array("d", data[start:end]))


_Step = Callable[[_Sent, float], float]
"""Reads or changes the counts at a local time; returns a wait in local seconds."""


class RequestBudget:
    """One budget of requests, shared by every process that names the same file.

    `speed` is how many times as fast as ours the broker's clock runs. `most` is the largest limit
    accepted from the broker's headers. May be called from any thread, and never waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float = 1.0,
        limit: int = LIMIT,
        most: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        epoch_s: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._speed = speed
        self._window_s = (WINDOW_S + SLACK_S) / speed
        self._most = limit if most is None else most
        self._monotonic, self._epoch_s = monotonic, epoch_s
        self._mutex = Lock()
        self._known = _Sent(limit)
        self._unwritten: list[_Step] = []
        self._busy_since_s: float | None = None
        self._warned = False

    def wait_s(self, urgency: Urgency) -> float:
        """Local seconds until a request may be sent; 0.0: it may now, and has been counted."""

        def take(sent: _Sent, now_s: float) -> float:
            wait_s = sent.wait_s(urgency, now_s, self._window_s)
            if wait_s > 0:
                return wait_s
            sent.count(now_s, self._most)
            return 0.0

        with self._mutex:
            return self._step(take)

    def on_answer(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer's X-RateLimit headers, and from a 429."""
        said = {name.lower(): value for name, value in headers.items()}
        limit, left = _number(said, "x-ratelimit-limit"), _number(said, "x-ratelimit-remaining")
        reset = _number(said, "x-ratelimit-reset")
        resets_in_s = None if reset is None else max(0.0, reset - self._epoch_s())
        refused = status == HTTPStatus.TOO_MANY_REQUESTS
        retry_after_s = _number(said, "retry-after")

        def learn(sent: _Sent, now_s: float) -> float:
            if limit is not None and limit >= 1:
                sent.limit = min(int(limit), self._most)
            if left is not None and resets_in_s is not None:
                self._learn_left(sent, left, resets_in_s, now_s)
            if refused:
                wait_s = next((s for s in (retry_after_s, resets_in_s) if s), self._window_s)
                wait_s = min(max(wait_s, LEAST_HOLD_S / self._speed), self._window_s)
                sent.held_until_s = max(sent.held_until_s, now_s + wait_s)
            return 0.0

        if refused or limit is not None:
            with self._mutex:
                if self._step(learn):
                    self._unwritten.append(learn)

    def _learn_left(self, sent: _Sent, left: float, resets_in_s: float, now_s: float) -> None:
        """Take the broker's count where it is lower: it includes other programs' requests."""
        ours = sent.within(now_s, self._window_s)
        if left < sent.limit - ours or now_s < sent.left_until_s:
            sent.left = left
            sent.left_until_s = now_s + min(resets_in_s, self._window_s)

    def _step(self, step: _Step) -> float:
        """Apply a step to the file, or to this process's own counts if the file cannot be had."""
        try:
            with _locked(self._path) as file:
                self._busy_since_s = None
                return self._step_in(file, step)
        except BlockingIOError:
            now_s = self._monotonic()
            if self._busy_since_s is None:
                self._busy_since_s = now_s
            if now_s - self._busy_since_s < STUCK_S:
                return BUSY_S
        except OSError as error:
            if not self._warned:
                log.warning("requests are counted for this process alone: %s", error)
            self._warned = True
        return step(self._known, self._monotonic())

    def _step_in(self, file: int, step: _Step) -> float:
        before = os.pread(file, os.fstat(file).st_size, 0)
        sent = _Sent.from_bytes(before)
        if sent is None:
            sent = self._known
            if before:
                log.warning("%s was damaged; this process's own count goes on", self._path)
        now_s = self._monotonic()
        sent.forget_the_future(now_s, self._window_s)
        unwritten, self._unwritten = self._unwritten, []
        for earlier in unwritten:
            earlier(sent, now_s)
        wait_s = step(sent, now_s)
        after = sent.to_bytes()
        if after != before:
            os.pwrite(file, after, 0)
        self._known = sent
        return wait_s


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    private_folder(path.parent)
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    finally:
        os.close(file)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(headers[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
