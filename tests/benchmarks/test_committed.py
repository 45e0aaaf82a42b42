"""What a benchmark measures is kept case by case, each with the machine that it ran on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import wire
from benchmarks.committed import FOLDER, Committed, machine

ELSEWHERE = {"cpu": "another one", "cores": 64, "load": 0.1, "python": "3.12.1"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with two cases of another machine."""
    told = {"machine": ELSEWHERE, "rounds": 5}
    cases = {name: {**told, "figures": {"ratio": ratio}} for name, ratio in (("a", 1), ("b", 2))}
    path = tmp_path / "some.json"
    path.write_text(json.dumps(cases))
    return path


@pytest.fixture
def loud() -> Iterator[None]:
    """The benchmarks silence the log; what runs after this one is heard again."""
    yield
    logging.disable(logging.NOTSET)


def cases_of(path: Path) -> dict[str, Any]:
    cases: dict[str, Any] = json.loads(path.read_text())
    return cases


def test_a_case_that_is_saved_leaves_the_others_and_their_machine_as_they_were(file: Path) -> None:
    before = cases_of(file)
    Committed("some", file.parent).save("b", {"ratio": 3}, rounds=2)
    assert cases_of(file)["a"] == before["a"]
    saved = cases_of(file)["b"]
    assert (saved["rounds"], saved["figures"]) == (2, {"ratio": 3})
    assert saved["machine"].keys() == machine().keys()
    assert saved["machine"] != ELSEWHERE


def test_a_run_is_compared_with_what_stood_there_when_it_began(file: Path) -> None:
    results = Committed("some", file.parent)
    results.save("b", {"ratio": 3})
    results.save("c", {"ratio": 4})
    assert [results.figures(name) for name in "abc"] == [{"ratio": 1}, {"ratio": 2}, {}]
    assert list(cases_of(file)) == ["a", "b", "c"]


def test_figures_that_cannot_be_written_cost_nothing_that_is_there(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TypeError):
        Committed("some", file.parent).save("b", {"ratio": object()})
    assert file.read_bytes() == before


@pytest.mark.usefixtures("loud")
def test_a_run_that_ends_in_its_second_case_keeps_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--case", "2,2", "no case", "--frames", "5", "--only-frames", "--save"]
    with pytest.raises(ValueError, match="no case"):
        wire.main(asked, Committed("wire", tmp_path))
    saved = cases_of(tmp_path / "wire.json")
    assert list(saved) == ["2,2"]
    assert saved["2,2"]["frames"] == 5


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_each_committed_case_says_what_it_was_measured_on(path: Path) -> None:
    for name, case in cases_of(path).items():
        assert case["machine"].keys() == machine().keys(), name
        assert case["figures"], name
