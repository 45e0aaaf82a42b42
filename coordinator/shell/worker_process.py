"""The processes in which users' strategies run: a nursery that forks, and a worker per strategy.

The nursery is itself forked before anything else of a session exists, and only reads lines and
forks or ends workers; so a worker never inherits a lock, a thread or a key of the coordinator's. A
strategy that joins a session later is loaded by its worker, never by the nursery. Only lines of
JSON pass between the processes. All of them leave by `os._exit`, so that none runs the
coordinator's exit code.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal, setcontext
from functools import partial
from numbers import Real
from typing import Any, NoReturn

from coordinator.core.amounts import shown as in_digits
from coordinator.core.lane import SAYS_NOTHING, Rule, explain_of
from coordinator.core.values import EXACT, Bar
from coordinator.errors import OperatorError
from coordinator.shell.confinement import confine, limit_memory
from coordinator.strategies.folder import place_of

LINE_BYTES = 2**16
"""A worker's longer answer counts as unreadable."""
SHOWN_CHARACTERS = 300
SAID_CHARACTERS = 4000
"""Characters of a strategy's own output that are kept while it works on one bar."""

EXPLAIN_S = 0.5
"""Local seconds that a strategy's explanations may take between two of its bars."""
MOST_EXPLAINED = 50

FAULTY = frozenset({"raised", "answered"})
"""The kinds of answers that end a lane: what it is asked after one is answered by "over"."""

Load = Callable[[str], tuple[Rule | None, object]]
"""Makes, in a worker, the rule that a text asks for, and JSON values that describe it to the
coordinator; if it is faulty there is no rule, and the values say why."""
Request = Mapping[str, object]
"""A request to a worker: {"load": text for `Load`, "within_s": seconds}; and to a lane:
{"begin": tickers or null}, {"bar": values}, {"bars": [values]}, or
{"explain": ticker or "", "until_s": when, by the monotonic clock}."""
Step = Callable[[Any], Any]


def run_nursery(
    control: socket.socket,
    rules: Sequence[Rule],
    load: Load,
    parent: int,
    random_state: tuple[Any, ...],
) -> NoReturn:
    """Fork and end workers on request, until the coordinator's end of `control` is closed.

    Each worker begins with `random_state` in `random`, which a fork would reseed.

    ["fork", n] is answered by ["forked", pid] with the worker's socket, or ["failed", why]; the
    worker of ["fork", null] has no rule before it is asked to `load` one;
    ["end", pid] by ["ended", status], negative for a signal.
    """
    workers: set[int] = set()
    try:
        confine([control.fileno()], parent)
        os.setsid()
        _redirect_logging()
        gc.freeze()  # what is here already is no worker's garbage; it stays shared
        for kind, number in lines(control):
            if kind == "fork":
                rule = None if number is None else rules[number]
                _fork_worker(control, partial(_run_worker, rule, load), workers, random_state)
            else:
                workers.discard(number)
                _reply(control, "ended", _end(number))
        for pid in workers:
            _end(pid)
    finally:
        os._exit(0)


def lines(channel: socket.socket) -> Iterator[Any]:
    """The JSON values of each line that arrives, until the other end is closed."""
    waiting = b""
    while received := channel.recv(LINE_BYTES):
        *whole, waiting = (waiting + received).split(b"\n")
        yield from map(json.loads, whole)


def line(value: object) -> bytes:
    """A value as a line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def bar_values(bar: Bar) -> list[object]:
    """A bar as JSON values, exactly."""
    vwap = None if bar.vwap is None else str(bar.vwap)
    prices = [str(price) for price in (bar.open, bar.high, bar.low, bar.close, bar.volume)]
    return [bar.symbol, bar.start.isoformat(), *prices, bar.trade_count, vwap]


def bar_of(values: Sequence[Any]) -> Bar:
    """The bar that `bar_values` wrote."""
    symbol, start, *prices, trade_count, vwap = values
    opened, high, low, close, volume = map(Decimal, prices)
    average = None if vwap is None else Decimal(vwap)
    moment = datetime.fromisoformat(start)
    return Bar(symbol, moment, opened, high, low, close, volume, trade_count, average)


def shown(text: str) -> str:
    """The first SHOWN_CHARACTERS of a text, unprintable ones as blanks, for log and journal."""
    return "".join(c if c.isprintable() else " " for c in text[:SHOWN_CHARACTERS])


def _fork_worker(
    control: socket.socket,
    run: Callable[[socket.socket, int], NoReturn],
    workers: set[int],
    random_state: tuple[Any, ...],
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _reply(control, "failed", str(error))
            return
        if not pid:
            random.setstate(random_state)
            run(theirs, parent)
        workers.add(pid)
        socket.send_fds(control, [line(["forked", pid])], [ours.fileno()])


def _end(pid: int) -> int:
    """Kill a worker and whatever it has started, if it has not ended; its exit status."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not lead a group of its own yet
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _reply(channel: socket.socket, *words: object) -> None:
    channel.sendall(line(words))


def _run_worker(rule: Rule | None, load: Load, channel: socket.socket, parent: int) -> NoReturn:
    """Answer [n, lane, request] by [n, kind, answer, said]."""
    try:
        os.setpgid(0, 0)
        confine([channel.fileno()], parent)
        limit_memory()
        setcontext(EXACT.copy())
        said, steps, failed = _Said(), dict[int, Step](), set[int]()
        sys.stdout = sys.stderr = said
        for number, lane, request in lines(channel):
            if "load" in request:
                rule, kind, answer = _loaded(load, request["load"], request["within_s"])
            elif lane in failed and "explain" not in request:
                kind, answer = "over", None  # asked before we could say that it has failed
            else:
                kind, answer = _answer(rule, steps, lane, request)
                failed.update({lane} if kind in FAULTY else ())
            _reply(channel, number, kind, answer, said.take())
    finally:
        os._exit(0)


def load_nothing(wanted: str) -> tuple[Rule | None, object]:
    """A `Load` for workers that are forked with their rules.

    Raises:
        OperatorError: always.
    """
    raise OperatorError("there are no strategies to be loaded here")


def _loaded(load: Load, wanted: str, within_s: float) -> tuple[Rule | None, str, object]:
    try:
        with _alarm(within_s):
            rule, description = load(wanted)
        return rule, "loaded", description
    except BaseException as error:
        return None, "raised", error_text(error)


def _answer(
    rule: Any, steps: dict[int, Step], lane: int, request: Mapping[str, Any]
) -> tuple[str, object]:
    meant: object
    try:
        match request:
            case {"begin": None}:
                steps[lane] = rule.start()
                return "begun", None
            case {"begin": tickers}:
                steps[lane] = rule.start_together(tuple(tickers))
                return "begun", None
            case {"explain": ticker, "until_s": until_s}:
                return "explained", _explained(steps[lane], ticker, until_s)
            case {"bars": bars}:
                answer = steps[lane]({bar.symbol: bar for bar in map(bar_of, bars)})
                kind, meant = "signals", signals_of(answer)
            case _:
                answer = steps[lane](bar_of(request["bar"]))
                kind, meant = "signal", signal_of(answer)
        return (kind, meant) if meant is not None else ("answered", shown(repr(answer)))
    except BaseException as error:  # sys.exit() of a strategy ends the strategy alone
        return "raised", error_text(error)


def _explained(step: Step, ticker: str, until_s: float) -> dict[str, str]:
    """A step's explanation, as texts; an error in it becomes such a text, and is no fault."""
    within_s = until_s - time.monotonic()
    if within_s <= 0:
        return {SAYS_NOTHING: f"no time was left for it: {EXPLAIN_S:g} s went into others"}
    explain = explain_of(step)
    if explain is None:
        return {}
    try:
        with _alarm(within_s, EXPLAIN_S):
            values = explain(ticker) if ticker else explain()
            first = list(dict(values).items())[:MOST_EXPLAINED]
            return {shown(str(name)): shown(in_digits(value)) for name, value in first}
    except BaseException as error:
        return {SAYS_NOTHING: f"raised {error_text(error)}"}


@contextmanager
def _alarm(within_s: float, of_s: float | None = None) -> Iterator[None]:
    """Raise a TimeoutError in the body if it lasts longer; its text names `of_s`, if given."""

    def takes_too_long(*_: object) -> None:
        raise TimeoutError(f"no answer within {of_s or within_s:g} s")

    signal.signal(signal.SIGALRM, takes_too_long)
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def signal_of(answer: object) -> int | None:
    """The answer as a signal; None if it is not one."""
    if not isinstance(answer, Real) or isinstance(answer, bool):
        return None
    return next((signal for signal in (1, -1, 0) if answer == signal), None)


def signals_of(answer: object) -> dict[str, int] | None:
    """The answer as signals by ticker; None if it is not."""
    if not isinstance(answer, Mapping):
        return None
    found = {str(ticker): signal_of(one) for ticker, one in answer.items()}
    whole = {ticker: signal for ticker, signal in found.items() if signal is not None}
    return whole if len(whole) == len(found) else None


def error_text(error: BaseException) -> str:
    """The error that a strategy raised, with the line if it is in a strategies folder's file."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:  # its own text is the strategy's code too
        text = "and cannot say why"
    place = place_of(error)
    return shown(f"{name}: {text}" if text else name) + (f" ({shown(place)})" if place else "")


def _redirect_logging() -> None:
    """Send strategies' log records where their prints go, not to the coordinator's handlers."""
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
    handler = _ToStandardError()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.getLogger().handlers = [handler]


class _ToStandardError(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


class _Said(io.TextIOBase):
    """A worker's standard output and error; its beginning goes back with each answer."""

    def __init__(self) -> None:
        self._text = ""
        self._more = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = SAID_CHARACTERS - len(self._text)
        self._text += text[:room]
        self._more += max(0, len(text) - room)
        return len(text)

    def take(self) -> list[str]:
        """The lines since the last call."""
        if not self._text:
            return []
        said = [shown(text) for text in self._text.splitlines() if text.strip()]
        if self._more:
            said.append(f"({self._more} more characters)")
        self._text, self._more = "", 0
        return said
