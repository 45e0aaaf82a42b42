"""These tests ask no Prefect server, and see neither the developer's profile nor their keys."""

from __future__ import annotations

import os
import tempfile

for _name in [name for name in os.environ if name.startswith(("PREFECT_", "APCA_"))]:
    del os.environ[_name]
# Prefect reads its folder on import, which comes before any fixture.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-tests-")
