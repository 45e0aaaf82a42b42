"""The control socket is its user's alone, and nobody at it can hurt the session that trades."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from coordinator.shell import control_socket
from coordinator.shell.control_protocol import (
    MOST_REQUEST_BYTES,
    Reply,
    address_file,
    guarded,
    socket_path,
)
from coordinator.shell.control_socket import MOST_AT_ONCE, MOST_PER_S
from tests.coordinator.at_the_door import Door, at_the_door, kept

GARBAGE = [
    pytest.param(b"\n", id="nothing"),
    pytest.param(b"\x00\xff\xfe\n", id="bytes"),
    pytest.param(b"{}\n", id="empty"),
    pytest.param(b"[]\n", id="a list"),
    pytest.param(b"null\n", id="null"),
    pytest.param(b"[" * 4000 + b"\n", id="nested"),
    pytest.param(b'{"do":"pause","by":"x"}\n', id="no strategy"),
    pytest.param(b'{"do":"kill","by":"x","strategy":"A"}\n', id="a strategy too many"),
    pytest.param(b'{"do":"pause","by":"","strategy":"A"}\n', id="by nobody"),
    pytest.param(b'{"do":"pause","by":"x\\ny","strategy":"A"}\n', id="a line in a name"),
    pytest.param(b'{"do":"pause","by":"' + b"x" * 101 + b'","strategy":"A"}\n', id="long name"),
    pytest.param(b'{"do":"pause","by":"x","strategy":"../A"}\n', id="a path"),
    pytest.param(b'{"do":"pause","by":"x","strategy":"A\\n"}\n', id="a line's end"),
    pytest.param(b'{"do":"pause","by":"x","strategy":["A"]}\n', id="a list of strategies"),
    pytest.param(b'{"do":"buy","by":"x"}\n', id="an unknown wish"),
    pytest.param(b'{"do":"pause","by":"x","strategy":"A","at":1}\n', id="an unknown field"),
    pytest.param(b'{"do":1,"by":"x"}\n', id="a number"),
]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_socket_is_600_in_a_folder_of_700_whatever_the_umask(short_path: Path) -> None:
    before = os.umask(0)
    try:

        async def story(door: Door) -> None:
            path = door.address.socket
            assert stat.S_ISSOCK(path.lstat().st_mode)
            assert [mode(p) for p in (path, path.with_suffix(".json"))] == [0o600, 0o600]
            assert mode(path.parent) == 0o700

        at_the_door(short_path, story)
    finally:
        os.umask(before)


def test_a_folder_that_others_could_enter_is_closed_before_the_socket_is_in_it(
    short_path: Path,
) -> None:
    folder = short_path / "PA1" / "control"
    folder.mkdir(parents=True)
    folder.chmod(0o777)

    async def story(door: Door) -> None:
        assert mode(door.address.socket.parent) == 0o700

    at_the_door(short_path, story)


def test_a_folder_that_only_leads_elsewhere_is_not_used(short_path: Path) -> None:
    (short_path / "real").mkdir()
    (short_path / "link").symlink_to(short_path / "real")
    with pytest.raises(PermissionError):
        guarded(short_path / "link")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_folder_of_another_user_is_not_used(short_path: Path) -> None:
    os.chown(short_path, 12345, 12345)
    with pytest.raises(PermissionError, match="not a folder of this user"):
        guarded(short_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_who_reaches_the_socket_is_not_heard(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket.os, "getuid", lambda: 12345)
    monkeypatch.setattr(control_socket, "guarded", lambda folder: folder)

    async def story(door: Door) -> None:
        assert await door.say(b'{"do":"kill","by":"mallory"}\n') == b""
        assert not door.desk.bench.books.halts.killed

    (short_path / "PA1" / "control").mkdir(parents=True)
    at_the_door(short_path, story)


@pytest.mark.parametrize("raw", GARBAGE)
def test_garbage_is_refused_in_a_sentence_and_changes_nothing(short_path: Path, raw: bytes) -> None:
    async def story(door: Door) -> None:
        reply = json.loads(await door.say(raw))
        assert not reply["done"]
        assert reply["said"].startswith("Not understood")
        assert len(reply["said"]) < 500
        assert (await door.ask("status")).done
        assert kept(door.account) == []

    at_the_door(short_path, story)


@pytest.mark.parametrize("size", [MOST_REQUEST_BYTES + 1, 1_000_000])
def test_a_request_that_is_too_long_is_hung_up_on(short_path: Path, size: int) -> None:
    async def story(door: Door) -> None:
        assert await door.say(b"x" * size + b"\n") == b""
        assert (await door.ask("status")).done

    at_the_door(short_path, story)


def test_whoever_hangs_up_or_says_half_hurts_nobody(short_path: Path) -> None:
    async def story(door: Door) -> None:
        for raw in (b"", b'{"do":"kill","by'):
            await door.say(raw, ends=True)
        _, writer = await asyncio.open_unix_connection(door.address.socket)
        writer.write(b'{"do":"pause","by":"x","strategy":"A"}\n')
        writer.transport.abort()
        assert (await door.ask("status")).done

    at_the_door(short_path, story)


def test_whoever_says_nothing_is_not_waited_for(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "ASK_S", 0.05)

    async def story(door: Door) -> None:
        silent = [await asyncio.open_unix_connection(door.address.socket) for _ in range(12)]
        assert (await door.ask("status")).done
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()

    at_the_door(short_path, story)


FLOOD = """
import socket, sys, time
until, hits = time.monotonic() + 1.0, 0
while time.monotonic() < until:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(0.2)
        try:
            one.connect(sys.argv[1])
            one.sendall(b'{"do":"status","by":"x"}\\n')
            hits += 1
        except OSError:
            pass
"""


@pytest.mark.thorough
def test_of_a_flood_only_so_much_is_heard_in_a_second_and_the_user_is_answered_amid_it(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    answer = control_socket._Server._answer

    async def counted(server: control_socket._Server, asked: bytes) -> Reply:
        heard.append(asked)
        return await answer(server, asked)

    monkeypatch.setattr(control_socket._Server, "_answer", counted)

    async def story(door: Door) -> None:
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, str(door.address.socket)
        )
        begun_s, seen = time.monotonic(), len(heard)
        while flood.returncode is None:
            assert (await door.ask("status")).done
        most = MOST_PER_S * (time.monotonic() - begun_s) + MOST_AT_ONCE
        assert 0 < len(heard) - seen <= most

    at_the_door(short_path, story)


def test_what_is_no_socket_is_not_taken_away_for_one(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = socket_path(address_file(short_path / "PA1", "bench"), {})
    path.parent.mkdir(parents=True)
    path.write_text("precious")

    async def story(door: Door) -> None:
        assert path.read_text() == "precious"

    at_the_door(short_path, story, {})
    assert "no control socket" in caplog.text
    assert path.read_text() == "precious"


def test_it_listens_in_the_file_system_and_on_no_port(short_path: Path) -> None:
    async def story(door: Door) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(door.address.socket))
            assert one.family is socket.AF_UNIX
            assert one.getpeername() == str(door.address.socket)

    at_the_door(short_path, story)
