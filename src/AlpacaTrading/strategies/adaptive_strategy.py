"""The module that the user's guide imports from: the same class as in `coordinator.strategies`."""

from coordinator.strategies import AdaptiveStrategy as AdaptiveStrategy
