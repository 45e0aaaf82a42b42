"""The rows: what strikes a session that trades, and the states that must tell of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.flows.matrix.stack import Stack

CLOSE = datetime.fromisoformat("2026-11-27T13:00:00-05:00")
OUTAGE_S = 120.0
SHORT_OUTAGE_S = 45.0


IF_A_RUN = 'import os\nif "PREFECT__FLOW_RUN_ID" in os.environ:\n'
BUSY = f"""{IF_A_RUN}
    import threading
    def burn():
        while True:
            sum(range(1_000_000))  # holds the interpreter for tens of milliseconds
    threading.Thread(target=burn, daemon=True).start()
"""
"""A processor that is never free."""
DIES = f"{IF_A_RUN}    os.kill(os.getpid(), 9)"
"""Each run is killed before its first line."""


@dataclass(frozen=True)
class Row:
    """A strike, and the ends of the coordinator's runs and of the session that must follow.

    `ends` are sets of state names, one for each run that traded, in the order of their starts.
    """

    name: str
    strike: Callable[[Stack, str], None]
    ends: Sequence[str]
    session: str = "closed"
    speed: float = 100.0
    at_start: str = ""
    at_once: bool = False
    """Strikes while the run starts, not in the middle of trading."""


def cancel(stack: Stack, run: str) -> None:
    """As the command line and the button do."""
    stack.cancel(run)


def terminate_run(stack: Stack, run: str) -> None:
    """SIGTERM to the process that trades."""
    os.kill(stack.process_of(run), signal.SIGTERM)


def kill_run(stack: Stack, run: str) -> None:
    """SIGKILL to the process that trades."""
    os.kill(stack.process_of(run), signal.SIGKILL)


def terminate_worker(stack: Stack, _: str) -> None:
    """SIGTERM to the worker."""
    os.kill(stack.child("worker"), signal.SIGTERM)


def kill_worker(stack: Stack, _: str) -> None:
    """SIGKILL to the worker."""
    os.kill(stack.child("worker"), signal.SIGKILL)


def kill_worker_then_cancel(stack: Stack, run: str) -> None:
    """The next worker does not know the run; the run hears of its cancellation by itself."""
    kill_worker(stack, run)
    stack.until_it_trades()
    stack.cancel(run)


def kill_worker_and_run(stack: Stack, run: str) -> None:
    """SIGKILL to both in one moment."""
    trading = stack.process_of(run)
    os.kill(stack.child("worker"), signal.SIGKILL)
    os.kill(trading, signal.SIGKILL)


def hang_run(stack: Stack, run: str) -> None:
    """Every thread stands still, its heartbeat's too, until Prefect calls it crashed, and longer.

    It still holds the lease, so the recovery that follows must leave the account alone.
    """
    trading = stack.process_of(run)
    os.kill(trading, signal.SIGSTOP)
    try:
        stack.until(lambda: stack.state_of(run) == "Crashed", "three heartbeats are missed")
        stack.until(lambda: "AlreadyRunning" in stack.states(), "a recovery finds the lease taken")
    finally:
        os.kill(trading, signal.SIGCONT)
    stack.until(lambda: stack.state_of(run) == "Running", "it says that it lives")


def restart_server(stack: Stack, _: str) -> None:
    """SIGKILL to the server; its supervisor starts it again."""
    os.kill(stack.child("server"), signal.SIGKILL)
    stack.until(lambda: not stack.is_up(), "the server is down")
    stack.until(stack.is_up, "the server is up again")


def server_away(stack: Stack, _: str) -> None:
    """The server is away for two minutes; the session trades on meanwhile."""
    with stack.without_server():
        before = stack.fills()
        time.sleep(OUTAGE_S)
        assert stack.fills() > before, "nothing was traded while the server was away"


def server_away_then_cancel(stack: Stack, run: str) -> None:
    """The worker gives up hearing of cancellations after half a minute; the run hears by itself."""
    with stack.without_server():
        time.sleep(SHORT_OUTAGE_S)
    stack.cancel(run)


def server_away_at_the_end(stack: Stack, run: str) -> None:
    """From half an hour before the close until well after the session has ended.

    The venue stands until the server is down, so that the session cannot end before.
    """
    stack.until(lambda: stack.latest_bar() >= CLOSE - timedelta(minutes=30), "the last half hour")
    with ExitStack() as striking:
        striking.enter_context(stack.venue_stands())
        assert not stack.has_ended(), "the session was over before it could be struck"
        trading = stack.process_of(run)
        with stack.without_server():
            striking.close()
            stack.until(stack.has_ended, "the session ends without Prefect")
            time.sleep(SHORT_OUTAGE_S)
            assert stack.is_alive(trading), "the run did not wait to tell how it ended"


def server_away_at_the_start(stack: Stack, run: str) -> None:
    """Gone once the worker has started the run's process, before it could ask for its run."""
    stack.until(lambda: stack.process_of(run), "the run's process")
    with stack.without_server():
        time.sleep(SHORT_OUTAGE_S)


RECOVERED = ("Crashed", "Completed")
ROWS = (
    Row("cancel", cancel, ["Cancelled"], "stopped_early"),
    Row("cancel, processor busy", cancel, ["Cancelled"], "stopped_early", at_start=BUSY),
    Row("SIGTERM of the run", terminate_run, ["StoppedEarly"], "stopped_early"),
    Row("kill -9 of the run", kill_run, RECOVERED),
    Row("SIGTERM of the worker", terminate_worker, RECOVERED),
    Row("kill -9 of the worker", kill_worker, ["Completed"]),
    Row(
        "kill -9 of the worker, then cancel",
        kill_worker_then_cancel,
        ["Cancelled"],
        "stopped_early",
    ),
    Row("kill -9 of worker and run", kill_worker_and_run, RECOVERED),
    Row("the run hangs until it is called crashed", hang_run, ["Completed"]),
    Row("server killed, restarted at once", restart_server, ["Completed"]),
    Row("server away for two minutes", server_away, ["Completed"], speed=40.0),
    Row("server away at the end", server_away_at_the_end, ["Completed"]),
    Row(
        "server away for 45 s, then cancel",
        server_away_then_cancel,
        ["Cancelled"],
        "stopped_early",
        speed=40.0,
    ),
    Row("server away at the start", server_away_at_the_start, RECOVERED, at_once=True),
)
