"""Errors: whose fault is the type, the exit code follows, and nothing secret travels."""

from __future__ import annotations

import pickle

import pytest

from coordinator.errors import (
    BrokerError,
    BrokerRejected,
    BrokerUnavailable,
    ConfigError,
    CredentialsError,
    InvariantError,
    JournalDamaged,
    MultiTraderError,
    OperatorError,
    Problem,
    SafetyRefusal,
)

ALL = [
    ConfigError("my.json", [Problem("strategies", "required, but missing")]),
    CredentialsError("APCA_API_KEY_ID is not set; export it, or use --simulate"),
    SafetyRefusal("another coordinator holds the lease of this account; stop it first"),
    BrokerUnavailable("no answer within 10 s"),
    BrokerRejected(403, 40310000, "insufficient qty", {"existing_order_id": "a"}),
    BrokerRejected(404, None, "not found"),
    InvariantError("position of SPY is negative"),
    JournalDamaged("record 3 does not follow record 2"),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_its_words_and_facts(error: MultiTraderError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    ("kind", "whose", "exit_code"),
    [
        (ConfigError, OperatorError, 2),
        (CredentialsError, OperatorError, 2),
        (SafetyRefusal, OperatorError, 3),
        (BrokerUnavailable, BrokerError, 1),
        (BrokerRejected, BrokerError, 1),
        (InvariantError, MultiTraderError, 1),
        (JournalDamaged, InvariantError, 1),
    ],
)
def test_the_type_says_whose_fault_it_is_and_how_the_command_ends(
    kind: type[MultiTraderError], whose: type[MultiTraderError], exit_code: int
) -> None:
    assert issubclass(kind, whose)
    assert kind.exit_code == exit_code


def test_a_configuration_error_prints_all_its_problems() -> None:
    problems = [Problem("name", "should not be empty"), Problem("feed", "should be 'iex'")]
    assert str(ConfigError("my.json", problems)).splitlines() == [
        "my.json: 2 problems; correct and try again",
        "  name: should not be empty",
        "  feed: should be 'iex'",
    ]


def test_a_refusal_of_the_broker_says_its_words_and_keeps_its_facts() -> None:
    refused = BrokerRejected(403, 40310000, "insufficient qty", {"available": "0"})
    assert str(refused) == "Alpaca refused: insufficient qty (HTTP 403, code 40310000)"
    assert str(BrokerRejected(404, None, "gone")) == "Alpaca refused: gone (HTTP 404)"
    assert (refused.status, refused.code, refused.body) == (403, 40310000, {"available": "0"})


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, 40110000, "request is not authorized"),
        (403, None, "forbidden."),
        (402, 402, "stock bars stream: auth failed"),
    ],
)
def test_wrong_keys_are_told_as_wrong_keys(status: int, code: int | None, said: str) -> None:
    assert str(BrokerRejected(status, code, said)).endswith(
        "; look at the keys: a paper account's are not those of a live account"
    )


STREAMS = {
    400: "look at the tickers",
    401: "start again",
    402: "look at the keys",
    403: "start again",
    404: "it connects again by itself",
    405: "give the strategies fewer tickers",
    406: "stop the other program",
    407: "this machine is too slow",
    408: 'set "feed": "iex"',
    409: 'set "feed": "iex"',
    410: "look at the tickers",
    411: "look at the keys",
    500: "Alpaca's status page",
    599: "Alpaca's status page",
}


@pytest.mark.parametrize(("code", "remedy"), STREAMS.items())
def test_of_each_error_of_a_stream_it_is_told_what_to_do(code: int, remedy: str) -> None:
    told = str(BrokerRejected(code, code, "stock bars stream: no"))
    assert told.startswith(f"Alpaca refused: stock bars stream: no (code {code}); ")
    assert remedy in told


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (409, "stock bars stream: insufficient subscription"),
        (403, "subscription does not permit querying recent SIP data"),
    ],
)
def test_of_a_feed_that_is_not_paid_for_it_is_told_what_to_do(status: int, said: str) -> None:
    assert str(BrokerRejected(status, None, said)).endswith(
        '; the account\'s plan does not include it: set "feed": "iex", or change the plan'
    )
