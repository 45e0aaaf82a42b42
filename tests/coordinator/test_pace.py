"""Who waits for a request's turn, how long, and against which budget it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.errors import BrokerUnavailable
from coordinator.settings import Settings
from coordinator.shell.budget import Urgency
from coordinator.shell.pace import Budgets, NotYet, impatient, patient
from coordinator.shell.rest import Api

PAPER, LIVE = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
DATA = "https://data.alpaca.markets"
HERE = "http://127.0.0.1:5001"


def budgets(folder: Path, *, key: str = "PK1", host: str = PAPER, data: str = DATA) -> Budgets:
    settings = Settings(key, "s", host, data, "wss://x", Path("x"), "")
    return Budgets(settings, speed=1.0, folder=folder)


def used_up(one: Budgets, api: Api = Api.TRADING) -> int:
    count = 0
    while one.turn(api, Urgency.QUESTION) == 0:
        count += 1
    return count


def turns(*waits_s: float) -> Callable[[Api, Urgency], float]:
    left = list(waits_s)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


def test_the_patient_sleep_until_their_turn_and_say_once_what_they_wait_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slept: list[float] = []
    with caplog.at_level(logging.WARNING, "coordinator"):
        patient(turns(2.0, 1.5, 0.0), slept.append, patience_s=10)(Api.TRADING, Urgency.QUESTION)
    assert slept == [2.0, 1.5]
    assert caplog.messages == [
        "trading requests of this minute are used up: waiting for a turn, 10 s at most;"
        " beside a simulator that runs faster than the clock, say --clock-speed as it was told"
    ]


def test_nobody_waits_for_ever() -> None:
    slept: list[float] = []
    with pytest.raises(BrokerUnavailable, match="for 10 s all stock data requests"):
        patient(turns(4.0), slept.append, patience_s=10)(Api.STOCKS, Urgency.QUESTION)
    assert slept == [4.0, 4.0, 2.0]


def test_the_impatient_come_back_later_and_are_told_when() -> None:
    pace = impatient(turns(3.0, 0.0))
    with pytest.raises(NotYet) as later:
        pace(Api.TRADING, Urgency.EXIT)
    assert later.value.wait_s == 3.0
    pace(Api.TRADING, Urgency.EXIT)


@pytest.mark.parametrize(
    ("other", "left"),
    [
        ({}, 0),
        ({"key": "PK2"}, 150),
        ({"host": LIVE}, 150),
        ({"data": HERE}, 0),
    ],
)
def test_before_the_account_is_known_a_key_at_a_host_has_one_budget(
    tmp_path: Path, other: dict[str, str], left: int
) -> None:
    assert used_up(budgets(tmp_path)) == 150
    assert used_up(budgets(tmp_path, **other)) == left


def test_two_keys_of_one_account_share_its_budget(tmp_path: Path) -> None:
    one, two = budgets(tmp_path, key="PK1"), budgets(tmp_path, key="PK2")
    one.on_account("PA1")
    two.on_account("PA1")
    assert used_up(one) == 148, "the two questions for the account's number count"
    assert used_up(two) == 0
    two.on_account("PA2")
    assert used_up(two) == 149


def test_accounts_of_two_simulators_do_not_share(tmp_path: Path) -> None:
    one, two = budgets(tmp_path, host=HERE), budgets(tmp_path, host="http://127.0.0.1:5002")
    one.on_account("PA1", host="127.0.0.1:5001")
    two.on_account("PA1", host="127.0.0.1:5002")
    assert (used_up(one), used_up(two)) == (149, 149)


def test_data_is_counted_apart_also_where_both_come_from_one_host(tmp_path: Path) -> None:
    one = budgets(tmp_path, host=HERE, data=HERE)
    assert used_up(one, Api.STOCKS) == 150
    assert one.turn(Api.CRYPTO, Urgency.QUESTION) > 0
    assert used_up(one) == 150
    one.on_answer(Api.STOCKS, 200, {"X-RateLimit-Limit": "10000"})
    assert used_up(one, Api.CRYPTO) == 600
    one.on_answer(Api.TRADING, 429, {})
    assert one.turn(Api.TRADING, Urgency.ENTRY) > 0
    assert one.turn(Api.TRADING, Urgency.EXIT) == 0


def test_no_file_is_named_after_a_key(tmp_path: Path) -> None:
    one = budgets(tmp_path, key="PKCANARY")
    used_up(one)
    used_up(one, Api.STOCKS)
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    assert not [f for f in files if "CANARY" in f.name or b"CANARY" in f.read_bytes()]
