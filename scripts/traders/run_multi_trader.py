"""The launcher that the user's guide names: `multi-trader run`, with the same options."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # need not be installed itself

from cli.main import main

if __name__ == "__main__":
    if find_spec("typer") is None:
        sys.exit("Error: install what it needs first: make install && source .venv/bin/activate")
    sys.argv.insert(1, "run")
    main()
