"""Shadow strategies: they decide on the bars of the live ones, and trade on a simulated exchange.

The same engine and the same venue as a backtest's, minute by minute as the session goes, with a
journal and books that the account's own know nothing of.
"""

from coordinator.shadow.shadow import Shadow as Shadow
