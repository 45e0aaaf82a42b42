"""What may stand in a field of the wire, and what it is: a number, a time, a name, or none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgpack

DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]

# what it is called, what stands on the wire, the number that it is (None: it is none)
NUMBERS: list[tuple[str, Any, str | None]] = [
    ("an integer", 7, "7"),
    ("a fraction", 388.985, "388.985"),
    ("text", "190.10", "190.10"),
    ("text with every digit of a coin", "0.123456789", "0.123456789"),
    ("text with more digits than a float has", "0.12345678901234567890", "0.12345678901234567890"),
    ("a float that is not quite 0.3", 0.1 + 0.2, "0.30000000000000004"),
    ("a small float", 1e-7, "0.0000001"),
    ("a large float", 1e17, "100000000000000000"),
    ("an exponent in text", "1e3", "1000"),
    ("an exponent in capitals", "1.5E-3", "0.0015"),
    ("a plus", "+5", "5"),
    ("a plus in the exponent", "5e+2", "500"),
    ("no digit before the point", ".5", "0.5"),
    ("no digit behind the point", "5.", "5"),
    ("leading zeros", "007", "7"),
    ("the largest", "1e30", "1e30"),
    ("the smallest", "1e-30", "1e-30"),
    ("the largest integer of a packer", 2**64 - 1, "18446744073709551615"),
    ("thirty digits", 10**30, "1e30"),
    ("sixty digits", "1." + "1" * 59, "1." + "1" * 59),
    ("zero", 0, "0"),
    ("zero in text", "0.00", "0"),
    ("zero as a float", 0.0, "0"),
    ("less than nothing, by a sign", -0.0, "0"),
    ("negative", -5, "-5"),
    ("negative in text", "-0.01", "-0.01"),
    ("no number as a float", float("nan"), None),
    ("endless", float("inf"), None),
    ("endless below", float("-inf"), None),
    ("no number in text", "NaN", None),
    ("a signalling no-number", "sNaN", None),
    ("a no-number with a payload", "NaN123", None),
    ("endless in text", "Infinity", None),
    ("endless below in text", "-inf", None),
    ("beyond the largest", "1e31", None),
    ("below the smallest", "1e-31", None),
    ("an absurd exponent", "1e999999999", None),
    ("an exponent beyond all", "1e" + "9" * 400, None),
    ("an absurd small exponent", "1e-999999999", None),
    ("an absurd float", 1.7e308, None),
    ("the smallest float", 5e-324, None),
    ("an absurd integer", 10**31, None),
    ("an integer that cannot be written", 10**5000, None),
    ("sixty-one digits", "1." + "1" * 60, None),
    ("five thousand digits", "1" * 5000, None),
    ("a word", "many", None),
    ("two points", "1.2.3", None),
    ("a comma", "1,5", None),
    ("a thousand with a comma", "1,000", None),
    ("an underscore", "1_000", None),
    ("a blank before", " 1", None),
    ("a blank behind", "1 ", None),
    ("a line's end", "1\n", None),
    ("hexadecimal", "0x10", None),
    ("a dollar sign", "$5", None),
    ("a percentage", "5%", None),
    ("a fraction with a stroke", "1/2", None),
    ("a sign alone", "-", None),
    ("two signs", "--1", None),
    ("a point alone", ".", None),
    ("an exponent alone", "e5", None),
    ("digits of Arabia", "١٢٣", None),
    ("digits of full width", "１２", None),
    ("a superscript", "5²", None),
    ("a surrogate", "\ud800", None),
    ("a NUL", "1\x00", None),
    ("true", True, None),
    ("false", False, None),
    ("bytes", b"5", None),
    ("a list", [5], None),
    ("an empty list", [], None),
    ("an object", {"n": 5}, None),
    ("an empty object", {}, None),
    ("a time", msgpack.Timestamp(5, 0), None),
    ("an extension", msgpack.ExtType(5, b"5"), None),
    ("lists in lists", DEEP, None),
]
NOTHING: list[tuple[str, Any]] = [("nothing", None), ("an empty text", "")]
"""Where a number may be missing, these say so."""


def at(*numbers: int, micro: int = 0) -> datetime:
    return datetime(*numbers, microsecond=micro, tzinfo=UTC)  # type: ignore[arg-type,misc]


# what it is called, what stands on the wire, the time that it is (None: it is none)
TIMES: list[tuple[str, Any, datetime | None]] = [
    ("a minute", "2026-03-17T14:31:00Z", at(2026, 3, 17, 14, 31)),
    ("a minute of New York", "2026-03-17T10:31:00-04:00", at(2026, 3, 17, 14, 31)),
    ("a minute of India", "2026-03-17T20:01:00+05:30", at(2026, 3, 17, 14, 31)),
    ("a minute without its seconds", "2026-03-17T14:31Z", at(2026, 3, 17, 14, 31)),
    ("a minute with a blank", "2026-03-17 14:31:00+00:00", at(2026, 3, 17, 14, 31)),
    ("a minute without marks", "20260317T143100Z", at(2026, 3, 17, 14, 31)),
    ("a minute of nanoseconds", "2026-03-17T14:31:00.000000000Z", at(2026, 3, 17, 14, 31)),
    ("a minute of msgpack", msgpack.Timestamp(1_773_757_860), at(2026, 3, 17, 14, 31)),
    ("the end of February in a leap year", "2028-02-29T00:00:00Z", at(2028, 2, 29)),
    ("the first minute that counts", "1990-01-01T00:00:00Z", at(1990, 1, 1)),
    ("the last minute that counts", "2199-12-31T23:59:00Z", at(2199, 12, 31, 23, 59)),
    ("the minute before", "1989-12-31T23:59:00Z", None),
    ("the minute after", "2200-01-01T00:00:00Z", None),
    ("the first minute of all", "0001-01-01T00:00:00Z", None),
    ("before all times", "0001-01-01T00:00:00+14:00", None),
    ("the last minute of all", "9999-12-31T23:59:00Z", None),
    ("after all times", "9999-12-31T23:59:59-14:00", None),
    ("the start of Unix", "1970-01-01T00:00:00Z", None),
    ("a timestamp before Unix", msgpack.Timestamp(-(2**62), 0), None),
    ("a timestamp after all times", msgpack.Timestamp(2**60, 0), None),
    ("no zone", "2026-03-17T14:31:00", None),
    ("a day", "2026-03-17", None),
    ("a time of day", "14:31:00Z", None),
    ("a month that is none", "2026-13-17T14:31:00Z", None),
    ("a day that is none", "2026-02-29T14:31:00Z", None),
    ("an hour that is none", "2026-03-17T25:31:00Z", None),
    ("a zone that is none", "2026-03-17T14:31:00+99:00", None),
    ("a zone by name", "2026-03-17T14:31:00 EST", None),
    ("American", "03/17/2026 14:31", None),
    ("in words", "noon", None),
    ("empty", "", None),
    ("seconds of Unix", 1_773_757_860, None),
    ("seconds of Unix in text", "1773757860", None),
    ("milliseconds of Unix", 1_773_757_860_000, None),
    ("a fraction", 1_773_757_860.5, None),
    ("no number", float("nan"), None),
    ("nothing", None, None),
    ("true", True, None),
    ("a list", ["2026-03-17T14:31:00Z"], None),
    ("an object", {"t": "2026-03-17T14:31:00Z"}, None),
    ("bytes", b"2026-03-17T14:31:00Z", None),
    ("digits of Arabia", "٢٠٢٦-03-17T14:31:00Z", None),
    ("a surrogate", "2026-03-17T14:31:00\ud800", None),
    ("a NUL", "2026-03-17T14:31:00Z\x00", None),
    ("a megabyte", "2" * 1_000_000, None),
    ("lists in lists", DEEP, None),
]

# what it is called, what stands on the wire, the name that it is (None: it is none)
NAMES: list[tuple[str, Any, str | None]] = [
    ("a name", "A.2026-03-17.1", "A.2026-03-17.1"),
    ("another's", "bb0a2b2e-5b0e", "bb0a2b2e-5b0e"),
    ("with blanks", "my order no. 5", "my order no. 5"),
    ("not of ASCII", "bestellung-grün-№5", "bestellung-grün-№5"),
    ("with quotes", "'; DROP TABLE orders; --", "'; DROP TABLE orders; --"),
    ("a path", "../../etc/passwd", "../../etc/passwd"),
    ("the longest", "x" * 256, "x" * 256),
    ("with a line's end", "a\nb", "a\\nb"),
    ("with a NUL", "a\x00b", "a\\x00b"),
    ("with a colour", "\x1b[31mred", "\\x1b[31mred"),
    ("with a surrogate", "a\ud800b", "a\\ud800b"),
    ("written from right to left", "\u202egpj", "\\u202egpj"),
    ("too long", "x" * 257, None),
    ("a megabyte", "x" * 1_000_000, None),
    ("empty", "", None),
    ("nothing", None, None),
    ("a number", 5, None),
    ("zero", 0, None),
    ("true", True, None),
    ("a list", ["A"], None),
    ("an object", {"id": "A"}, None),
    ("bytes", b"A", None),
    ("lists in lists", DEEP, None),
]
NO_OBJECTS: list[tuple[str, Any]] = [
    ("nothing", None),
    ("a list", []),
    ("a list of objects", [{"id": 1}]),
    ("a text", "text"),
    ("an empty text", ""),
    ("a number", 5),
    ("zero", 0),
    ("a fraction", 0.5),
    ("no number", float("nan")),
    ("true", True),
    ("bytes", b"{}"),
    ("a time", msgpack.Timestamp(5, 0)),
    ("lists in lists", DEEP),
]
"""What stands where an object is meant."""


def number(text: str) -> Decimal:
    return Decimal(text)
