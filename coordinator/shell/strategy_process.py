"""The coordinator's end of the processes in which users' strategies run: ask, wait, measure, end.

Whatever happens to the other end becomes a StrategyFault here, and nothing here waits for ever.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from coordinator.core.lane import Rule
from coordinator.errors import OperatorError
from coordinator.shell.process_meter import ProcessMeter
from coordinator.shell.worker_process import LINE_BYTES, Load, line, run_nursery

QUICK_MS = 2
"""Nearly every answer comes sooner; only a longer wait measures the process meanwhile."""
SLICE_MS = 5
PATIENCE = 5
"""Budgets after which an answer is overdue, however little processor time its process was given."""
LOAD_S = 20.0
"""Local seconds in which a file must be loaded for a session that trades already."""
LOAD_GRACE_S = 1.0
"""Local seconds on top of LOAD_S, for the answer that says where loading hung."""
LOAD_PATIENCE = 2
BY_TICKER = " by ticker"
UNREADABLE = "its process wrote something that is no answer"
REPLY_S = 30.0
"""Local seconds in which the forking process must answer."""


class StrategyFault(OperatorError):
    """A user's strategy failed; it is not asked again. The text says how."""


class StrategyRaised(StrategyFault):
    """It raised an error."""


class StrategyMisanswered(StrategyFault):
    """It answered something that is no signal."""

    @classmethod
    def by(cls, answer: object, *, each: str = "") -> StrategyMisanswered:
        """The fault of an answer, shown as text; `each` follows what it must answer."""
        return cls(f"it answered {answer}; it must answer 1, -1 or 0{each}")


class StrategyHung(StrategyFault):
    """It did not answer in time."""


class StrategyLeaked(StrategyFault):
    """Its process has grown too large."""


class StrategyDied(StrategyFault):
    """Its process has ended, or could not be started."""


class Nursery:
    """The process that forks workers, as a context; made before threads and connections are.

    A worker has one of the `rules`, or makes one later by `load`. Any thread may fork one.

    Raises:
        OperatorError: no process can be started.
    """

    def __init__(self, rules: Sequence[Rule], load: Load) -> None:
        self._rules, self._load = rules, load
        self._lock = threading.Lock()
        self._is_late = False

    def __enter__(self) -> Nursery:
        self._control, theirs = socket.socketpair()
        parent, random_state = os.getpid(), random.getstate()
        gc.freeze()  # a collection writes to, and so copies, memory that the processes share
        try:
            self._pid = os.fork()
        except OSError as error:
            self._control.close()
            theirs.close()
            gc.unfreeze()
            raise OperatorError(f"no process can be started for the strategies: {error}") from None
        if not self._pid:
            run_nursery(theirs, self._rules, self._load, parent, random_state)
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        """End it and every worker, and leave no trace of them."""
        has_ended = False
        self._control.settimeout(REPLY_S)
        with self._control, suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
            while self._control.recv(LINE_BYTES):
                pass  # an answer that came too late for its request
            has_ended = True
        if not has_ended:
            os.kill(self._pid, signal.SIGKILL)
        _kill_session(self._pid)  # before it is reaped: until then its number is not given away
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        gc.unfreeze()

    def fork(self, number: int | None, *, restless: bool) -> StrategyProcess:
        """A worker for the n-th rule, or for none yet.

        Raises:
            StrategyDied: it cannot be started.
        """
        try:
            text, received = self._ask("fork", number)
        except OSError as error:
            raise StrategyDied(f"no process for it: {error}") from None
        kind, answer = json.loads(text or b'["failed", "the one that forks has ended"]')
        if kind != "forked":
            raise StrategyDied(f"no process for it: {answer}")
        if not received:  # the system gives none where no descriptor is free
            self.end(answer)
            raise StrategyDied("no process for it: too many open files")
        channel = socket.socket(fileno=received[0])
        channel.set_inheritable(False)
        return StrategyProcess(self, answer, channel, restless=restless)

    def end(self, pid: int) -> int | None:
        """Kill a worker if it has not ended; its exit status, minus a signal, None if unknown."""
        with suppress(OSError, ValueError):
            _, status = json.loads(self._ask("end", pid)[0])
            return int(status)
        return None

    def _ask(self, action: str, number: int | None) -> tuple[bytes, list[int]]:
        """The answer, and the file that came with it, if one did.

        Raises:
            OSError: no answer in time. From then on workers are ended, but none is forked and no
                answer read: the next might be this one, and give a strategy another's process.
        """
        with self._lock:
            was_late, self._is_late = self._is_late, True
            self._control.settimeout(REPLY_S)
            if action == "end" or not was_late:
                self._control.sendall(line([action, number]))
            if was_late:
                raise TimeoutError("the one that forks did not answer before")
            text, received, _, _ = socket.recv_fds(self._control, LINE_BYTES, 1)
            self._is_late = False
            return text, received


def _kill_session(leader: int) -> None:
    """Kill what is left of a session; only Linux tells of it."""
    if sys.platform != "linux":
        return
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


class StrategyProcess:
    """One worker. `restless`: never sleep while waiting, so that this process is seen at work."""

    def __init__(
        self, nursery: Nursery, pid: int, channel: socket.socket, *, restless: bool
    ) -> None:
        self._nursery = nursery
        self._pid = pid
        self._channel = channel
        self.room_bytes = channel.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 8
        """Unanswered requests of so many bytes are sent without waiting for the process to read."""
        self._slice_ms = 0 if restless else SLICE_MS
        self._meter = ProcessMeter(pid)
        self._ready = select.poll()
        self._ready.register(channel, select.POLLIN)
        self._most_bytes: int | None = None
        self._received = b""
        self._posted: set[int] = set()
        self._answered: list[tuple[int, str, object]] = []

    def load(self, wanted: str) -> Any:
        """Have it make its rule, within LOAD_S; returns what `Load` tells of it.

        Raises:
            StrategyFault: it raised, hung or ended, as the text says; the process is ended.
        """
        try:
            request = {"load": wanted, "within_s": LOAD_S}
            self.send(line([0, 0, request]))
            match self.answer(LOAD_S + LOAD_GRACE_S, LOAD_PATIENCE):
                case [0, "loaded", value, list()]:
                    return value
                case [0, "raised", str(text), list()]:
                    raise StrategyRaised(text)
            raise StrategyMisanswered(UNREADABLE)
        except StrategyFault as fault:
            how = self.end()
            match fault:
                case StrategyHung():
                    raise StrategyHung(f"not loaded within {LOAD_S:g} s") from None
                case StrategyDied():
                    raise StrategyDied(f"its process {how}") from None
            raise

    def limit_growth(self, growth_bytes: int) -> None:
        """Let it grow by so much from now on, and no more."""
        self._most_bytes = self._meter.size_bytes() + growth_bytes

    def fileno(self) -> int:
        """The file descriptor that becomes readable when it answers."""
        return self._channel.fileno()

    def post(self, number: int, request: Sequence[object]) -> None:
        """Send a request without waiting; `answers` returns the answer.

        Raises:
            StrategyDied: it has ended.
        """
        self.send(line([number, *request]))
        self._posted.add(number)

    def answers(self) -> list[tuple[int, str, object]]:
        """Number, kind and value of the posted requests that are answered by now; does not wait.

        Answers that `answer` read before its own are among them.

        Raises:
            StrategyDied, StrategyMisanswered: the process is to be ended.
        """
        while self._ready.poll(0) and len(self._received) <= LINE_BYTES:
            self._receive()
        while b"\n" in self._received:
            if not self._is_posted(self._line()):
                raise StrategyMisanswered(UNREADABLE)
        found, self._answered = self._answered, []
        return found

    def send(self, requests: bytes) -> None:
        """Send requests, a line each; they are answered in their order.

        Raises:
            StrategyDied: it has ended.
        """
        try:
            self._channel.sendall(requests)
        except OSError:
            raise StrategyDied from None

    def answer(self, budget_s: float, patience: int = PATIENCE, *, more: bool = False) -> Any:
        """The answer to the oldest request that was sent: a JSON value.

        Time in which the process waits for a processor is not charged, up to `patience` budgets.
        `more` says that later requests were sent, whose answers may be here too.

        Raises:
            StrategyHung, StrategyLeaked, StrategyDied, StrategyMisanswered: it is to be ended.
        """
        try:
            answer = self._answer(budget_s, patience)
            while self._is_posted(answer):
                answer = self._answer(budget_s, patience)
        except OSError:  # the connection is broken: the process has ended
            raise StrategyDied from None
        self._check_growth()
        if self._received and not more:
            raise StrategyMisanswered(UNREADABLE)
        return answer

    def _is_posted(self, answer: Any) -> bool:
        """Whether this answers a posted request; then it is kept for `answers`."""
        match answer:
            case [int(number), str(kind), value, _] if number in self._posted:
                self._posted.discard(number)
                self._answered.append((number, kind, value))
                return True
        return False

    def _answer(self, budget_s: float, patience: int) -> Any:
        """Wait for the next line; its JSON value."""
        while b"\n" not in self._received and len(self._received) <= LINE_BYTES:
            self._wait(budget_s, patience)
            self._receive()
        return self._line()

    def _receive(self) -> None:
        try:
            more = self._channel.recv(LINE_BYTES)
        except OSError:
            raise StrategyDied from None
        if not more:
            raise StrategyDied
        self._received += more

    def _line(self) -> Any:
        text, _, self._received = self._received.partition(b"\n")
        try:
            return json.loads(text)
        except ValueError:
            raise StrategyMisanswered(UNREADABLE) from None

    def end(self) -> str:
        """Kill it if it has not ended; how it ended, as 'ended by itself, with exit status 3'."""
        self._channel.close()
        self._meter.close()
        return _cause(self._nursery.end(self._pid))

    def _wait(self, budget_s: float, patience: int) -> None:
        if self._ready.poll(QUICK_MS):
            return
        began_s = seen_s = time.monotonic()
        used_s, charged_s = self._meter.used_s(), 0.0
        while not self._ready.poll(self._slice_ms):
            self._check_growth()
            now_s, now_used_s = time.monotonic(), self._meter.used_s()
            is_runnable = self._meter.is_runnable()
            charged_s += now_used_s - used_s if is_runnable else now_s - seen_s
            seen_s, used_s = now_s, now_used_s
            overdue = charged_s >= budget_s or now_s - began_s >= patience * budget_s
            if overdue and not self._ready.poll(0):
                raise StrategyHung

    def _check_growth(self) -> None:
        if self._most_bytes is not None and self._meter.size_bytes() > self._most_bytes:
            raise StrategyLeaked


def _cause(status: int | None) -> str:
    if status is None:
        return "has ended"
    if status >= 0:
        return f"ended by itself, with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
