"""The deployment of llmmon as data: llmmon.toml, read once into typed, validated, frozen records."""

from llmmon.config.anchorer import AnchorerConfig
from llmmon.config.deployment import (
    CounterfactualConfig,
    DeploymentConfig,
    GroupConfig,
    LaneConfig,
    MonitorConfig,
    PriceConfig,
    ReviewConfig,
    ScorerConfig,
    SentinelConfig,
    SloConfig,
    StereotypesConfig,
)
from llmmon.config.reading import load_anchorer_config, load_config
from llmmon.config.record import PluginConfig
from llmmon.config.records import (
    Config,
    FactsConfig,
    GateConfig,
    Judgement,
    NamesConfig,
    PrivacyConfig,
    SourceConfig,
)

__all__ = [
    "AnchorerConfig",
    "Config",
    "CounterfactualConfig",
    "DeploymentConfig",
    "FactsConfig",
    "GateConfig",
    "GroupConfig",
    "Judgement",
    "LaneConfig",
    "MonitorConfig",
    "NamesConfig",
    "PluginConfig",
    "PriceConfig",
    "PrivacyConfig",
    "ReviewConfig",
    "ScorerConfig",
    "SentinelConfig",
    "SloConfig",
    "SourceConfig",
    "StereotypesConfig",
    "load_anchorer_config",
    "load_config",
]
