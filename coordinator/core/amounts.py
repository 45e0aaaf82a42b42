"""Amounts as people read them: dollars, gains, units, a signal, and any other number."""

from __future__ import annotations

from decimal import Context, Decimal

_SHOWN = Context(prec=12)
_NONE = Decimal(0)
UNKNOWN = "too few bars"
"""Shown in place of a value that an indicator does not have yet."""


def dollars(amount: Decimal) -> str:
    """'$1,234.50', '-$0.50'."""
    text = f"{amount:z,.2f}"
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def gain(amount: Decimal) -> str:
    """As `dollars`, with a plus before what was won: '+$1,234.50', '-$0.50', '$0.00'."""
    text = dollars(amount)
    return f"+{text}" if amount > 0 and text != dollars(_NONE) else text


def units(qty: Decimal) -> str:
    """All digits, without trailing zeros or an exponent."""
    return _trimmed(f"{qty:f}")


def shown(value: object) -> str:
    """A number: at most twelve digits, without trailing zeros or an exponent."""
    match value:
        case None:
            return UNKNOWN
        case Decimal():
            return _trimmed(f"{_SHOWN.plus(value):f}")
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def signed(signal: int) -> str:
    """'+1', '-1' or '0'."""
    return f"{signal:+d}" if signal else "0"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
