"""One server with its worker: started in the only order that works, stopped in reverse.

Stopping first cancels the live runs and waits for their flush: a worker that ends kills its runs
within two seconds.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from flows.server import lost, runs
from flows.server.automations import RECOVERY, is_enabled, make_automations
from flows.server.children import Child, StartFailed
from flows.server.deploying import deploy
from flows.server.places import POOL, Places, client_environment, free_port, server_environment
from flows.server.ports import PortTaken, listener

READY_S = 600.0
STILL_S = 30.0
"""How often it is said that the server is still waited for."""
FLUSH_S = 60.0
END_OF_DAY_S = 60.0
END_OF_DAY = "end-of-day/stocks"
_UNREADABLE = ("DatabaseError", "Can't locate revision")
"""What Prefect's log ends with if its database is damaged, or a newer release's."""
_log = logging.getLogger("multi-trader.server")


class Stack:
    """Server and worker of one folder, with the caller's `environment`.

    `port` is free, or belongs to a server that an earlier supervisor left running; that server is
    taken over with its runs.
    """

    def __init__(self, places: Places, port: int, environment: Mapping[str, str]) -> None:
        self.places = places
        self._port = port
        self._unattended = False
        self._lookout = lost.Lookout()
        self._loading: UUID | None = None
        self.client_environment = client_environment(places, port, environment)
        self._server = Child(
            "server",
            ["server", "start"],
            server_environment(places, port, environment),
            places.folder,
        )
        self._worker = Child(
            "worker",
            ["worker", "start", "--pool", POOL, "--type", "process"],
            self.client_environment | {"PREFECT_WORKER_QUERY_SECONDS": "2"},
            places.folder,
        )

    def start(self, *, simulate: bool, unattended: bool, say: Callable[[str], None]) -> None:
        """Starts server, deployments and worker; with schedules and triggers if `unattended`.

        `say` is called for each step. Raises StartFailed with the log's end if one fails, PortTaken
        if another process has taken the port.
        """
        self._unattended = unattended
        say("Starting the Prefect server")
        if not self._server.adopt():
            self._server.start()
        self._wait_for_server(say)
        say("Deploying prefect.yaml")
        deploy(self.places, self.client_environment, simulate=simulate, unattended=unattended)
        if unattended:
            make_automations()
        say("Starting the worker")
        if not self._worker.adopt():
            self._worker.start()

    def _wait_for_server(self, say: Callable[[str], None]) -> None:
        """Waits until the server answers: on a busy machine that takes minutes."""
        began_s = time.monotonic()
        while not runs.wait_until(self._is_up, STILL_S, poll_s=0.5):
            waited_s = time.monotonic() - began_s
            if waited_s > READY_S:
                words = self._server.last_words()
                raise StartFailed(f"The server has not answered for {waited_s:.0f} s:\n{words}")
            say(f"The Prefect server runs, and has not answered for {waited_s:.0f} s: waiting on")

    def _is_up(self) -> bool:
        if other := self._other_listener():
            raise PortTaken(f"Port {self._port} is held by {other}: the server cannot start.")
        if not self._server.is_alive():
            raise StartFailed(f"The server ended at once:\n{self._last_words()}")
        listens = free_port(self._port) != self._port
        return listens and not self._other_listener() and runs.is_healthy()

    def _last_words(self) -> str:
        """The end of the server's log, and what to do if its database is what stops it."""
        words = self._server.last_words()
        if not any(mark in words for mark in _UNREADABLE):
            return words
        database = self.places.folder / "prefect.db"
        return (
            f"{words}\nPrefect cannot use its database {database}. Move it away and start again:"
            " a new one is made. It has the runs' history and your switches, and no books."
        )

    def _other_listener(self) -> str | None:
        """The process that has our server's port instead, and must not get the password."""
        return listener(self._port, but_for=self._server.pid)

    def revive(self) -> None:
        """Restarts server or worker if it has died."""
        for child in (self._server, self._worker):
            if child.revive():
                _log.warning("%s had died and was started again; see %s", child.name, child.log)
                if child is self._server and (other := self._other_listener()):
                    _log.warning(
                        "port %d is held by %s: end it, or `make down` and `make up`, which takes"
                        " another port",
                        self._port,
                        other,
                    )

    def stop(self) -> None:
        """Cancels the live runs, waits for their flush and the end of day, then stops both."""
        try:
            self._end_runs()
        except runs.UNREACHABLE as error:
            _log.warning("Prefect does not answer (%s): its runs could not be cancelled", error)
        finally:
            self._worker.stop()
            self._server.stop()

    def stop_left_over(self) -> None:
        """As `stop`, of a server and a worker that a killed supervisor left running."""
        self._unattended = True
        for child in (self._server, self._worker):
            child.adopt()
        self.stop()

    def catch_up(self) -> None:
        """Does what Prefect has missed: ends lost runs, recovers crashes, runs the end of day.

        Does nothing while the server is away.
        """
        with contextlib.suppress(*runs.UNREACHABLE):
            self._recover(datetime.now(UTC))
            self._load(datetime.now(UTC))

    def _load(self, now: datetime) -> None:
        is_loading = self._loading is not None and not runs.has_ended(self._loading)
        if not is_loading and runs.is_end_of_day_due(now):
            _log.info("The trigger of the end of day did not fire: running it")
            self._loading = runs.start_run(END_OF_DAY, {}).id

    def _recover(self, now: datetime) -> None:
        for gone in self._lookout.end_lost(now):
            _log.warning("%s was %s, and its process is gone", gone.name, gone.state_name)
        if is_enabled(RECOVERY):
            for crashed in self._lookout.unrecovered(now):
                _log.warning("%s crashed and was not recovered: running it again", crashed.name)
                lost.recover(crashed)

    def _end_runs(self) -> None:
        if not self._server.is_alive() or self._other_listener():
            return
        runs.drop_recoveries()
        live = runs.live_runs()
        if live:
            _log.info("Cancelling %d runs, and waiting for their end", len(live))
            runs.cancel(live)
            if not runs.wait_until(lambda: not runs.live_runs(), FLUSH_S):
                _log.warning("Runs did not end in %.0f s; the journal keeps their books", FLUSH_S)
        in_a_while = datetime.now(UTC) + runs.TRIGGER_GRACE
        if self._unattended and (live or runs.is_end_of_day_due(in_a_while)):
            self._run_end_of_day()

    def _run_end_of_day(self) -> None:
        _log.info("Running the end of day for what is not loaded yet")
        run = runs.start_run(END_OF_DAY, {})
        with contextlib.suppress(TimeoutError):
            state = runs.wait_for_end(run.id, deadline_s=END_OF_DAY_S)
            _log.info("End of day: %s %s", state.name, state.message or "")
        runs.wait_until(lambda: not runs.live_runs(), END_OF_DAY_S)
