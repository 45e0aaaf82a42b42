"""The server's files, and the environments of its processes.

One folder of mode 700 holds all files. Only the worker gets the broker's keys, through its
environment; the server listens on loopback and requires a password.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
PORT = 4200
PORT_TAKEN = 75
"""The exit code of a supervisor whose port another process took before its server did."""
POOL = "multi-trader"
PROFILE = "multi-trader"
ROOT = Path(__file__).resolve().parents[2]
"""The project's folder, which has prefect.yaml, and in which flows run."""

HEARTBEATS_KEPT_S = 6 * 3_600
"""Old heartbeats are not needed, and those of a crypto session fill eight megabytes a day."""
_DAYS_KEPT = 30
KEYS = "APCA_"
"""The prefix of the broker's variables."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one server under `folder`; `home` is the coordinators' state folder."""

    home: Path
    folder: Path

    @classmethod
    def under(cls, home: Path, name: str = "prefect") -> Places:
        """The places of the server called `name`, whose folder is made with mode 700."""
        folder = home.resolve() / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return cls(home.resolve(), folder)

    @property
    def lock(self) -> Path:
        """The lock of the process that runs this server; contains its process id."""
        return self.folder / "supervisor.lock"

    @property
    def ready(self) -> Path:
        """Exists while the server runs and everything is deployed; contains its URL."""
        return self.folder / "ready"

    @property
    def port(self) -> Path:
        """The port of the server that was started last."""
        return self.folder / "port"

    @property
    def deployed(self) -> Path:
        """The deployments that were made from prefect.yaml."""
        return self.folder / "deployed.yaml"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.folder / f"{name}.log"

    def password(self) -> str:
        """The auth string `user:secret`, made at the first call and kept with mode 600."""
        return _kept(self.folder / "auth", lambda: f"trader:{secrets.token_urlsafe(24)}")

    def encryption_key(self) -> str | None:
        """The key by which the server encrypts its users' secret blocks, kept beside its database.

        None for a database that was made without: Prefect keeps that one's key inside, in clear.
        """
        file = self.folder / "encryption-key"
        if not file.exists() and (self.folder / "prefect.db").exists():
            return None
        return _kept(file, lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


def _kept(file: Path, make: Callable[[], str]) -> str:
    """The file's content; the file is made at the first call, with mode 600."""
    if not file.exists():
        with open(file, "x", opener=private) as out:
            out.write(make())
    return file.read_text()


def private(path: str, flags: int) -> int:
    """An opener for `open`, which creates a file with mode 600."""
    return os.open(path, flags, 0o600)


def free_port(wanted: int | None = None) -> int:
    """`wanted` if it is free, else any free loopback port."""
    for port in (wanted, 0) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {HOST}")


def without(environment: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """The environment without variables that begin with one of `prefixes`."""
    return {key: value for key, value in environment.items() if not key.startswith(prefixes)}


def client_environment(places: Places, port: int, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the worker and the server's clients; keeps the broker's keys."""
    return without(environment, "PREFECT_") | {
        "PREFECT_HOME": str(places.folder),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_API_AUTH_STRING": places.password(),
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_CLI_PROMPT": "false",
        "MULTI_TRADER_HOME": str(places.home),
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def server_environment(places: Places, port: int, environment: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: no keys, loopback, a password, a database kept small."""
    key = places.encryption_key()
    origins = f"http://{HOST}:{port},http://localhost:{port}"
    return without(client_environment(places, port, environment), KEYS) | {
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": places.password(),
        **({"PREFECT_SERVER_ENCRYPTION_KEY": key} if key else {}),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(_DAYS_KEPT * 86_400),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": json.dumps(
            {"prefect.flow-run.heartbeat": HEARTBEATS_KEPT_S}
        ),
    }
