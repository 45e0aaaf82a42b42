"""A script of faults, read strictly from its file.

Rule: pure apart from reading the file. A script says which faults are due and whether one strikes
a given message or request; others carry them out.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from simulator.assets import is_symbol
from simulator.calendar import NEW_YORK
from simulator.errors import OptionsError
from simulator.faults import KINDS, AccountFault, WireFault
from simulator.faults.base import Counted, Fault, Lasting
from simulator.values import Side
from simulator.wire import ERRORS

C = TypeVar("C", bound=Counted)
F = TypeVar("F", bound=Fault)


@dataclass(frozen=True)
class Turn:
    """A fault that begins now, or one that lasted and now ends."""

    fault: WireFault | AccountFault
    begins: bool


class FaultScript:
    """The faults of a run and how often each has struck."""

    def __init__(self, faults: list[Fault]) -> None:
        turns = [
            (fault.at, n, Turn(fault, begins=True))
            for n, fault in enumerate(faults)
            if isinstance(fault, WireFault | AccountFault)
        ]
        turns += [
            (fault.until, n, Turn(fault, begins=False))
            for n, fault in enumerate(faults)
            if isinstance(fault, WireFault | AccountFault) and isinstance(fault, Lasting)
        ]
        self._turns = sorted(turns, key=lambda turn: turn[:2])
        self._faults = faults
        self._counted = self.all_of(Counted)
        self._left = [fault.times for fault in self._counted]

    def all_of(self, kind: type[F]) -> list[F]:
        """Every fault of that kind, in the order of the script."""
        return [fault for fault in self._faults if isinstance(fault, kind)]

    def due(self, now: datetime) -> list[Turn]:
        """Sudden faults that begin or end by `now`, once each, in order."""
        ready = [turn for at, _, turn in self._turns if at <= now]
        self._turns = self._turns[len(ready) :]
        return ready

    def strikes(
        self, kind: type[C], now: datetime, *, event: str = "", method: str = "", path: str = ""
    ) -> C | None:
        """The fault of that kind that strikes this message or request; uses it up once."""
        for n, fault in enumerate(self._counted):
            if (
                isinstance(fault, kind)
                and self._left[n] > 0
                and fault.at <= now
                and fault.fits(event=event, method=method, path=path)
            ):
                self._left[n] -= 1
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
    return FaultScript(
        [_fault(entry, f"{path}: fault {n}", start) for n, entry in enumerate(entries, 1)]
    )


def _fault(entry: Any, where: str, start: datetime) -> Fault:
    if not isinstance(entry, dict):
        raise OptionsError(f"{where}: must be an object")
    name = entry.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise OptionsError(f"{where}: kind {name!r} is not one of {', '.join(KINDS)}")
    taken = {field.name: field.default is MISSING for field in fields(kind)}
    unknown = sorted(entry.keys() - taken.keys() - {"kind"})
    if unknown:
        raise OptionsError(
            f"{where}: unknown field {unknown[0]!r}; {name} takes {', '.join(taken)}"
        )
    for needed, is_needed in taken.items():
        if is_needed and needed not in entry and needed != "at":
            raise OptionsError(f"{where}: {name} needs {needed!r}")
    try:
        values: dict[str, Any] = {
            field: _read(kind, field, entry[field]) for field in taken.keys() & entry.keys()
        }
        _check(values)
        return kind(**{**values, "at": _moment(entry.get("at"), start)})
    except (ValueError, TypeError, ArithmeticError) as error:
        raise OptionsError(f"{where}: {error}") from None


def _read(kind: type[Fault], field: str, value: object) -> object:
    """A field's value in the type that its kind declares."""
    hint = get_type_hints(kind)[field]
    wanted = next(iter(get_args(hint)), hint)  # the X of `X | None`
    try:
        return _READERS[wanted](value)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{field} {value!r} is not {_WORDS.get(wanted, 'valid')}") from None


def _number(value: object) -> Decimal:
    number = Decimal(str(value))
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(value)
    return number


def _whole(value: object) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise ValueError(value)
    return int(number)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


_READERS: Mapping[Any, Callable[[object], object]] = {
    str: str,
    float: lambda value: float(_number(value)),
    int: _whole,
    Decimal: _number,
    bool: _flag,
    Side: lambda value: Side(str(value)),
    datetime: str,  # `at`, which `_moment` reads
}
_WORDS = {
    float: "a number",
    int: "a whole number",
    Decimal: "a number",
    bool: "true or false",
    Side: "buy or sell",
}


def _moment(value: object, start: datetime) -> datetime:
    if value is None:
        return start
    text = str(value)
    if len(text) <= len("HH:MM:SS"):
        day = start.astimezone(NEW_YORK).date()
        return datetime.combine(day, time.fromisoformat(text), NEW_YORK)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"at {text!r} has no zone")
    return moment


def _check(values: Mapping[str, Any]) -> None:
    if values.get("code", 500) not in ERRORS:
        raise ValueError(f"code {values['code']} is none of Alpaca's: {sorted(ERRORS)}")
    for name in ("for_s", "delay_s", "times", "keep_bytes", "retry_after_s"):
        if values.get(name, 0) < 0:
            raise ValueError(f"{name} must be >= 0")
    status = values.get("status")
    if isinstance(status, int) and not 400 <= status <= 599:
        raise ValueError("status must be 400..599")
    if not is_symbol(values.get("symbol", "SPY")):
        raise ValueError(f"symbol {values['symbol']!r} is no symbol")
