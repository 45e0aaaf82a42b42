"""The module that the user's guide imports from: the same classes as `coordinator`."""

from coordinator import MultiTraderCoordinator as MultiTraderCoordinator
from coordinator import RiskConfig as RiskConfig
