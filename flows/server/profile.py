"""The user's Prefect profile: with it, `prefect` in the user's shell reaches our server.

This runs under the user's own settings, not the server's: it writes the user's file, with mode 600
because it contains the password.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, get_current_settings
from prefect.settings.profiles import (
    Profile,
    ProfilesCollection,
    load_profiles,
    save_profiles,
)

from flows.server.places import PROFILE

_BEFORE = "before-multi-trader"
"""The file that names the profile which was selected before ours."""


def select_profile(url: str, password: str) -> Path:
    """Writes the profile `multi-trader` and selects it; returns the file.

    Other profiles stay, and which of them was selected is remembered beside them.
    """
    file = Path(get_current_settings().profiles_path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    profiles = load_profiles()
    ours = Profile(
        name=PROFILE,
        settings={PREFECT_API_URL: f"{url}/api", PREFECT_API_AUTH_STRING: password},
    )
    if PROFILE in profiles.names:
        profiles.remove_profile(PROFILE)
    profiles.add_profile(ours)
    if profiles.active_name not in (None, PROFILE):
        (file.parent / _BEFORE).write_text(str(profiles.active_name))
    profiles.set_active(PROFILE)
    _save(file, profiles)
    return file


def restore_profile(url: str | None) -> str | None:
    """Selects again what was selected before `multi-trader`; returns its name.

    None, and nothing is changed, if the user has selected another profile meanwhile, if the profile
    is another server's than that at `url`, or if it is not known what was selected before.
    """
    file = Path(get_current_settings().profiles_path)
    before = file.parent / _BEFORE
    if not (file.exists() and before.exists()):
        return None
    profiles, name = load_profiles(), before.read_text()
    if profiles.active_name != PROFILE or name not in profiles.names:
        return None
    if profiles[PROFILE].settings.get(PREFECT_API_URL) != f"{url}/api":
        return None
    profiles.set_active(name)
    _save(file, profiles)
    before.unlink()
    return name


def _save(file: Path, profiles: ProfilesCollection) -> None:
    before = os.umask(0o077)
    try:
        save_profiles(profiles)
    finally:
        os.umask(before)
    file.chmod(0o600)


def overriding(environment: Mapping[str, str]) -> list[str]:
    """Variables of the shell that would override the profile."""
    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE")
    return [name for name in names if environment.get(name)]
