"""The steps of the flows: one decorated call each, with a name, retries, and no logic."""
