"""No text that this program makes tells a secret: logs at any level, traces, pickles (row 2).

The command's own levels are in tests/cli/test_logs.py; here every logger there is is set to DEBUG,
as a program around ours may do, and the wire is real.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import dataclasses
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from websockets.legacy import client as websockets_legacy

from coordinator.bootstrap import RunOptions
from coordinator.core.setup import Setup
from coordinator.errors import BrokerRejected, MultiTraderError
from coordinator.settings import Settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.rest import Api
from coordinator.shell.run import Run
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import Stream, market_stream, order_stream, quiet_sdk
from simulator.server import Simulator
from tests.e2e.running import simulator_options
from tests.security.canary import KEY_ID, SECRET, is_told, written_forms

PATIENCE_S = 20.0
WIRE = ("websockets.client", "websockets.protocol", "urllib3.connectionpool")
WIRE += ("alpaca.trading.stream", "alpaca.data.live.websocket", "asyncio", "coordinator")


def settings(broker: Simulator, secret: str = SECRET) -> Settings:
    return Settings(KEY_ID, secret, broker.url, broker.url, broker.stream_url, Path(), "")


@pytest.fixture
def heard() -> Iterator[StringIO]:
    """Everything that any logger says, all of them at DEBUG, records' values included."""
    told = StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)r"))
    loggers = [logging.getLogger(name) for name in (None, *WIRE)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield told
    logging.getLogger().removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def streams(known: Settings) -> list[Stream]:
    return [
        order_stream(known, lambda raw: None, StreamWatch("orders", lambda: None)),
        market_stream(known, "iex", ["SPY"], lambda raw: None, StreamWatch("bars", lambda: None)),
    ]


def test_every_logger_at_debug_sees_the_wire_and_no_key(heard: StringIO) -> None:
    async def story(known: Settings) -> None:
        for stream in streams(known):
            stream.start(lambda name: None)
            await stream.watch.until_live(PATIENCE_S)
            await stream.stop()

    with Simulator(simulator_options()) as broker:
        AlpacaRest(settings(broker)).get(Api.TRADING, "/account", {})
        asyncio.run(story(settings(broker)))
    said = heard.getvalue()
    assert "GET /v2/account" in said, "urllib3 speaks at DEBUG"
    assert "connected to" in said, "and so does the SDK"
    assert not is_told(said)


def test_a_websocket_that_is_not_ours_would_have_told(heard: StringIO) -> None:
    async def story(url: str) -> None:
        socket = await websockets_legacy.connect(url)
        await socket.send(f'{{"action": "auth", "key": "{KEY_ID}", "secret": "{SECRET}"}}')
        await socket.close()

    with Simulator(simulator_options()) as broker:
        asyncio.run(story(f"{broker.stream_url}/stream"))
    assert is_told(heard.getvalue())


def test_a_refusal_of_the_keys_tells_none_in_any_form(heard: StringIO) -> None:
    async def refusals(known: Settings) -> list[MultiTraderError]:
        found: list[MultiTraderError] = []
        for stream in streams(known):
            stream.start(lambda name: None)
            with pytest.raises(BrokerRejected) as refusal:
                await stream.watch.until_live(PATIENCE_S)
            found.append(refusal.value)
            await stream.stop()
        return found

    with Simulator(simulator_options(credentials=("other", "pair"))) as broker, quiet_sdk():
        errors = asyncio.run(refusals(settings(broker)))
        with pytest.raises(BrokerRejected) as refusal:
            AlpacaRest(settings(broker)).get(Api.TRADING, "/account", {})
    assert len(errors) == 2
    for error in (*errors, refusal.value):
        assert not is_told("".join(traceback.format_exception(error)))
        assert not is_told(f"{error} {error!r} {vars(error)}")
        assert not is_told(pickle.dumps(error))
    assert not is_told(heard.getvalue())


KNOWN = Settings(KEY_ID, SECRET, "https://x", "https://x", "wss://x", Path("home"), "")
RUN = Run(Setup("c", "paper", "iex", "hash", specs=()), KNOWN, 1.0, print)


@pytest.mark.parametrize("value", [KNOWN, RUN, [KNOWN], {"k": KNOWN}, RunOptions()], ids=type)
@pytest.mark.parametrize("text", [str, repr, ascii, "{}".format, "%s".__mod__])
def test_no_text_of_the_settings_or_of_what_holds_them_tells(
    text: Callable[[object], str], value: object
) -> None:
    assert not is_told(text((value,)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [KNOWN, RUN, [KNOWN]], ids=["settings", "run", "list"])
def test_settings_cannot_be_pickled_whoever_holds_them(value: object, protocol: int) -> None:
    with pytest.raises(TypeError, match="never written down"):
        pickle.dumps(value, protocol)


def test_settings_are_not_copied_by_the_way_of_pickle_either() -> None:
    with pytest.raises(TypeError, match="never written down"):
        copy.copy(KNOWN)
    assert dataclasses.replace(KNOWN, home=Path("other")).secret == SECRET


@pytest.mark.parametrize("text", ["{}", "x{}", "xy{}", '{{"secret": "{}"}}', "trader:{}"])
def test_a_secret_is_found_however_it_is_written(text: str) -> None:
    for secret in (KEY_ID, SECRET):
        plain = text.format(secret)
        assert is_told(plain)
        assert is_told(base64.b64encode(plain.encode()))
        assert is_told(plain.encode().hex())
        assert is_told(plain.encode("utf-16-le"))
    assert not is_told(text.format("PKSOMEBODYELSES"))
    assert len(written_forms(SECRET)) == 7
