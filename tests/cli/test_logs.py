"""Log lines look as in the guide, go to stderr, and never carry a connection's frames."""

from __future__ import annotations

import logging
import re

import pytest

from cli.logs import LEVELS, OURS, configure_logging

pytestmark = pytest.mark.usefixtures("_logging_as_before")


def test_a_line_has_the_guide_s_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    logging.getLogger("coordinator.shell").info("[SPY_Adaptive] 🟢 BUY 23.5000 SPY @ $450.23")
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[INFO\] "
        r"\[SPY_Adaptive\] 🟢 BUY 23\.5000 SPY @ \$450\.23\n",
        said.err,
    )


@pytest.mark.parametrize("level", LEVELS)
def test_our_lines_obey_the_level(capsys: pytest.CaptureFixture[str], level: str) -> None:
    configure_logging(level)
    for name in OURS:
        for one in LEVELS:
            logging.getLogger(f"{name}.part").log(logging.getLevelName(one), f"{name} {one}")
    seen = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    heard = LEVELS[LEVELS.index(level) :]
    assert seen == [f"{name} {one}" for name in OURS for one in heard]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["websockets.client", "alpaca.trading.stream", "urllib3.pool"])
def test_a_frame_with_the_keys_is_never_logged(
    capsys: pytest.CaptureFixture[str], level: str, name: str
) -> None:
    configure_logging(level)
    logging.getLogger(name).debug('> TEXT \'{"action":"auth","secret":"canary"}\'')
    logging.getLogger(name).error("connection lost")
    said = capsys.readouterr().err
    assert "canary" not in said
    assert "connection lost" in said


def test_configuring_twice_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    configure_logging("INFO")
    logging.getLogger("coordinator").info("once")
    assert capsys.readouterr().err.count("once") == 1
