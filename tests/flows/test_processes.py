"""Whether a run lives is asked of this machine, and an end of day waits for one that does."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import UUID, uuid4

import pytest

from flows.processes import runs_with_a_process, wait_for_writer

RUN = uuid4()


def test_a_runs_process_is_found_while_it_lives_and_not_after() -> None:
    name = uuid4()
    sleeper = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": str(name)}
    pipe = subprocess.PIPE
    with subprocess.Popen(sleeper, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert name in runs_with_a_process()
        process.kill()
        process.wait()
    assert name not in runs_with_a_process()


@pytest.mark.parametrize("resource", [None, "", "prefect.flow-run.none", str(uuid4())])
def test_an_end_of_day_of_no_living_run_waits_for_nobody(resource: str | None) -> None:
    assert wait_for_writer(resource, patience_s=0, alive=lambda: {RUN})


def test_an_end_of_day_waits_until_its_coordinator_has_stopped_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.processes._POLL_S", 0)
    looks: list[set[UUID]] = [{RUN}, {RUN, uuid4()}, {uuid4()}]
    assert wait_for_writer(f"prefect.flow-run.{RUN}", alive=lambda: looks.pop(0))
    assert looks == []


def test_it_is_not_waited_for_without_end() -> None:
    assert not wait_for_writer(f"prefect.flow-run.{RUN}", patience_s=0, alive=lambda: {RUN})
