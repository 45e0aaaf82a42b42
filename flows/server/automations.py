"""Creates the automations of automations.yaml at the server, or updates those that exist.

`prefect automation create -f` makes a second automation of the same name each time; here an
existing one is updated, and stays enabled or disabled as its user left it. An example belongs to
the user once it is made, and is never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore

from flows.server.places import ROOT

EXAMPLE = "example"
"""The tag of an automation that is made once, for its user to change."""
RECOVERY = "multi-trader: a crash is recovered"
"""The automation that runs a crashed coordinator again; if it is disabled, none is recovered."""


def read_automations() -> list[AutomationCore]:
    """The automations in automations.yaml; raises pydantic's ValidationError for an invalid one."""
    written: Mapping[str, Any] = yaml.safe_load((ROOT / "automations.yaml").read_text())
    return [AutomationCore.model_validate(one) for one in written["automations"]]


def make_automations() -> None:
    """Creates each automation at the server, or updates the one of its name."""
    with get_client(sync_client=True) as client:
        for wanted in read_automations():
            _upsert(client, wanted)


def _upsert(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    there = client.read_automations_by_name(wanted.name)
    if not there:
        client.create_automation(wanted)
    elif EXAMPLE not in wanted.tags:
        kept = wanted.model_copy(update={"enabled": there[0].enabled})
        client.update_automation(there[0].id, kept)


def is_enabled(name: str) -> bool:
    """Whether the automation of that name exists and is not switched off."""
    with get_client(sync_client=True) as client:
        return any(one.enabled for one in client.read_automations_by_name(name))
