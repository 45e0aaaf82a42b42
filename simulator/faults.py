"""A script of faults: what goes wrong, when (broker time), and how often.

Rule: pure. A script says which faults are due and whether one strikes a given message or request;
carrying them out is `mischief`. The file is a JSON list of objects such as
    {"at": "10:05", "kind": "drop_data", "path": "/v2/iex"}
    {"at": "10:10", "kind": "mute_data", "for_s": 300}
    {"at": "10:20", "kind": "http_500_after_accept", "times": 1, "status": 504}
`at` is New York time on the first day ('HH:MM[:SS]') or an RFC 3339 time; none: from the start.
A fault takes effect at the first minute's end that is not before `at`, ahead of that minute's bars.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.calendar import NEW_YORK
from simulator.errors import OptionsError
from simulator.wire import ERRORS


class FaultKind(enum.Enum):
    """What can go wrong, and the fields that each kind takes beside `at`."""

    DROP_DATA = "drop_data"  # path: close market-data connections
    DROP_ORDERS = "drop_orders"  # close trade_updates connections
    MUTE_DATA = "mute_data"  # path, for_s: connections stay open, nothing arrives, frames are lost
    MUTE_ORDERS = "mute_orders"  # for_s
    REFUSE_406 = "refuse_406"  # path, for_s: market-data logins are refused
    STREAM_ERROR = "stream_error"  # path, code: an error frame on market-data connections
    UPDATED_BAR = "updated_bar"  # symbol, close: the minute before gets a new close
    LOSE_TRADE_UPDATE = "lose_trade_update"  # event, times
    DUPLICATE_TRADE_UPDATE = "duplicate_trade_update"  # event, times
    DELAY_RESPONSE = "delay_response"  # method, path, times, delay_s (real seconds)
    HTTP_ERROR = "http_error"  # method, path, times, status: refused, nothing was done
    HTTP_500_AFTER_ACCEPT = "http_500_after_accept"  # times, status: an order lives, its answer not

    @property
    def is_sudden(self) -> bool:
        """Whether it happens at a moment (or begins and ends), not to the next few messages."""
        return self in _SUDDEN


_SUDDEN = frozenset(
    {
        FaultKind.DROP_DATA,
        FaultKind.DROP_ORDERS,
        FaultKind.MUTE_DATA,
        FaultKind.MUTE_ORDERS,
        FaultKind.REFUSE_406,
        FaultKind.STREAM_ERROR,
        FaultKind.UPDATED_BAR,
    }
)
_LASTING = frozenset({FaultKind.MUTE_DATA, FaultKind.MUTE_ORDERS, FaultKind.REFUSE_406})
_NEEDS = {FaultKind.UPDATED_BAR: ("symbol", "close"), FaultKind.STREAM_ERROR: ("code",)}
_FIELDS = frozenset(
    {
        *("at", "kind", "path", "for_s", "code", "symbol", "close", "event", "times"),
        *("method", "delay_s", "status"),
    }
)


@dataclass(frozen=True)
class Fault:
    """One line of the script. for_s: broker seconds; delay_s: real ones; None in a filter: any."""

    at: datetime
    kind: FaultKind
    path: str | None = None
    for_s: float = 60.0
    code: int = 500
    symbol: str = ""
    close: Decimal = Decimal(0)
    event: str | None = None
    times: int = 1
    method: str | None = None
    delay_s: float = 1.0
    status: int = 500


@dataclass(frozen=True)
class Turn:
    """A fault that begins now, or one that lasted and now ends."""

    fault: Fault
    begins: bool


class FaultScript:
    """The faults of a run and how often each has struck."""

    def __init__(self, faults: list[Fault]) -> None:
        turns = [
            (fault.at, n, Turn(fault, begins=True))
            for n, fault in enumerate(faults)
            if fault.kind.is_sudden
        ]
        turns += [
            (fault.at + timedelta(seconds=fault.for_s), n, Turn(fault, begins=False))
            for n, fault in enumerate(faults)
            if fault.kind in _LASTING
        ]
        self._turns = sorted(turns, key=lambda turn: turn[:2])
        self._quotas = [[fault, fault.times] for fault in faults if not fault.kind.is_sudden]

    def due(self, now: datetime) -> list[Turn]:
        """Sudden faults that begin or end by `now` and were not told before, in order."""
        ready = [turn for at, _, turn in self._turns if at <= now]
        self._turns = self._turns[len(ready) :]
        return ready

    def strikes(
        self,
        kind: FaultKind,
        now: datetime,
        *,
        event: str = "",
        method: str = "",
        path: str = "",
    ) -> Fault | None:
        """The fault of that kind that strikes this message or request; uses it up once."""
        for quota in self._quotas:
            fault, left = quota
            if not isinstance(fault, Fault) or not isinstance(left, int):
                raise AssertionError("a quota is a fault and a count")
            if (
                fault.kind is kind
                and left > 0
                and fault.at <= now
                and fault.event in (None, event)
                and fault.method in (None, method)
                and (fault.path is None or path.startswith(fault.path))
            ):
                quota[1] = left - 1
                return fault
        return None


def read_faults(path: Path | None, start: datetime) -> FaultScript:
    """The script in a file (None: an empty one). start: the run's first moment.

    Raises OptionsError naming the file, the entry and the field.
    """
    if path is None:
        return FaultScript([])
    try:
        entries = json.loads(path.read_text(), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise OptionsError(f"{path}: cannot be read as a JSON list of faults: {error}") from None
    if not isinstance(entries, list):
        raise OptionsError(f"{path}: must be a JSON list of faults")
    return FaultScript([_fault(entry, n, path, start) for n, entry in enumerate(entries, 1)])


def _fault(entry: Any, number: int, path: Path, start: datetime) -> Fault:
    where = f"{path}: fault {number}"
    if not isinstance(entry, dict):
        raise OptionsError(f"{where}: must be an object")
    unknown = sorted(entry.keys() - _FIELDS)
    if unknown:
        raise OptionsError(f"{where}: unknown field {unknown[0]!r}; known: {sorted(_FIELDS)}")
    try:
        kind = FaultKind(entry.get("kind"))
    except ValueError:
        known = ", ".join(each.value for each in FaultKind)
        raise OptionsError(f"{where}: kind {entry.get('kind')!r} is not one of {known}") from None
    for name in _NEEDS.get(kind, ()):
        if name not in entry:
            raise OptionsError(f"{where}: {kind.value} needs {name!r}")
    try:
        return Fault(at=_moment(entry, start), kind=kind, **_details(entry))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise OptionsError(f"{where}: {error}") from None


def _moment(entry: Mapping[str, Any], start: datetime) -> datetime:
    text = entry.get("at")
    if text is None:
        return start
    if len(str(text)) <= len("HH:MM:SS"):
        day = start.astimezone(NEW_YORK).date()
        return datetime.combine(day, time.fromisoformat(str(text)), NEW_YORK)
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"at {text!r} has no zone")
    return moment


def _details(entry: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {
        name: str(entry[name]) for name in ("path", "symbol", "event", "method") if name in entry
    }
    details |= {name: float(entry[name]) for name in ("for_s", "delay_s") if name in entry}
    details |= {name: int(entry[name]) for name in ("code", "times", "status") if name in entry}
    if "close" in entry:
        details["close"] = Decimal(str(entry["close"]))
    if details.get("code", 500) not in ERRORS:
        raise ValueError(f"code {details['code']} is none of Alpaca's: {sorted(ERRORS)}")
    if min(details.get("for_s", 1), details.get("delay_s", 1), details.get("times", 1)) < 0:
        raise ValueError("for_s, delay_s and times must be >= 0")
    if not 400 <= details.get("status", 500) <= 599:
        raise ValueError("status must be 400..599")
    return details
