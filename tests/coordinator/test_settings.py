"""Where keys may go, where they come from, and what is said when they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import CredentialsError, OperatorError, SafetyRefusal
from coordinator.settings import (
    KeysMissing,
    Settings,
    home_folder,
    read_settings,
    warehouse_path,
)
from tests.another_user import somebody_else

KEYS = {"APCA_API_KEY_ID": "PKTESTKEY", "APCA_API_SECRET_KEY": "not-a-secret"}
NAMES = ("APCA_API_BASE_URL", "APCA_API_DATA_URL", "APCA_API_STREAM_URL")


def read(folder: Path, *, live: bool = False, **environment: str) -> Settings:
    return read_settings({**KEYS, **environment}, live=live, folder=folder)


def test_without_addresses_paper_or_live_is_chosen_by_the_mode(tmp_path: Path) -> None:
    paper, live = read(tmp_path), read(tmp_path, live=True)
    assert paper.trading_url == "https://paper-api.alpaca.markets"
    assert live.trading_url == "https://api.alpaca.markets"
    assert paper.order_stream_url == "wss://paper-api.alpaca.markets/stream"
    assert paper.stock_stream_url("iex") == "wss://stream.data.alpaca.markets/v2/iex"
    assert paper.crypto_stream_url == "wss://stream.data.alpaca.markets/v1beta3/crypto/us"
    assert paper.data_url == "https://data.alpaca.markets"


def test_a_simulator_on_this_machine_is_a_url_like_any_other(tmp_path: Path) -> None:
    here = read(
        tmp_path,
        APCA_API_BASE_URL="http://127.0.0.1:5001/",
        APCA_API_DATA_URL="http://localhost:5001",
        APCA_API_STREAM_URL="ws://[::1]:5001/",
    )
    assert here.trading_url == "http://127.0.0.1:5001"
    assert here.data_url == "http://localhost:5001"
    assert here.order_stream_url == "ws://127.0.0.1:5001/stream"
    assert here.stock_stream_url("sip") == "ws://[::1]:5001/v2/sip"


def test_an_address_with_the_version_that_the_client_adds_itself_is_understood(
    tmp_path: Path,
) -> None:
    url = "https://paper-api.alpaca.markets/v2/"
    assert read(tmp_path, APCA_API_BASE_URL=url).trading_url == "https://paper-api.alpaca.markets"


EVIL = [
    "http://evil",
    "https://evil.example",
    "https://alpaca.markets.evil.example",
    "https://evilalpaca.markets",
    "https://alpaca.markets",
    "http://paper-api.alpaca.markets",
    "ftp://paper-api.alpaca.markets",
    "https://paper-api.alpaca.markets@evil.example",
    "https://user@paper-api.alpaca.markets",
    "https://user:word@127.0.0.1",
    "https://evil.example\\.alpaca.markets",
    "https://evil.example\t.alpaca.markets",
    "https://evil.example%00.alpaca.markets",
    "https://evil.example#.alpaca.markets",
    "https://evil.example?.alpaca.markets",
    "https://evil.example/.alpaca.markets",
    "https://paper-api.alpaca.markets?to=evil",
    "https://paper-api.alpaca.markets#evil",
    "http://127.0.0.1.evil.example",
    "http://0.0.0.0:5001",
    "http://10.0.0.1",
    "http://[::2]:80",
    "http://127.0.0.1:port",
    "//paper-api.alpaca.markets",
    "paper-api.alpaca.markets",
    "https://",
    "https://.alpaca.markets evil",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", EVIL)
def test_keys_go_to_alpaca_over_tls_or_to_this_machine_and_nowhere_else(
    tmp_path: Path, name: str, url: str
) -> None:
    scheme = url.replace("http", "ws", 1) if name == "APCA_API_STREAM_URL" else url
    with pytest.raises(OperatorError, match=name) as refusal:
        read(tmp_path, live=True, **{name: scheme})
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    "url", ["https://api.alpaca.markets", "https://broker-api.alpaca.markets:443"]
)
def test_the_live_host_is_refused_unless_the_run_is_armed_for_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(SafetyRefusal, match="live trading is not armed") as refusal:
        read(tmp_path, APCA_API_BASE_URL=url)
    assert refusal.value.exit_code == 3
    assert read(tmp_path, live=True, APCA_API_BASE_URL=url).trading_url == url


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, "APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
        ({"APCA_API_KEY_ID": "PK"}, "set APCA_API_SECRET_KEY"),
        ({"APCA_API_KEY_ID": " ", "APCA_API_SECRET_KEY": "s"}, "set APCA_API_KEY_ID"),
    ],
)
def test_missing_credentials_are_one_clear_sentence(
    tmp_path: Path, given: dict[str, str], asked: str
) -> None:
    with pytest.raises(CredentialsError, match=r"^Missing Alpaca API credentials: ") as error:
        read_settings(given, live=False, folder=tmp_path)
    assert asked in str(error.value)
    assert "--simulate" in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


DOTENV = """
# keys of the paper account
export APCA_API_KEY_ID="PKFROMFILE"
APCA_API_SECRET_KEY='from=file' # of march
MULTI_TRADER_ALLOW_LIVE = 123
PATH=/evil
no equals sign
"""


def dotenv(folder: Path, mode: int) -> Path:
    path = folder / ".env"
    path.write_text(DOTENV)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_keys_may_come_from_a_private_file(tmp_path: Path, mode: int) -> None:
    dotenv(tmp_path, mode)
    found = read_settings({}, live=False, folder=tmp_path)
    assert (found.key_id, found.secret) == ("PKFROMFILE", "from=file")
    assert (found.allow_live, found.home) == ("123", Path("state"))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_of_keys_that_others_can_read_is_refused_with_the_cure(
    tmp_path: Path, mode: int
) -> None:
    path = dotenv(tmp_path, mode)
    with pytest.raises(CredentialsError, match=f"mode {mode:o}.*chmod 600") as error:
        read_settings({}, live=False, folder=tmp_path)
    assert str(path) in str(error.value)
    assert "from=file" not in str(error.value)


def test_the_environment_goes_before_the_file_unless_it_is_empty(tmp_path: Path) -> None:
    dotenv(tmp_path, 0o600)
    found = read_settings(
        {"APCA_API_KEY_ID": "PKFROMSHELL", "APCA_API_SECRET_KEY": ""}, live=False, folder=tmp_path
    )
    assert (found.key_id, found.secret) == ("PKFROMSHELL", "from=file")


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("APCA_API_SECRET_KEY=plain", "plain"),
        ("APCA_API_SECRET_KEY = plain # of march", "plain"),
        ("APCA_API_SECRET_KEY=a#b", "a#b"),
        ("APCA_API_SECRET_KEY='a#b'", "a#b"),
        ('APCA_API_SECRET_KEY="it\'s"', "it's"),
        ("APCA_API_SECRET_KEY='open", "'open"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_of_keys_is_read_as_a_shell_reads_it_whatever_wrote_it(
    tmp_path: Path, line: str, secret: str, end: str, mark: str
) -> None:
    path = dotenv(tmp_path, 0o600)
    path.write_bytes(f"{mark}APCA_API_KEY_ID=PK{end or chr(10)}{line}{end}".encode())
    found = read_settings({}, live=False, folder=tmp_path)
    assert (found.key_id, found.secret) == ("PK", secret)


def test_a_file_of_keys_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = dotenv(tmp_path, 0o600)
    path.write_bytes(b"\xff\xfeA")
    with pytest.raises(CredentialsError, match="cannot be read: it is no text") as error:
        read_settings({}, live=False, folder=tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["MULTI_TRADER_HOME", "MULTI_TRADER_WAREHOUSE"])
def test_where_state_lies_is_not_said_in_a_file_that_other_commands_do_not_read(
    tmp_path: Path, name: str
) -> None:
    path = dotenv(tmp_path, 0o600)
    path.write_text(f"{DOTENV}\n{name}=elsewhere\n")
    with pytest.raises(OperatorError, match=f"export {name}") as error:
        read_settings({}, live=False, folder=tmp_path)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "environment"),
    [
        ("MULTI_TRADER_HOME=elsewhere", {"MULTI_TRADER_HOME": "elsewhere"}),
        ("MULTI_TRADER_HOME=", {}),
        ("MULTI_TRADER_HOME= # ./state", {}),
    ],
)
def test_a_file_that_a_shell_has_read_too_or_that_names_no_place_is_no_hindrance(
    tmp_path: Path, line: str, environment: dict[str, str]
) -> None:
    path = dotenv(tmp_path, 0o600)
    path.write_text(f"{DOTENV}\n{line}\n")
    found = read_settings(environment, live=False, folder=tmp_path)
    assert found.home == Path(environment.get("MULTI_TRADER_HOME", "state"))


def test_a_comment_in_the_place_of_a_key_is_none(tmp_path: Path) -> None:
    path = dotenv(tmp_path, 0o600)
    path.write_text("APCA_API_KEY_ID=PK\nAPCA_API_SECRET_KEY= # to come\n")
    with pytest.raises(KeysMissing, match="APCA_API_SECRET_KEY"):
        read_settings({}, live=False, folder=tmp_path)


@pytest.mark.parametrize("key", ["PK 1", "PK\n1", "PK\u00e9", "PK\r1"])
@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
def test_a_key_that_can_be_none_is_refused_before_it_is_sent(
    tmp_path: Path, name: str, key: str
) -> None:
    with pytest.raises(CredentialsError, match=f"{name} holds a blank, or a sign") as error:
        read(tmp_path, **{name: key})
    assert key not in str(error.value)
    assert error.value.exit_code == 2


def test_a_secret_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert "not-a-secret" not in f"{found} {found!r}"
    assert "PKTESTKEY" not in f"{found!r}"


@pytest.mark.parametrize("below", ["", "sub", "sub/sub"])
def test_state_cannot_lie_in_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / below
    with pytest.raises(OperatorError, match=f"MULTI_TRADER_HOME names {home}, but .*/file is a"):
        home_folder({"MULTI_TRADER_HOME": str(home)})


@pytest.mark.parametrize("below", ["", "state"])
def test_state_that_this_user_may_not_read_is_not_taken_for_no_state(
    tmp_path: Path, below: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with (
        somebody_else(),
        pytest.raises(OperatorError, match=r"which cannot be read \(Permission denied\)"),
    ):
        home_folder({"MULTI_TRADER_HOME": str(closed / below)})


def test_state_lives_where_the_environment_says() -> None:
    assert home_folder({}) == Path("state")
    assert home_folder({"MULTI_TRADER_HOME": "here"}) == Path("here")
    assert warehouse_path({"MULTI_TRADER_HOME": "here"}) == Path("here/warehouse.duckdb")
    assert warehouse_path({"MULTI_TRADER_WAREHOUSE": "w.duckdb"}) == Path("w.duckdb")
    assert home_folder({"MULTI_TRADER_HOME": " "}) == Path("state")
    assert home_folder({"MULTI_TRADER_HOME": "~/here"}) == Path.home() / "here"
    assert warehouse_path({"MULTI_TRADER_HOME": "~"}) == Path.home() / "warehouse.duckdb"
    assert warehouse_path({"MULTI_TRADER_WAREHOUSE": "~/w.duckdb"}) == Path.home() / "w.duckdb"
