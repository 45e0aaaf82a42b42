"""The broker's account as it reports it: its number, cash, fees to come, and what bars trading."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from coordinator.core.values import is_crypto
from coordinator.shell.fields import Malformed, Raw, fields, parse_dollars, signed, words
from coordinator.shell.garbage import shown

log = logging.getLogger("coordinator")
ACCOUNT_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""It becomes the name of a folder."""
FEES_TO_COME = ("accrued_fees", "pending_reg_taf_fees")
"""Fields with the fees that Alpaca will post at the end of the day, or of the month."""
BARS = {
    "account_blocked": "Alpaca has blocked the account: ask its support",
    "trading_blocked": "Alpaca has blocked the account's trading: ask its support",
    "trade_suspended_by_user": "its user has suspended trading: allow it in Alpaca's settings",
}
"""Fields of /v2/account that, if true, have Alpaca refuse every order."""
IN_ORDER = "ACTIVE"


@dataclass(frozen=True, slots=True)
class AccountView:
    """The broker's account: its number, and cash in dollars.

    `set_aside` are the dollars of fees that it has counted and not posted yet. `bars` say why it
    takes no orders, and `coin_bars` why none of coins.
    """

    number: str
    cash: Decimal
    set_aside: tuple[Decimal, ...] = ()
    bars: tuple[str, ...] = ()
    coin_bars: tuple[str, ...] = ()


def parse_account(raw: Raw) -> AccountView:
    """The account from Alpaca's JSON.

    Raises:
        Malformed: it has no usable number, or no cash.
    """
    number = fields(raw, "an account").get("account_number")
    if not isinstance(number, str) or not ACCOUNT_NUMBER.fullmatch(number):
        raise Malformed(f"an account without a usable number: {shown(number)}")
    barred = tuple(why for flag, why in BARS.items() if raw.get(flag) is True)
    return AccountView(
        number,
        parse_dollars(raw.get("cash"), "cash"),
        _set_aside(raw),
        barred + _unless_in_order(raw, "status"),
        _unless_in_order(raw, "crypto_status"),
    )


class Bars:
    """Tells what bars an account from trading, each time that this has changed.

    `told` are the bars that were told of; if None, those of the first account that it sees.
    """

    def __init__(self, told: tuple[str, ...] | None = None) -> None:
        self._told = told

    def tell(self, account: AccountView, tickers: Iterable[str]) -> None:
        """Log why Alpaca refuses orders on these tickers now, or that it takes them again.

        Nothing ends for it: the bar may be lifted meanwhile, and positions are watched until then.
        """
        bars = account.bars + (account.coin_bars if any(map(is_crypto, tickers)) else ())
        told, self._told = self._told, bars
        if told is None or bars == told:
            return
        if bars:
            log.error("⚠ Alpaca will refuse orders, sales too: %s", "; ".join(bars))
        else:
            log.warning("Alpaca takes the account's orders again")


def _unless_in_order(raw: Raw, key: str) -> tuple[str, ...]:
    said = words(raw.get(key))
    return () if said in ("", IN_ORDER) else (f"its {key} is {said}, not {IN_ORDER}",)


def _set_aside(account: Raw) -> tuple[Decimal, ...]:
    """The fees that are still to be posted; one that cannot be read explains nothing."""
    found = []
    for key in FEES_TO_COME:
        with suppress(Malformed):
            found.append(abs(signed(account, key, key, parse_dollars)))
    return tuple(filter(None, found))
