"""The launcher that the user's guide names: `multi-trader run`, with the same options."""

from __future__ import annotations

import sys

from cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    main()
