"""A session that trades is asked over its socket, and says what became of it once it is durable."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from coordinator.commands.accounts import Operator
from coordinator.commands.kill import kill
from coordinator.commands.reload import ReloadClient
from coordinator.commands.running import RunningCoordinators
from coordinator.core import records as r
from coordinator.core.messages import Reload
from coordinator.errors import OperatorError
from coordinator.shell import control_socket
from coordinator.shell.control_client import NoAnswer, ask
from coordinator.shell.control_protocol import (
    LONGEST_PATH,
    Address,
    Reply,
    Request,
    address_file,
    addresses,
    line,
    socket_path,
)
from tests.coordinator.at_the_door import BY, Door, at_the_door, kept
from tests.coordinator.bench import order_id
from tests.coordinator.test_readers import paper
from tests.simulator.clients import until

STATUS = Request(do="status", by=BY)


def test_what_is_asked_is_in_the_journal_when_the_answer_comes(short_path: Path) -> None:
    async def story(door: Door) -> None:
        reply = await door.ask("pause", "A")
        assert reply.done
        assert reply.said.startswith("A is paused")
        [paused] = [record for record in kept(door.account) if isinstance(record, r.Paused)]
        assert (paused.strategy, paused.by) == ("A", BY)

    at_the_door(short_path, story)


def test_each_request_does_what_it_says(short_path: Path) -> None:
    async def story(door: Door) -> None:
        for do, strategy, kind in [
            ("pause", "A", r.Paused),
            ("resume", "A", r.Resumed),
            ("flatten", "A", r.FlattenRequested),
            ("kill", "", r.Killed),
        ]:
            assert (await door.ask(do, strategy)).done
            assert isinstance(kept(door.account)[-1 if do != "flatten" else -2], kind)
        refused = await door.ask("revive")
        assert not refused.done
        assert order_id("A") in refused.said

    at_the_door(short_path, story)


def test_the_command_kill_reaches_a_session_before_it_looks_at_its_journal_again(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        door.desk.live._journal.append("s1", list(paper(door.desk.bench.records)))
        door.desk.live._look_around = lambda: None  # type: ignore[method-assign]
        operator = Operator(short_path, {}, BY, lambda _: None, leases_folder=short_path / "l")
        [left] = await asyncio.to_thread(kill, operator, wait_s=0.0)
        assert left.orders == (order_id("A"),)
        assert door.desk.bench.books.halts.killed
        asked = [type(x) for x in kept(door.account)]
        assert asked.count(r.Killed) == 1, "the journal is the truth, the socket only quicker"
        assert r.CancelRequested in asked

    at_the_door(short_path, story)


def test_a_reload_after_the_session_was_told_to_stop_changes_nothing_and_says_so(
    short_path: Path,
) -> None:
    def complete(_: datetime) -> Reload:
        raise AssertionError("nothing is to be reloaded")

    async def story(door: Door) -> None:
        door.desk.live.request_stop()
        answer = await door.desk.live.clerk.reload(complete)
        assert (answer.done, answer.said) == (False, "Nothing was changed: the session ends.")
        door.desk.local_s += 100  # for which open orders are waited for

    at_the_door(short_path, story)


def test_a_strategy_that_is_not_here_is_refused_and_those_that_are_are_named(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        reply = await door.ask("flatten", "Alfa")
        assert not reply.done
        assert "there are: A" in reply.said
        assert kept(door.account) == []

    at_the_door(short_path, story)


def test_a_status_is_the_session_as_it_stands(short_path: Path) -> None:
    async def story(door: Door) -> None:
        await door.ask("pause", "A")
        reply = await door.ask("status")
        assert reply.status == door.desk.live.clerk.view()
        assert reply.status is not None
        assert [s.halted for s in reply.status.strategies] == ["paused"]

    at_the_door(short_path, story)


def test_many_ask_at_once_and_each_is_answered(short_path: Path) -> None:
    async def story(door: Door) -> None:
        asked = [door.ask(*what) for what in [("pause", "A"), ("resume", "A"), ("status",)] * 10]
        assert all(reply.done for reply in await asyncio.gather(*asked))

    at_the_door(short_path, story)


def test_while_somebody_says_nothing_others_are_answered(short_path: Path) -> None:
    async def story(door: Door) -> None:
        silent = [await asyncio.open_unix_connection(door.address.socket) for _ in range(5)]
        assert (await door.ask("status")).done
        for _, writer in silent:
            writer.close()

    at_the_door(short_path, story)


def test_the_socket_and_its_address_are_gone_when_the_session_is(short_path: Path) -> None:
    left: list[Address] = []

    async def story(door: Door) -> None:
        left.append(door.address)

    at_the_door(short_path, story)
    assert list((short_path / "PA1" / "control").iterdir()) == []
    assert ask(left[0], STATUS) is None


def test_whoever_waits_when_the_session_ends_is_told(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as waiting:

        async def story(door: Door) -> None:
            waiting.connect(str(door.address.socket))
            waiting.send(b'{"do":')
            assert (await door.ask("status")).done

        at_the_door(short_path, story)
        assert "has ended" in Reply.model_validate_json(waiting.recv(4096)).said


def test_a_session_that_does_not_get_to_a_request_says_so_and_may_still_do_it(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "ANSWER_S", 0.1)

    async def story(door: Door) -> None:
        inbox = door.desk.live._inbox
        with monkeypatch.context() as busy:
            busy.setattr(inbox, "wake", lambda: None)  # the loop sleeps over what is put in
            reply = await door.ask("pause", "A")
            assert not reply.done
            assert reply.said.startswith("Not answered within")
        inbox.wake()
        await until(lambda: any(isinstance(one, r.Paused) for one in kept(door.account)))

    at_the_door(short_path, story)


def test_the_socket_of_a_process_that_died_is_replaced(short_path: Path) -> None:
    file = address_file(short_path / "PA1", "bench")
    file.parent.mkdir(parents=True, mode=0o700)
    path = socket_path(file, {})
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    file.write_bytes(line(Address(coordinator="bench", socket=path)))
    assert ask(next(addresses(short_path / "PA1")), STATUS) is None

    async def story(door: Door) -> None:
        assert (await door.ask("status")).done

    at_the_door(short_path, story)


@contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    """Every file descriptor of this process is in use meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        first = os.open(os.devnull, os.O_RDONLY)
        opened.callback(os.close, first)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        yield


def test_a_session_that_was_out_of_file_descriptors_can_be_asked_again(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control_socket, "RETRY_S", 0.01)

    async def story(door: Door) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            path = str(door.address.socket)
            with no_file_can_be_opened():
                client.connect(path)
                await until(lambda: "accepts nobody for now" in caplog.text)
        assert (await door.ask("status")).done

    at_the_door(short_path, story)


def test_a_path_too_long_for_a_socket_is_kept_short_elsewhere_and_the_address_says_where(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setenv("HOME", short)

        async def story(door: Door) -> None:
            assert len(str(door.address.socket)) <= LONGEST_PATH
            assert door.address.socket.parent == Path(short, ".multi-trader", "run")
            assert (await door.ask("status")).done

        at_the_door(short_path / ("long" * 30), story, {})


def test_where_no_socket_can_lie_the_session_trades_without_one_and_says_so(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(short_path / ("deep" * 30)))

    async def story(door: Door) -> None:
        assert list(addresses(door.account)) == []

    at_the_door(short_path / ("long" * 30), story, {})
    assert "no control socket" in caplog.text
    assert "journal" in caplog.text


def test_the_users_runtime_folder_is_taken_where_there_is_one(short_path: Path) -> None:
    file = address_file(short_path / ("long" * 30), "bench")
    with tempfile.TemporaryDirectory() as given:
        runtime = Path(given)
        assert socket_path(file, {"XDG_RUNTIME_DIR": given}).parent == runtime / "multi-trader"
    assert not socket_path(file, {"XDG_RUNTIME_DIR": given}).is_relative_to(runtime)


def test_two_coordinators_of_an_account_have_a_socket_each(short_path: Path) -> None:
    files = {address_file(short_path, name) for name in ("stocks", "crypto", "Stocks")}
    assert len({socket_path(file, {}) for file in files}) == 3


def test_a_reload_that_two_coordinators_could_be_meant_by_is_refused_and_both_are_named(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        other = Address(coordinator="crypto", socket=door.address.socket)
        address_file(door.account, "crypto").write_bytes(line(other))
        client = ReloadClient(RunningCoordinators(short_path), BY)
        both = r"--account PA1 --coordinator bench; --account PA1 --coordinator crypto"
        with pytest.raises(OperatorError, match=both):
            await asyncio.to_thread(client.show)

    at_the_door(short_path, story)


@pytest.mark.parametrize("text", [b"", b"not json\n", b'{"done": 1}\n', b'{"done": true}'])
def test_an_answer_that_makes_no_sense_is_none_and_says_to_look(
    short_path: Path, text: bytes
) -> None:
    path = short_path / "s"

    async def play() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(text)
            writer.close()

        async with await asyncio.start_unix_server(answer, path):
            with pytest.raises(NoAnswer, match="multi-trader status"):
                await asyncio.to_thread(ask, Address(coordinator="c", socket=path), STATUS)

    asyncio.run(play())


def test_an_answer_that_does_not_come_is_waited_for_only_so_long(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(short_path / "s"))
        door.listen()
        with pytest.raises(NoAnswer, match="c was asked to status"):
            ask(Address(coordinator="c", socket=short_path / "s"), STATUS, patience_s=0.1)


def test_a_reply_keeps_every_digit(short_path: Path) -> None:
    async def story(door: Door) -> None:
        raw = await door.say(line(STATUS))
        shown = json.loads(raw)["status"]["strategies"][0]
        view = door.desk.live.clerk.view().strategies[0]
        assert shown["cash"] == str(view.cash)
        assert Reply.model_validate_json(raw).status == door.desk.live.clerk.view()

    at_the_door(short_path, story)
