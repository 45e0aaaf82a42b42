"""Whether a run lives is asked of this machine, whatever Prefect believes."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import uuid4

from flows.server.lost import runs_with_a_process


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
