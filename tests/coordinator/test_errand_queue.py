"""Errands in line for one worker: exits first, entries never late, no order before its own end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.shell.budget import Urgency
from coordinator.shell.errand_queue import Errand, ErrandQueue
from coordinator.shell.inbox import Inbox
from coordinator.shell.pace import NotYet
from coordinator.shell.workers import Threads

EXIT, ENTRY = Urgency.EXIT, Urgency.ENTRY
NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
Work = Callable[[], Any]


class ByHand:
    """A worker whose work is done when a test says so: one piece at a time, as promised."""

    def __init__(self) -> None:
        self.stopped = False
        self._piece: tuple[Work, Callable[[Any], None], Callable[[Any], None]] | None = None

    def submit(
        self,
        work: Work,
        deliver: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Keep the piece; the line must not hand in another meanwhile."""
        assert self._piece is None
        assert not self.stopped
        self._piece = work, deliver, failed

    async def stop(self) -> None:
        """Do what is under way."""
        self.stopped = True
        self.do()

    def do(self) -> bool:
        """Do the piece that was handed in, if there is one."""
        if self._piece is None:
            return False
        (work, deliver, failed), self._piece = self._piece, None
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            deliver(result)
        return True


@dataclass
class Desk:
    """A line, what was sent through it, and what came back of it."""

    now_s: float = 100.0
    sent: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    refusals: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.worker = ByHand()
        self.line = ErrandQueue(self.worker, lambda: self.now_s, lambda: None)

    def submit(self, name: str, urgency: Urgency, deadline_s: float = float("inf")) -> None:
        """Put an order in line; its broker refuses it NotYet as often as `refusals` says."""
        self.line.add(
            Errand(
                urgency,
                name,
                lambda: self._send(f"submit {name}", name),
                self._deliver,
                unsent=lambda: [m.OrderAbsent(f"{name} absent", NOW)],
                deadline_s=deadline_s,
            )
        )

    def cancel(self, name: str) -> None:
        """Put a cancellation in line."""
        work = lambda: self._send(f"cancel {name}", "")  # noqa: E731
        self.line.add(Errand(EXIT, name, work, self._deliver, cancels=True))

    def work_off(self) -> list[str]:
        """Do all that can be done now; what was sent so far."""
        while self.worker.do():
            pass
        return self.sent

    def _send(self, what: str, name: str) -> list[m.Message]:
        waits_s = self.refusals.get(name, [])
        if waits_s:
            raise NotYet(waits_s.pop(0))
        self.sent.append(what)
        return [m.OrderAbsent(f"{what} done", NOW)]

    def _deliver(self, messages: Iterable[m.Message]) -> None:
        self.back += [x.client_order_id for x in messages if isinstance(x, m.OrderAbsent)]


def test_exits_overtake_the_entries_that_wait_and_each_kind_keeps_its_order() -> None:
    desk = Desk()
    for name in ("A1", "A2"):
        desk.submit(name, ENTRY)
    desk.submit("A3", EXIT)
    desk.cancel("A0")
    desk.submit("A4", EXIT)
    assert desk.work_off() == ["submit A1", "submit A3", "cancel A0", "submit A4", "submit A2"]
    assert desk.back == [f"{what} done" for what in desk.sent]
    assert desk.line.due_s is None


def test_an_entry_that_the_budget_holds_back_lets_exits_pass_and_keeps_its_place() -> None:
    desk = Desk(refusals={"A1": [7.0, 2.0]})
    desk.submit("A1", ENTRY)
    desk.submit("A2", ENTRY)
    assert desk.work_off() == []
    assert desk.line.due_s == 107.0
    desk.submit("A3", EXIT)
    assert desk.work_off() == ["submit A3"]
    desk.now_s = 107.0
    desk.line.go_on()
    desk.work_off()
    assert desk.line.due_s == 109.0
    desk.now_s = 109.0
    desk.line.go_on()
    assert desk.work_off() == ["submit A3", "submit A1", "submit A2"]


def test_an_exit_that_must_wait_is_not_overtaken_by_entries() -> None:
    desk = Desk(refusals={"A1": [5.0]})
    desk.submit("A1", EXIT)
    desk.work_off()
    desk.submit("A2", ENTRY)
    assert desk.work_off() == []
    desk.now_s = desk.line.due_s or 0.0
    desk.line.go_on()
    assert desk.work_off() == ["submit A1", "submit A2"]


def test_an_entry_whose_next_bar_has_come_is_not_sent_and_known_not_to_be() -> None:
    desk = Desk(refusals={"A1": [30.0]})
    desk.submit("A1", ENTRY, deadline_s=110.0)
    desk.submit("A2", ENTRY, deadline_s=120.0)
    desk.work_off()
    assert desk.line.due_s == 110.0
    desk.now_s = 110.0
    desk.line.go_on()
    assert desk.back == ["A1 absent"]
    desk.now_s = 130.0
    desk.line.go_on()
    assert desk.work_off() == []
    assert desk.back == ["A1 absent", "A2 absent"]


def test_what_is_being_sent_already_has_no_deadline() -> None:
    desk = Desk()
    desk.submit("A1", ENTRY, deadline_s=110.0)
    desk.now_s = 200.0
    desk.line.go_on()
    assert desk.work_off() == ["submit A1"]


def test_a_cancellation_takes_its_order_out_of_line_and_neither_is_sent() -> None:
    desk = Desk()
    for name in ("A1", "A2"):
        desk.submit(name, ENTRY)
    desk.cancel("A2")
    assert desk.back == ["A2 absent"]
    assert desk.work_off() == ["submit A1"]


def test_a_cancellation_of_an_order_that_is_being_sent_follows_it() -> None:
    desk = Desk()
    desk.submit("A1", ENTRY)
    desk.submit("A2", ENTRY)
    desk.cancel("A1")
    desk.cancel("A1")  # asked again on the next bar
    assert desk.work_off() == ["submit A1", "cancel A1", "submit A2"]


def test_an_order_that_comes_back_unsent_to_its_cancellation_goes_nowhere() -> None:
    desk = Desk(refusals={"A1": [5.0]})
    desk.submit("A1", ENTRY)
    desk.cancel("A1")
    assert desk.work_off() == []
    assert desk.back == ["A1 absent"]
    assert desk.line.due_s is None


def test_an_order_is_held_from_its_first_moment_in_line_until_its_answer_is_here() -> None:
    desk = Desk(refusals={"A2": [5.0]})
    desk.submit("A1", EXIT)
    desk.submit("A2", ENTRY)
    assert [desk.line.holds(name) for name in ("A1", "A2", "A3")] == [True, True, False]
    desk.work_off()
    assert [desk.line.holds(name) for name in ("A1", "A2")] == [False, True]


def test_an_errand_that_fails_is_told_of_and_the_next_one_follows(caplog: Any) -> None:
    desk = Desk()

    def fail() -> list[m.Message]:
        raise ValueError("no such thing")

    desk.line.add(Errand(EXIT, "A1", fail, desk._deliver))
    desk.submit("A2", ENTRY)
    assert desk.work_off() == ["submit A2"]
    assert "could not be asked about A1: no such thing" in caplog.text


def test_a_stop_finishes_what_is_under_way_and_drops_the_line() -> None:
    desk = Desk()
    desk.submit("A1", ENTRY)
    desk.submit("A2", ENTRY)
    asyncio.run(desk.line.stop())
    assert (desk.sent, desk.back) == (["submit A1"], ["submit A1 done"])
    desk.submit("A3", EXIT)
    assert desk.work_off() == ["submit A1"]


def test_what_is_in_line_when_it_closes_or_comes_later_is_known_never_to_have_been_sent() -> None:
    desk = Desk()
    for name in ("A1", "A2", "A3"):
        desk.submit(name, ENTRY)
    desk.line.close()
    desk.submit("A4", EXIT)
    assert desk.work_off() == ["submit A1"]
    assert desk.back == ["A2 absent", "A3 absent", "A4 absent", "submit A1 done"]


def test_what_the_budget_refuses_after_a_stop_is_not_tried_again() -> None:
    desk = Desk(refusals={"A1": [0.0]})
    desk.submit("A1", EXIT)
    asyncio.run(desk.line.stop())
    assert (desk.sent, desk.back) == ([], ["A1 absent"])


Step = tuple[str, int, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "cancel", "do", "later"]),
        st.integers(0, 5),
        st.sampled_from([0.0, 0.0, 4.0]),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_no_cancellation_overtakes_its_order_and_every_order_ends_exactly_once(
    steps: list[Step],
) -> None:
    desk, submitted = Desk(), set[str]()
    for what, number, wait_s in steps:
        name = f"A{number}"
        if what in ("buy", "sell") and name not in submitted:
            submitted.add(name)
            desk.refusals[name] = [wait_s] if wait_s else []
            entry = what == "buy"
            deadline_s = desk.now_s + 10 if entry else float("inf")
            desk.submit(name, ENTRY if entry else EXIT, deadline_s)
        elif what == "cancel" and name in submitted:
            desk.cancel(name)
        elif what == "do":
            desk.worker.do()
        elif what == "later":
            desk.now_s += 3
            desk.line.go_on()
    desk.work_off()
    while desk.line.due_s is not None:
        desk.now_s = max(desk.now_s, desk.line.due_s)
        desk.line.go_on()
        desk.work_off()

    for name in submitted:
        ends = desk.back.count(f"submit {name} done") + desk.back.count(f"{name} absent")
        assert ends == 1
        assert (f"submit {name}" in desk.sent) == (f"submit {name} done" in desk.back)
        if f"cancel {name}" in desk.sent and f"submit {name}" in desk.sent:
            assert desk.sent.index(f"submit {name}") < desk.sent.index(f"cancel {name}")


def test_on_a_real_thread_an_exit_is_sent_while_an_entry_waits_for_the_budget() -> None:
    order: list[str] = []

    async def story() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        line = ErrandQueue(Threads().one("orders"), loop.time, lambda: None)
        entering = threading.Event()

        def enter() -> list[m.Message]:
            entering.wait(20)
            if len(order) < 2:
                order.append("held back")
                raise NotYet(0.0)
            order.append("entry")
            return []

        def leave() -> list[m.Message]:
            order.append("exit")
            return []

        line.add(Errand(ENTRY, "A1", enter, lambda _: over.set()))
        line.add(Errand(EXIT, "A2", leave, lambda _: None))
        entering.set()
        await asyncio.wait_for(over.wait(), 20)
        await line.stop()

    asyncio.run(story())
    assert order == ["held back", "exit", "entry"]


def test_an_errand_that_ends_with_others_in_line_wakes_whoever_sleeps_until_its_time() -> None:
    """A cancellation says nothing when it is done, and what waits behind it has a time."""

    async def story() -> None:
        inbox, desk = Inbox(), Desk(refusals={"A1": [7.0]})
        desk.line = ErrandQueue(desk.worker, lambda: desk.now_s, inbox.wake)
        desk.submit("A1", ENTRY)
        for ended, due_s in ((lambda: None, 107.0), (lambda: desk.cancel("A0"), 107.0)):
            ended()
            sleeper = asyncio.create_task(inbox.wait(None))
            await asyncio.sleep(0)
            assert desk.worker.do()
            assert await asyncio.wait_for(sleeper, 20) is None
            assert desk.line.due_s == due_s

    asyncio.run(story())
