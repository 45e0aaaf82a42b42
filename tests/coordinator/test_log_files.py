"""Log files: a line of JSON for each line of the log, where it belongs, in bounded space."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core.orders import OrderStatus
from coordinator.shell import log_files as files
from coordinator.shell.log_files import About, log_files
from coordinator.shell.narrator import Narrator
from tests.coordinator.bench import Bench, order_id, spec

log = logging.getLogger("coordinator")
MAIN = "stocks.jsonl"


@pytest.fixture(autouse=True)
def _speaks() -> Iterator[None]:
    before = log.level
    log.setLevel(logging.INFO)
    yield
    log.setLevel(before)


def lines(folder: Path, name: str = MAIN) -> list[dict[str, Any]]:
    """What stands in a file of the account PA1."""
    return [json.loads(line) for line in (folder / "PA1" / "logs" / name).read_text().splitlines()]


def of(folder: Path, strategy: str) -> list[str]:
    """The messages in a strategy's file."""
    return [line["message"] for line in lines(folder, f"strategies/{strategy}.jsonl")]


def test_a_line_goes_to_the_coordinators_file_and_to_its_strategys(tmp_path: Path) -> None:
    with log_files(tmp_path, "stocks", ["A", "B"]) as written:
        log.info("Starting", extra=About(session="s1"))
        written.begin("PA1")
        log.info("[A] paused by daniel")
        log.warning("sold", extra=About(strategy="B", ticker="SPY", order_id="B.2026-03-17.1"))
        log.info("[orders] connected")
        log.info("=" * 80)
        log.debug("not heard")
    assert [line["message"] for line in lines(tmp_path)] == [
        "Starting",
        "[A] paused by daniel",
        "sold",
        "[orders] connected",
    ]
    assert of(tmp_path, "A") == ["[A] paused by daniel"]
    [sold] = lines(tmp_path, "strategies/B.jsonl")
    assert sold.pop("at").endswith("+00:00")
    assert sold == {
        "level": "WARNING",
        "message": "sold",
        "account": "PA1",
        "coordinator": "stocks",
        "session": "s1",
        "strategy": "B",
        "ticker": "SPY",
        "order_id": "B.2026-03-17.1",
        "logger": "coordinator",
    }
    assert "strategy" not in lines(tmp_path)[3], "a stream is no strategy"


def test_the_history_of_an_order_is_found_as_the_guide_shows_it(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "watching.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^grep .*$", guide, re.MULTILINE)
    ours = "SPY_Adaptive.2026-03-17.1"
    with log_files(tmp_path / "state", "stocks", ["SPY_Adaptive"]) as written:
        written.begin("PA1")
        for number, words in ((ours, "bought"), (f"{ours}0", "another"), (ours, "sold")):
            log.info(words, extra=About(strategy="SPY_Adaptive", ticker="SPY", order_id=number))
    found = subprocess.run(  # noqa: S602  the guide's own words
        shown, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [json.loads(line)["message"] for line in found.stdout.splitlines()] == ["bought", "sold"]


def test_what_the_broker_reports_has_its_order_and_its_ticker(tmp_path: Path) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 0): 1}, max_daily_trades=1))
    narrator = Narrator(bench.books, bench.specs)
    with log_files(tmp_path, "stocks", ["A"]) as written:
        written.begin("PA1")
        narrator.banner(paper=True)
        narrator.tell(bench.minute(0, {"SPY": "100", "QQQ": "100"}).records)
        narrator.tell(bench.fill(bench.order("A")).records)
    told = {
        (line.get("ticker"), line.get("order_id"), line["session"])
        for line in lines(tmp_path, "strategies/A.jsonl")
        if "ticker" in line
    }
    session = bench.name.session_id
    assert told == {("SPY", order_id("A"), session), ("QQQ", order_id("A", 2), session)}


def test_nothing_is_written_before_the_account_is_known(tmp_path: Path) -> None:
    with log_files(tmp_path, "stocks", ["A"]):
        log.info("refused at the door")
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_are_their_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with log_files(tmp_path / "s", "stocks", ["A"]) as written:
            written.begin("PA1")
            log.info("[A] a line")
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "s").rglob("*")}
    assert modes == {
        "PA1": 0o700,
        "logs": 0o700,
        "strategies": 0o700,
        MAIN: 0o600,
        "A.jsonl": 0o600,
    }


def test_files_are_put_aside_when_they_are_full_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 10_000)
    monkeypatch.setattr(files, "STRATEGY_BYTES", 2_000)
    with log_files(tmp_path, "stocks", ["A"]) as written:
        written.begin("PA1")
        for number in range(1_000):
            log.info("[A] line %d", number)
    kept = {p.name: p.stat() for p in (tmp_path / "PA1" / "logs").rglob("*.jsonl*")}
    ours = [f"{MAIN}{end}" for end in ("", ".1", ".2", ".3", ".4")]
    assert set(kept) == {*ours, "A.jsonl", "A.jsonl.1"}
    assert all(found.st_size <= 10_000 for found in kept.values())
    assert all(stat.S_IMODE(found.st_mode) == 0o600 for found in kept.values())
    assert of(tmp_path, "A")[-1] == "[A] line 999"


def test_two_hundred_strategies_keep_few_files_open(tmp_path: Path) -> None:
    names = [f"s{n}" for n in range(200)]
    with log_files(tmp_path, "stocks", names) as written:
        written.begin("PA1")
        for _ in range(2):
            for name in names:
                log.info("[%s] a line", name)
        while not written._lines.empty():
            threading.Event().wait(0.01)
        links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        open_now = [link for link in links if link.startswith(str(tmp_path))]
        assert 0 < len(open_now) <= files.MOST_OPEN + 1
    assert all(of(tmp_path, name) == [f"[{name}] a line"] * 2 for name in names)


def test_a_disk_that_hangs_costs_lines_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_WAITING", 10)
    hangs, goes_on = threading.Event(), threading.Event()
    write = files._Files.write

    def slow(self: files._Files, record: logging.LogRecord) -> None:
        hangs.set()
        goes_on.wait()
        write(self, record)

    monkeypatch.setattr(files._Files, "write", slow)
    with log_files(tmp_path, "stocks", ["A"]) as written:
        written.begin("PA1")
        log.info("line 0")
        hangs.wait()
        for number in range(1, 31):
            log.info("line %d", number)  # returns, though nobody writes
        assert written.lost == 20
        goes_on.set()
    told = [line["message"] for line in lines(tmp_path)]
    assert told[:11] == [f"line {n}" for n in range(11)]
    assert told[-1] == "20 log lines found no room and are not in these files"


def test_a_folder_that_cannot_be_written_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "PA1").write_text("no folder")
    with log_files(tmp_path, "stocks", ["A", "B"]) as written:
        written.begin("PA1")
        for name in "ABAB":
            log.info("[%s] a line", name)
    assert caplog.text.count("cannot be written") == 1


def test_a_line_is_cut_and_keeps_its_signs(tmp_path: Path) -> None:
    with log_files(tmp_path, "stocks", []) as written:
        written.begin("PA1")
        log.info("🟢 %s", "x" * 20_000)
    [line] = lines(tmp_path)
    assert line["message"].startswith("🟢 x")
    assert len(line["message"]) == files.LONGEST


def test_an_orders_end_without_a_fill_names_the_order(tmp_path: Path) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"})
    refused = m.SubmitRefused(order_id("A"), bench.now, "no")
    with log_files(tmp_path, "stocks", ["A"]) as written:
        written.begin("PA1")
        Narrator(bench.books, bench.specs).tell(bench.handle(refused).records)
    assert bench.order("A").status is OrderStatus.REJECTED
    assert [line["order_id"] for line in lines(tmp_path, "strategies/A.jsonl")] == [order_id("A")]


def test_files_on_a_full_disk_are_closed_and_the_others_go_on(tmp_path: Path) -> None:
    names = [f"S{number}" for number in range(files.MOST_OPEN + 2)]
    folder = tmp_path / "PA1" / "logs" / "strategies"
    folder.mkdir(parents=True)
    (folder / "S0.jsonl").symlink_to("/dev/full")
    with log_files(tmp_path, "stocks", names) as written:
        written.begin("PA1")
        for name in names:
            log.info("[%s] trades", name)
    assert of(tmp_path, names[-1]) == [f"[{names[-1]}] trades"]
