"""What posting an activity does to the ledger.

Rule: an activity and its movement are one act; an activity that moves nothing says so (`moved`).
"""

from collections.abc import Callable, Sequence
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


def post(
    ledger: Ledger, fault: PostActivity, market: Market, ids: Callable[[], str]
) -> Sequence[Activity]:
    """Move the ledger by an activity, and return what is posted: of a split two, or none.

    ids: gives a new unique id at each call.
    """
    zone = UTC if is_crypto(fault.symbol or "") else NEW_YORK
    day = market.now.astimezone(zone).date()
    draft = Activity(
        id=nta_id(day, ids()),
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
            other_id = nta_id(day, ids())
            return _split(ledger, draft, replace(draft, id=other_id), fault.ratio or _ONE)
        case "CFEE" if fault.moves:
            return [_coin_fee(ledger, draft, market)]
        case "CFEE":
            return [replace(draft, moved=False)]
        case "DIV":
            draft = _dividend(ledger, draft)
    ledger.pay(draft.net_amount)
    return [draft]


@exact
def _dividend(ledger: Ledger, draft: Activity) -> Activity:
    """Without an amount: per_share for each share held, to the cent."""
    draft = replace(draft, sub_type="CDIV")
    if draft.net_amount or draft.per_share is None:
        return draft
    qty = ledger.qty(draft.symbol or "") if draft.qty is None else draft.qty
    return replace(draft, qty=qty, net_amount=half_even(qty * draft.per_share, CENT))


def _split(ledger: Ledger, takes: Activity, gives: Activity, ratio: Decimal) -> Sequence[Activity]:
    """One activity takes all that was held, the other gives what it became."""
    symbol = takes.symbol or ""
    before = ledger.qty(symbol)
    if not before:
        return []
    ledger.move(symbol, Move(ZERO, ZERO, ratio=ratio))
    sub_type = "FSPLIT" if ratio > 1 else "RSPLIT"
    halves = [(takes, -before, "REMOVE"), (gives, ledger.qty(symbol), "ADD")]
    return [
        replace(half, sub_type=sub_type, qty=qty, description=half.description or word)
        for half, qty, word in halves
    ]


def _coin_fee(ledger: Ledger, draft: Activity, market: Market) -> Activity:
    ledger.pay(draft.net_amount)
    symbol = draft.symbol or ""
    if draft.qty:
        bar = market.last(symbol)
        ledger.move(symbol, Move(draft.qty, bar.close if bar else ZERO))
    return draft
