"""Deploys prefect.yaml with this server's changes.

Without the broker's keys every session is simulated; a demonstration has no schedules and no
triggers, so that only its own runs start.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from flows.server.children import run_to_end
from flows.server.places import KEYS, POOL, ROOT, Places, without

SESSIONS = ("coordinator", "warmup")
Document = dict[str, Any]


def read_document() -> Document:
    """prefect.yaml, anchors resolved."""
    document: Document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    return document


def adapted(document: Document, *, simulate: bool, unattended: bool) -> Document:
    """A copy that simulates sessions if asked, and has schedules and triggers if unattended."""
    document = copy.deepcopy(document)
    for deployment in document["deployments"]:
        if simulate and flow_of(deployment) in SESSIONS:
            deployment.setdefault("parameters", {})["simulate"] = True
        if not unattended:
            deployment.pop("schedules", None)
            deployment.pop("triggers", None)
    return document


def flow_of(deployment: Mapping[str, Any]) -> str:
    """The name of a deployment's flow, from its entrypoint: `flows.end_of_day.end_of_day`."""
    return str(deployment["entrypoint"]).rpartition(".")[2].replace("_", "-")


def deploy(
    places: Places, environment: Mapping[str, str], *, simulate: bool, unattended: bool
) -> None:
    """Makes the work pool and all deployments; idempotent, and run without keys.

    Raises StartFailed with Prefect's output.
    """
    environment = without(environment, KEYS)
    document = adapted(read_document(), simulate=simulate, unattended=unattended)
    places.deployed.write_text(yaml.safe_dump(document, sort_keys=False))
    pool = ["work-pool", "create", POOL, "--type", "process", "--overwrite"]
    run_to_end("Making the work pool", pool, environment)
    every = ["deploy", "--all", "--prefect-file", str(places.deployed)]
    run_to_end("Deploying prefect.yaml", every, environment)
