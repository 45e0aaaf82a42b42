"""A question that nobody answers is a no, and never an error of ours."""

from __future__ import annotations

import io
import sys

import pytest

from cli.operator import agreed


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_only_a_yes_is_a_yes(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert agreed("Shall it be so?") is answer
    assert "Shall it be so? [y/N]" in capsys.readouterr().out
