"""What a row of the catalogue says, and the proofs that many rows share."""

from __future__ import annotations

from dataclasses import dataclass

_BUGS = "tests/proof/test_bugs.py::test_a_bug_is_caught_by_the_simulation"
_SIMULATION, _KILLS = "tests/proof/test_simulation.py", "tests/proof/test_kills.py"


@dataclass(frozen=True)
class Row:
    """A fault, what it demands of us, node ids that prove it; what is not here, and why."""

    fault: str
    required: str
    proofs: tuple[str, ...] = ()
    not_here: str = ""


SEEDS = (
    f"{_SIMULATION}::test_every_invariant_holds_under_the_faults_of_a_seed",
    f"{_SIMULATION}::test_every_invariant_holds_over_many_seeds",
)
"""The simulation draws this fault by chance; its judge sees every record and every request."""
REAL_KILLS = (
    f"{_KILLS}::test_processes_that_are_killed_at_any_moment_lose_nothing_and_double_nothing",
)
CRASHES = (
    "tests/proof/test_crashes.py::test_a_scenario_trades_and_survives_a_kill",
    "tests/proof/test_crashes.py::test_a_kill_in_recovery_is_survived",
)
"""A kill at boundaries of short sessions, and again in recovery; `make prove` runs all of them."""


def caught(bug: str) -> str:
    """The proof that the simulation catches a bug which breaks just this demand."""
    return f"{_BUGS}[{bug}]"
