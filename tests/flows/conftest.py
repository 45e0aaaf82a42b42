"""These tests ask no Prefect server, and see neither the developer's profile nor their keys."""

from __future__ import annotations

import os
import tempfile

from tests.environment import FOREIGN

for _name in [name for name in os.environ if name.startswith(FOREIGN)]:
    del os.environ[_name]
# Prefect reads its folder on import, which comes before any fixture.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-tests-")
