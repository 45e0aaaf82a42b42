"""The user's Prefect profiles: `make up` selects its own, `make down` selects what was before."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_PROFILES_PATH, temporary_settings
from prefect.settings.profiles import load_profiles

from flows.server.profile import restore_profile, select_profile

URL, OTHERS = "http://127.0.0.1:4200", "http://127.0.0.1:4300"
MINE = 'active = "work"\n\n[profiles.work]\nPREFECT_API_URL = "https://prefect.example/api"\n'


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "prefect" / "profiles.toml"
    with temporary_settings({PREFECT_PROFILES_PATH: path}):
        yield path


def selected() -> str | None:
    return load_profiles().active_name


@pytest.mark.parametrize(("written", "before"), [(MINE, "work"), (None, "ephemeral")])
def test_what_was_selected_before_is_selected_again_afterwards(
    file: Path, written: str | None, before: str
) -> None:
    if written:
        file.parent.mkdir()
        file.write_text(written)
    assert select_profile(URL, "trader:secret") == file
    assert select_profile(URL, "trader:secret") == file
    assert selected() == "multi-trader"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert restore_profile(URL) == before
    assert selected() == before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ("https://prefect.example/api" in file.read_text()) is bool(written)
    assert restore_profile(URL) is None


@pytest.fixture
def ours(file: Path) -> Path:
    """The profiles' file of a user who had one of his own selected before ours."""
    file.parent.mkdir()
    file.write_text(MINE)
    select_profile(URL, "trader:secret")
    return file


def test_what_a_user_selected_meanwhile_stays(ours: Path) -> None:
    ours.write_text(ours.read_text().replace('active = "multi-trader"', 'active = "work"'))
    assert restore_profile(URL) is None
    assert selected() == "work"


def test_a_profile_that_leads_to_another_folders_server_stays_until_that_ends(ours: Path) -> None:
    select_profile(OTHERS, "trader:another")
    assert restore_profile(URL) is None
    assert selected() == "multi-trader"
    assert restore_profile(OTHERS) == "work"


def test_a_profile_that_was_deleted_meanwhile_is_not_selected(ours: Path) -> None:
    ours.write_text(ours.read_text().replace("[profiles.work]", "[profiles.renamed]"))
    assert restore_profile(URL) is None
    assert selected() == "multi-trader"
