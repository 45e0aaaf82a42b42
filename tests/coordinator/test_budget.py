"""The account's requests a minute: never too many, whoever sends them, and exits always get out."""

from __future__ import annotations

import fcntl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.shell.budget import BUSY_S, STUCK_S, RequestBudget, Urgency

EXIT, ENTRY, QUESTION = Urgency
ROOT = Path(__file__).parents[2]
WINDOW_S = 61.0
"""A minute, and the second by which requests may come in closer together than they went out."""


class Ticking:
    """Local time, and the wall's clock beside it, which a test moves."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def epoch_s(self) -> float:
        return 1_800_000_000.0 + self.now_s


def budget(path: Path, clock: Ticking, *, speed: float = 1.0, limit: int = 200) -> RequestBudget:
    return RequestBudget(path, speed=speed, limit=limit, monotonic=clock, epoch_s=clock.epoch_s)


def sent(one: RequestBudget, urgency: Urgency) -> int:
    """How many requests of an urgency go out before one must wait."""
    count = 0
    while one.wait_s(urgency) == 0:
        count += 1
    return count


def most_within(stamps: Sequence[float], window_s: float) -> int:
    """The largest number of moments in any half-open window."""
    times = sorted(stamps)
    return max((sum(t <= s < t + window_s for s in times) for t in times), default=0)


@pytest.mark.parametrize(
    ("limit", "questions", "entries", "exits"),
    [(200, 150, 180, 200), (40, 30, 36, 40), (10, 8, 9, 10), (1, 1, 1, 1)],
)
def test_entries_leave_some_of_the_limit_to_exits_and_questions_leave_more(
    limit: int, questions: int, entries: int, exits: int
) -> None:
    assert [u.share(limit) for u in (QUESTION, ENTRY, EXIT)] == [questions, entries, exits]


def test_exits_get_through_when_questions_and_entries_have_used_up_theirs(tmp_path: Path) -> None:
    clock = Ticking()
    one, other = budget(tmp_path / "a", clock), budget(tmp_path / "a", clock)
    assert sent(one, QUESTION) == 150
    assert sent(other, QUESTION) == 0
    assert sent(other, ENTRY) == 30
    assert sent(one, ENTRY) == 0
    assert sent(other, EXIT) == 20
    assert one.wait_s(EXIT) == WINDOW_S


@pytest.mark.parametrize("speed", [1.0, 4.0, 600.0])
def test_the_wait_ends_when_the_oldest_request_leaves_the_window_of_broker_time(
    tmp_path: Path, speed: float
) -> None:
    clock = Ticking()
    one = budget(tmp_path / "a", clock, speed=speed, limit=2)
    assert one.wait_s(EXIT) == 0
    clock.now_s += 20 / speed
    assert one.wait_s(EXIT) == 0
    assert one.wait_s(EXIT) == pytest.approx(41 / speed)
    clock.now_s += 41 / speed + 1e-6
    assert one.wait_s(EXIT) == 0
    assert one.wait_s(EXIT) == pytest.approx(20 / speed, abs=1e-5)


Step = tuple[int, float, Urgency | None]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([0.0, 0.0, 0.0, 0.3, 5.0, 30.0, 59.9, 60.0]),
        st.sampled_from([EXIT, ENTRY, QUESTION, None]),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([1.0, 6.0, 600.0]))
def test_however_processes_take_turns_no_minute_has_more_than_the_limit(
    steps: list[Step], speed: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, clock, limit = Path(folder) / "a", Ticking(), 5
        ones = [budget(path, clock, speed=speed, limit=limit) for _ in range(3)]
        out: list[float] = []
        for who, later_s, urgency in steps:
            clock.now_s += later_s / speed
            if urgency is None:  # it dies, and another takes its place
                ones[who] = budget(path, clock, speed=speed, limit=limit)
            elif ones[who].wait_s(urgency) == 0:
                out.append(clock.now_s)
    assert most_within(out, 60 / speed) <= limit


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from(Urgency)), max_size=60))
def test_who_waits_as_long_as_told_may_send(steps: list[tuple[float, Urgency]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = Ticking()
        one = budget(Path(folder) / "a", clock, limit=8)
        for later_s, urgency in steps:
            clock.now_s += later_s
            wait_s = one.wait_s(urgency)
            if wait_s:
                assert wait_s <= WINDOW_S
                clock.now_s += wait_s + 1e-6
                assert one.wait_s(urgency) == 0


def test_what_was_sent_before_the_machine_started_anew_has_expired(tmp_path: Path) -> None:
    before, after = Ticking(5_000_000.0), Ticking(30.0)
    old = budget(tmp_path / "a", before)
    assert sent(old, EXIT) == 200
    old.on_answer(429, {"Retry-After": "60"})
    assert sent(budget(tmp_path / "a", after), QUESTION) == 150


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "all but a byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "something else": lambda _: b'{"not": "ours"}' * 100,
    "a bit": lambda data: bytes([*data[:60], data[60] ^ 4, *data[61:]]),
    "a number too large": lambda data: data[:8] + b"\xff" * 8 + data[16:],
    "an endless count": lambda data: data[:8] + b"\0\0\0\0\0\0\xf0\x7f" + data[16:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_replaced_and_nobody_sends_more_for_it(
    tmp_path: Path, damage: str
) -> None:
    path, clock = tmp_path / "a", Ticking()
    one = budget(path, clock, limit=10)
    assert sent(one, EXIT) == 10
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert one.wait_s(EXIT) == WINDOW_S
    assert budget(path, clock, limit=10).wait_s(EXIT) == WINDOW_S


def test_a_shorter_log_leaves_nothing_behind_that_matters(tmp_path: Path) -> None:
    path, later = tmp_path / "a", Ticking(10_000.0)
    assert sent(budget(path, later), EXIT) == 200
    assert sent(budget(path, Ticking(10.0)), EXIT) == 200
    assert budget(path, Ticking(10.0)).wait_s(EXIT) > 0


def test_where_no_file_can_be_each_process_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "folder").write_text("a file where the folder should be")
    one = budget(tmp_path / "folder" / "a", Ticking(), limit=10)
    assert sent(one, EXIT) == 10
    assert caplog.text.count("counted for this process alone") == 1


def test_nobody_else_can_read_or_write_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "a"
    budget(path, Ticking()).wait_s(EXIT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Reset": "1800001012"}, 12),
        ({"retry-after": "7", "x-ratelimit-reset": "1800001012"}, 7),
        ({}, WINDOW_S),
        ({"Retry-After": "86400"}, WINDOW_S),
        ({"Retry-After": "inf"}, WINDOW_S),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, WINDOW_S),
        ({"Retry-After": "-5"}, WINDOW_S),
        ({"X-RateLimit-Reset": "1799999999"}, WINDOW_S),
        ({"X-RateLimit-Reset": "1800001000.2"}, 1),
    ],
)
def test_after_a_429_nothing_but_exits_goes_out_until_the_broker_says(
    tmp_path: Path, headers: dict[str, str], wait_s: float
) -> None:
    clock = Ticking()
    one, other = budget(tmp_path / "a", clock), budget(tmp_path / "a", clock)
    one.on_answer(429, headers)
    assert other.wait_s(QUESTION) == pytest.approx(wait_s)
    assert other.wait_s(ENTRY) == pytest.approx(wait_s)
    assert other.wait_s(EXIT) == 0
    clock.now_s += wait_s + 1e-6
    assert one.wait_s(QUESTION) == 0


def test_a_smaller_limit_is_learned_for_everybody_and_a_larger_one_is_not(tmp_path: Path) -> None:
    clock = Ticking()
    one, other = budget(tmp_path / "a", clock), budget(tmp_path / "a", clock)
    one.on_answer(200, {"X-RateLimit-Limit": "40"})
    assert (sent(other, QUESTION), sent(other, EXIT)) == (30, 10)
    one.on_answer(200, {"X-RateLimit-Limit": "10000"})
    assert sent(other, EXIT) == 160
    for strange in ("0", "-3", "nan", "many"):
        one.on_answer(200, {"X-RateLimit-Limit": strange})
    clock.now_s += 70
    assert sent(other, EXIT) == 200


def test_a_plan_may_teach_a_larger_limit_where_that_is_allowed(tmp_path: Path) -> None:
    one = RequestBudget(tmp_path / "a", most=1000, monotonic=Ticking())
    assert sent(one, EXIT) == 200
    one.on_answer(200, {"X-RateLimit-Limit": "10000"})
    assert sent(one, EXIT) == 800


def test_requests_of_other_programs_count_as_the_broker_tells_them(tmp_path: Path) -> None:
    clock = Ticking()
    one = budget(tmp_path / "a", clock)
    told = {"X-RateLimit-Limit": "200", "X-RateLimit-Reset": "1800001020"}
    assert one.wait_s(QUESTION) == 0
    one.on_answer(200, told | {"X-RateLimit-Remaining": "53"})
    assert sent(one, QUESTION) == 3
    assert one.wait_s(QUESTION) == pytest.approx(20)
    assert sent(one, ENTRY) == 30
    clock.now_s += 20.5
    assert one.wait_s(QUESTION) == 0


def test_a_file_that_another_process_holds_is_tried_again_soon_and_not_for_ever(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "a", Ticking()
    one = budget(path, clock)
    one.wait_s(EXIT)
    with path.open("rb") as stopped_inside:
        fcntl.flock(stopped_inside, fcntl.LOCK_EX)
        assert one.wait_s(EXIT) == BUSY_S
        one.on_answer(429, {"Retry-After": "30"})
        clock.now_s += STUCK_S
        assert one.wait_s(EXIT) == 0
    assert one.wait_s(QUESTION) == 30, "what was heard meanwhile is not forgotten"


def test_a_process_that_is_killed_inside_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "a"
    hold = "import fcntl, sys; f = open(sys.argv[1], 'rb'); fcntl.flock(f, 2); print(flush=True)"
    one = budget(path, Ticking())
    one.wait_s(EXIT)
    process = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; sys.stdin.read()", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert one.wait_s(EXIT) == BUSY_S
    process.kill()
    process.communicate()
    assert one.wait_s(EXIT) == 0


HAMMER = """
import sys, time
from pathlib import Path
from coordinator.shell.budget import RequestBudget, Urgency
stamp = 0.0
def monotonic():
    global stamp
    stamp = time.monotonic()
    return stamp
budget = RequestBudget(Path(sys.argv[1]), speed=60, monotonic=monotonic)
end = time.monotonic() + float(sys.argv[2])
number = 0
while time.monotonic() < end:
    urgency = Urgency(number % 3)
    number += 1
    if budget.wait_s(urgency) == 0:
        sys.stdout.write(f"{urgency.value} {stamp!r}\\n")
        sys.stdout.flush()
"""


@pytest.mark.slow
def test_processes_that_hammer_one_file_and_are_killed_never_send_too_much(tmp_path: Path) -> None:
    path, window_s = tmp_path / "a", 1.0

    def hammer(seconds: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", HAMMER, path, str(seconds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)

    steady, killed = [hammer(5), hammer(5)], [hammer(60) for _ in range(6)]
    for process in killed:
        time.sleep(0.7)
        process.kill()
    lines = [process.communicate()[0] for process in (*steady, *killed)]
    words = [line.split() for text in lines for line in text.decode().splitlines()]
    whole = [(int(word[0]), float(word[1])) for word in words if len(word) == 2]
    stamps = [stamp for _, stamp in whole]
    assert len(stamps) > 600, "the budget was used up again and again"
    assert most_within(stamps, window_s) <= 200
    assert most_within([s for urgency, s in whole if urgency != EXIT], window_s) <= 180
