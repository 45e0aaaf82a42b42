"""The configuration: frozen, complete, and validated as a whole before it is used.

One ConfigError reports all problems of a document, each with its path. A configuration names
strategy types, which are looked up among those offered; it cannot name a module to import.
`python -m coordinator.config` writes the JSON Schema of the format.
"""

from coordinator.config.models import ControlsConfig as ControlsConfig
from coordinator.config.models import CoordinatorConfig as CoordinatorConfig
from coordinator.config.models import Feed as Feed
from coordinator.config.models import Mode as Mode
from coordinator.config.models import RiskConfig as RiskConfig
from coordinator.config.models import StrategyConfig as StrategyConfig
from coordinator.config.reading import config_hash as config_hash
from coordinator.config.reading import configure as configure
from coordinator.config.reading import default_config as default_config
from coordinator.config.reading import load_config as load_config
from coordinator.config.reading import parse_config as parse_config
from coordinator.config.reading import read_config as read_config
