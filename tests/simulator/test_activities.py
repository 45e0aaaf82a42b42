"""Activities other than fills: what each does to the account, and how REST lists them."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests

from simulator.faults import PostActivity
from simulator.postings import post
from simulator.server import Simulator
from tests.simulator.bench import Bench
from tests.simulator.plays import KEYS, TEN, get, market, order

Start = Callable[..., Simulator]

POSTED = [
    # type and fields, cash moved, SPY moved (10 are held), what the activity says of qty
    ("DIV", {"symbol": "SPY", "per_share": "0.123"}, "1.23", "0", "10"),
    ("DIV", {"symbol": "SPY", "per_share": "0.1235"}, "1.24", "0", "10"),  # 1.235, to the cent
    ("DIV", {"symbol": "SPY", "net_amount": "7.5", "qty": "3"}, "7.5", "0", "3"),
    ("DIV", {"symbol": "QQQ", "per_share": "1"}, "0", "0", "0"),
    ("INT", {"net_amount": "-0.07"}, "-0.07", "0", None),
    ("FEE", {"net_amount": "-0.05"}, "-0.05", "0", None),
    ("CSD", {"net_amount": "500"}, "500", "0", None),
    ("CSW", {"net_amount": "-500"}, "-500", "0", None),
    ("JNLC", {"net_amount": "-1.5"}, "-1.5", "0", None),
    ("CFEE", {"symbol": "SPY", "qty": "-2", "net_amount": "-3"}, "0", "0", "-2"),
    ("CFEE", {"symbol": "SPY", "qty": "-2", "net_amount": "-3", "moves": True}, "-3", "-2", "-2"),
]


@pytest.mark.parametrize(("kind", "fields", "cash", "shares", "qty"), POSTED)
def test_an_activity_moves_the_account_by_what_it_says(
    kind: str, fields: dict[str, Any], cash: str, shares: str, qty: str | None
) -> None:
    bench = Bench()
    bench.price("SPY", "100")
    bench.order(qty=10)
    ledger = bench.venue.ledger
    before = (ledger.cash, ledger.qty("SPY"))
    exact = {
        name: Decimal(value) if name in ("qty", "net_amount", "per_share", "ratio") else value
        for name, value in fields.items()
    }
    (posted,) = post(ledger, PostActivity(at=TEN, type=kind, **exact), bench.market(), lambda: "u")
    moved = (ledger.cash - before[0], ledger.qty("SPY") - before[1])
    assert moved == (Decimal(cash), Decimal(shares))
    assert posted.qty == (None if qty is None else Decimal(qty))
    assert posted.moved == (kind != "CFEE" or "moves" in fields)
    if posted.moved:
        assert posted.net_amount == Decimal(cash)


@pytest.mark.parametrize(("ratio", "after"), [("4", "40"), ("0.1", "1"), ("1.5", "15")])
def test_a_split_is_listed_as_all_that_it_takes_and_all_that_it_gives(
    ratio: str, after: str
) -> None:
    bench = Bench()
    bench.price("SPY", "100")
    bench.order(qty=10)
    split = PostActivity(at=TEN, type="SPLIT", symbol="SPY", ratio=Decimal(ratio))
    takes, gives = post(bench.venue.ledger, split, bench.market(), bench.venue.ids)
    assert (takes.qty, gives.qty, takes.id == gives.id) == (-10, Decimal(after), False)
    assert bench.venue.ledger.qty("SPY") == Decimal(after)


def test_a_split_keeps_what_the_position_cost_and_of_nothing_is_none() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    bench.order(qty=10)
    ledger = bench.venue.ledger
    split = PostActivity(at=TEN, type="SPLIT", symbol="SPY", ratio=Decimal("1.5"))
    assert post(ledger, split, bench.market(), bench.venue.ids)
    assert (ledger.positions["SPY"].qty, ledger.positions["SPY"].cost) == (15, 1000)
    other = PostActivity(at=TEN, type="SPLIT", symbol="QQQ", ratio=Decimal(2))
    assert post(ledger, other, bench.market(), bench.venue.ids) == []


SCRIPT: list[dict[str, Any]] = [
    {"at": "10:01", "kind": "activity", "type": "FEE", "net_amount": -0.05, "description": "TAF"},
    {"at": "10:02", "kind": "activity", "type": "DIV", "symbol": "SPY", "per_share": 0.5},
    {"at": "10:02", "kind": "activity", "type": "SPLIT", "symbol": "SPY", "ratio": 2},
    {"at": "10:03", "kind": "activity", "type": "CSD", "net_amount": 1000},
    {"at": "10:03", "kind": "activity", "type": "CSW", "net_amount": -10},
    {"at": "10:04", "kind": "activity", "type": "INT", "net_amount": 0.01},
    {"at": "10:04", "kind": "activity", "type": "JNLC", "net_amount": 2},
]


@pytest.fixture
def posted(scripted: Start) -> Simulator:
    """Ten shares bought at 10:00, then the script's activities, a sale at 10:05."""
    simulator = scripted(*SCRIPT, fill_model="close")
    order(simulator, "buy", qty=10)
    asyncio.run(market(simulator, 4))
    order(simulator, "sell", qty=20, side="sell")
    return simulator


def kinds(simulator: Simulator, path: str = "", **query: Any) -> str:
    listed = get(simulator, f"/v2/account/activities{path}", **query)
    return " ".join(each["activity_type"] for each in listed)


def test_activities_are_listed_by_every_parameter(posted: Simulator) -> None:
    everything = "FILL FEE DIV SPLIT SPLIT CSD CSW INT JNLC FILL"
    assert kinds(posted, direction="asc") == everything
    assert kinds(posted).split() == everything.split()[::-1]
    assert kinds(posted, activity_types="DIV,fee") == "DIV FEE"
    assert kinds(posted, activity_types="TRANS", direction="asc") == "CSD CSW"
    assert kinds(posted, activity_types="MISC", direction="asc") == "FEE SPLIT SPLIT INT JNLC"
    assert kinds(posted, category="trade_activity") == "FILL FILL"
    assert kinds(posted, category="non_trade_activity", direction="asc") == everything[5:-5]
    assert kinds(posted, "/SPLIT") == "SPLIT SPLIT"
    assert kinds(posted, "/CGD") == ""
    assert kinds(posted, date="2026-03-17", direction="asc") == everything
    assert kinds(posted, date="2026-03-18") == ""
    assert kinds(posted, after="2026-03-17") == kinds(posted)
    assert kinds(posted, until="2026-03-17") == ""
    (dividend,) = get(posted, "/v2/account/activities/DIV")
    later = {"after": dividend["created_at"], "direction": "asc"}
    assert kinds(posted, **later) == "SPLIT SPLIT CSD CSW INT JNLC FILL"
    assert kinds(posted, until=dividend["created_at"], direction="asc") == "FILL FEE"
    (first, _) = get(posted, "/v2/account/activities/FILL", direction="asc")
    assert kinds(posted, order_id=first["order_id"]) == "FILL"


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_mixed_activities_page_through_by_the_last_id(posted: Simulator, direction: str) -> None:
    whole = get(posted, "/v2/account/activities", direction=direction)
    paged: list[Any] = []
    while True:
        token = {"page_token": paged[-1]["id"]} if paged else {}
        query = {"direction": direction, "page_size": 2, **token}
        page = get(posted, "/v2/account/activities", **query)
        if not page:
            break
        assert len(page) <= 2
        paged += page
    assert paged == whole


def test_an_activity_has_alpacas_shape(posted: Simulator) -> None:
    (fee,) = get(posted, "/v2/account/activities/FEE")
    (dividend,) = get(posted, "/v2/account/activities/DIV")
    takes, gives = get(posted, "/v2/account/activities/SPLIT", direction="asc")
    shape = fee | {"id": fee["id"].partition("::")[0], "created_at": fee["created_at"][:16]}
    assert shape == {
        "id": "20260317000000000",
        "activity_type": "FEE",
        "date": "2026-03-17",
        "created_at": "2026-03-17T14:01",
        "net_amount": "-0.05",
        "description": "TAF",
        "status": "executed",
    }
    assert (
        dividend.items()
        >= {
            "activity_sub_type": "CDIV",
            "symbol": "SPY",
            "qty": "10",
            "per_share_amount": "0.5",
            "net_amount": "5",
        }.items()
    )
    of_both = {"activity_sub_type": "FSPLIT", "symbol": "SPY"}.items()
    assert takes.items() >= of_both | {("qty", "-10"), ("description", "REMOVE")}
    assert gives.items() >= of_both | {("qty", "20"), ("description", "ADD")}


def test_the_account_sums_to_its_fills_and_its_activities(posted: Simulator) -> None:
    seen = posted.snapshot()
    fills = sum(fill.side.sign * fill.qty * fill.price for fill in seen.executions)
    others = sum(each.net_amount for each in seen.activities if each.moved)
    assert seen.cash == Decimal(100_000) - fills + others
    assert others == Decimal("-0.05") + 5 + 1000 - 10 + Decimal("0.01") + 2
    assert seen.positions == {}  # 10 bought, doubled, 20 sold
    assert Decimal(get(posted, "/v2/account")["cash"]) == seen.cash


def test_a_category_and_types_may_not_be_asked_together(scripted: Start) -> None:
    query = {"category": "trade_activity", "activity_types": "DIV"}
    url = scripted().url + "/v2/account/activities"
    answer = requests.get(url, params=query, headers=KEYS, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_an_activity_that_is_called_off_is_listed_as_canceled_and_its_dollars_go_back(
    scripted: Start,
) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "activity", "type": "INT", "net_amount": "3"},
        {"at": "10:02", "kind": "activity", "type": "DIV", "symbol": "SPY", "net_amount": "5"},
        {"at": "10:03", "kind": "call_off", "type": "INT"},
        {"at": "10:03", "kind": "call_off", "type": "INT"},  # there is no other
    )
    asyncio.run(market(simulator, 5))
    listed = get(simulator, "/v2/account/activities", direction="asc")
    assert [(each["activity_type"], each["status"]) for each in listed] == [
        ("INT", "canceled"),
        ("DIV", "executed"),
    ]
    assert simulator.snapshot().cash == 100_005
