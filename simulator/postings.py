"""What posting an activity does to the ledger.

Rule: an activity and its movement are one act; an activity that moves nothing says so (`moved`).
"""

from dataclasses import replace
from datetime import UTC
from decimal import Decimal

from simulator.activities import Activity, nta_id
from simulator.assets import is_crypto
from simulator.calendar import NEW_YORK
from simulator.faults.account import PostActivity
from simulator.ledger import Ledger, Move
from simulator.market import Market
from simulator.money import CENT, ZERO, exact, half_even

_ONE = Decimal(1)


def post(ledger: Ledger, fault: PostActivity, market: Market, unique: str) -> Activity | None:
    """Move the ledger by an activity; None if there is nothing to post it for.

    unique: the part of its id that nothing else has.
    """
    zone = UTC if is_crypto(fault.symbol or "") else NEW_YORK
    day = market.now.astimezone(zone).date()
    draft = Activity(
        id=nta_id(day, unique),
        type=fault.type,
        at=market.now,
        date=day,
        net_amount=fault.net_amount or ZERO,
        description=fault.description or "",
        symbol=fault.symbol,
        qty=fault.qty,
        per_share=fault.per_share,
    )
    match fault.type:
        case "SPLIT":
            return _split(ledger, draft, fault.ratio or _ONE)
        case "CFEE":
            return _coin_fee(ledger, draft, market) if fault.moves else replace(draft, moved=False)
        case "DIV":
            draft = _dividend(ledger, draft)
    ledger.pay(draft.net_amount)
    return draft


@exact
def _dividend(ledger: Ledger, draft: Activity) -> Activity:
    """Without an amount: per_share for each share held, to the cent."""
    draft = replace(draft, sub_type="CDIV")
    if draft.net_amount or draft.per_share is None:
        return draft
    qty = ledger.qty(draft.symbol or "") if draft.qty is None else draft.qty
    return replace(draft, qty=qty, net_amount=half_even(qty * draft.per_share, CENT))


def _split(ledger: Ledger, draft: Activity, ratio: Decimal) -> Activity | None:
    symbol = draft.symbol or ""
    before = ledger.qty(symbol)
    if not before:
        return None
    ledger.move(symbol, Move(ZERO, ZERO, ratio=ratio))
    sub_type = "FSPLIT" if ratio > 1 else "RSPLIT"
    return replace(draft, sub_type=sub_type, qty=ledger.qty(symbol) - before)


def _coin_fee(ledger: Ledger, draft: Activity, market: Market) -> Activity:
    ledger.pay(draft.net_amount)
    symbol = draft.symbol or ""
    if draft.qty:
        bar = market.last(symbol)
        ledger.move(symbol, Move(draft.qty, bar.close if bar else ZERO))
    return draft
