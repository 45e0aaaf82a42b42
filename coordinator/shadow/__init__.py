"""Shadow strategies: they decide on the bars of the live ones, and trade on a simulated exchange.

They run on the same engine and venue as a backtest, minute by minute beside the session, with a
journal and books apart from the account's.
"""

from coordinator.shadow.shadow import Shadow as Shadow
