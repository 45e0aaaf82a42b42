"""Errors by whose fault they are.

`FeedError` is the operator's: the bars that were asked for cannot be had, and the message names
the file and the column, row, source or date. `Rejection` is the client's: the venue refuses a
request, with the status and body that Alpaca sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class SimulatorError(Exception):
    """Anything that this package raises on purpose."""


class FeedError(SimulatorError):
    """The bars cannot be read, or lack what was asked for; the message says what to change."""


class OptionsError(SimulatorError):
    """A simulator option is malformed (fill model, fault file, start time)."""


@dataclass
class Rejection(SimulatorError):
    """A request refused the way Alpaca refuses it.

    status: HTTP status. code: Alpaca's eight-digit code. fields: further keys of the JSON body.
    """

    status: int
    code: int
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON body: code, message and whatever else Alpaca names for this cause."""
        return {"code": self.code, "message": self.message, **self.fields}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def invalid(message: str, **fields: object) -> Rejection:
    """422: the order breaks a rule of its own, whatever the account holds."""
    return Rejection(422, 42210000, message, fields)


def malformed(message: str) -> Rejection:
    """422/40010001: a field is missing or unreadable."""
    return Rejection(422, 40010001, message)


def forbidden(message: str, **fields: object) -> Rejection:
    """403/40310000: the account's state does not allow the order."""
    return Rejection(403, 40310000, message, fields)


def not_found(message: str) -> Rejection:
    """404/40410000."""
    return Rejection(404, 40410000, message)
