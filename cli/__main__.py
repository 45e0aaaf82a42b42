"""`python -m cli` is the `multi-trader` command, for a checkout that is not installed."""

from cli.main import main

main()
