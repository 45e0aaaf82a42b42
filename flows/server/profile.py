"""The user's Prefect profile: with it, `prefect` in the user's shell reaches our server.

This runs under the user's own settings, not the server's: it writes the user's file, with mode 600
because it contains the password.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, get_current_settings
from prefect.settings.profiles import Profile, load_profiles, save_profiles

from flows.server.places import PROFILE


def select_profile(url: str, password: str) -> Path:
    """Writes the profile `multi-trader` and selects it; other profiles stay. Returns the file."""
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
    profiles.set_active(PROFILE)
    before = os.umask(0o077)
    try:
        save_profiles(profiles)
    finally:
        os.umask(before)
    file.chmod(0o600)
    return file


def overriding(environment: Mapping[str, str]) -> list[str]:
    """Variables of the shell that would override the profile."""
    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE")
    return [name for name in names if environment.get(name)]
