"""The broker's account as it reports it: its number, its cash, and the fees that are to come."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from coordinator.shell.fields import Malformed, Raw, fields, parse_dollars, signed
from coordinator.shell.garbage import shown

ACCOUNT_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""It becomes the name of a folder."""
FEES_TO_COME = ("accrued_fees", "pending_reg_taf_fees")
"""Fields with the fees that Alpaca will post at the end of the day, or of the month."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """The broker's account: its number, and cash in dollars.

    `set_aside` are the dollars of fees that it has counted and not posted yet.
    """

    number: str
    cash: Decimal
    set_aside: tuple[Decimal, ...] = ()


def parse_account(raw: Raw) -> AccountView:
    """The account from Alpaca's JSON.

    Raises:
        Malformed: it has no usable number, or no cash.
    """
    number = fields(raw, "an account").get("account_number")
    if not isinstance(number, str) or not ACCOUNT_NUMBER.fullmatch(number):
        raise Malformed(f"an account without a usable number: {shown(number)}")
    return AccountView(number, parse_dollars(raw.get("cash"), "cash"), _set_aside(raw))


def _set_aside(account: Raw) -> tuple[Decimal, ...]:
    """The fees that are still to be posted; one that cannot be read explains nothing."""
    found = []
    for key in FEES_TO_COME:
        with suppress(Malformed):
            found.append(abs(signed(account, key, key, parse_dollars)))
    return tuple(filter(None, found))
