"""Requests that are carried out late, unanswered, or not yet: what a client sees of each."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from simulator.server import Simulator
from tests.simulator.plays import KEYS, TEN, get, market, order, updates

Start = Callable[..., Simulator]


def lookup(simulator: Simulator, client_id: str) -> requests.Response:
    url = simulator.url + "/v2/orders:by_client_order_id"
    return requests.get(url, params={"client_order_id": client_id}, headers=KEYS, timeout=10)


def test_an_order_lands_after_its_post_failed_and_was_not_found(scripted: Start) -> None:
    simulator = scripted({"kind": "late_accept", "delay_s": 90, "status": 504})
    assert order(simulator, "late").status_code == 504
    assert lookup(simulator, "late").status_code == 404
    assert simulator.snapshot().orders == ()
    told = asyncio.run(updates(simulator, 3))
    assert [each["event"] for each in told] == ["pending_new", "new", "fill"]
    found = lookup(simulator, "late").json()
    assert found["status"] == "filled"
    (taken,) = simulator.snapshot().orders
    arrived = TEN + timedelta(seconds=90)
    assert arrived <= taken.created_at < TEN + timedelta(minutes=2)
    assert order(simulator, "prompt").status_code == 200


def test_an_order_in_flight_arrives_in_the_middle_of_a_minute(scripted: Start) -> None:
    simulator = scripted({"kind": "late_accept", "delay_s": 5})
    assert order(simulator, "late").status_code == 504
    simulator.exchange.clock.stand(TEN + timedelta(seconds=4))
    assert lookup(simulator, "late").status_code == 404
    simulator.exchange.clock.stand(TEN + timedelta(seconds=5))
    assert lookup(simulator, "late").json()["status"] == "filled"


def test_a_late_order_whose_id_was_sent_again_is_refused(
    scripted: Start, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = scripted({"kind": "late_accept", "delay_s": 30, "status": 503})
    assert order(simulator, "twice", qty=2).status_code == 503
    assert order(simulator, "twice", qty=2).status_code == 200
    asyncio.run(market(simulator, 2))
    assert simulator.snapshot().positions == {"SPY": 2}
    assert "late order twice was refused: 422" in caplog.text


def test_a_late_post_that_is_no_order_is_refused_at_once(scripted: Start) -> None:
    simulator = scripted({"kind": "late_accept"})
    assert order(simulator, "bad", qty=-1).status_code == 422


def test_an_answer_is_lost_though_the_request_was_carried_out(scripted: Start) -> None:
    simulator = scripted(
        {"kind": "lose_answer", "method": "POST"},
        {"kind": "lose_answer", "method": "DELETE", "path": "/v2/orders/"},
    )
    with pytest.raises(requests.ConnectionError):
        order(simulator, "a")
    assert lookup(simulator, "a").json()["status"] == "filled"
    assert order(simulator, "b", type="limit", limit_price="1").status_code == 200
    (resting,) = get(simulator, "/v2/orders")
    with pytest.raises(requests.ConnectionError):
        requests.delete(f"{simulator.url}/v2/orders/{resting['id']}", headers=KEYS, timeout=10)
    assert get(simulator, f"/v2/orders/{resting['id']}")["status"] == "canceled"


def test_a_kept_connection_ends_with_the_answer_and_the_next_one_works(scripted: Start) -> None:
    simulator = scripted({"kind": "lose_answer", "path": "/v2/positions"})
    with requests.Session() as session:
        session.headers.update(KEYS)
        assert session.get(simulator.url + "/v2/account", timeout=10).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(simulator.url + "/v2/positions", timeout=10)
        assert session.get(simulator.url + "/v2/positions", timeout=10).json() == []


def test_too_many_requests_are_told_when_to_come_again(scripted: Start) -> None:
    simulator = scripted({"kind": "http_429", "times": 2, "retry_after_s": 7, "path": "/v2/orders"})
    before = int(time.time())
    for name in "ab":
        refused = order(simulator, name)
        assert (refused.status_code, refused.json()["code"]) == (429, 42910000)
        assert refused.headers["Retry-After"] == "7"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert int(refused.headers["X-RateLimit-Reset"]) >= before + 7
    assert simulator.snapshot().orders == ()
    assert order(simulator, "c").status_code == 200
