"""The deployment of llmmon as data: llmmon.toml, read once into typed, validated, frozen records."""

from llmmon.config.anchorer import AnchorerConfig
from llmmon.config.reading import load_anchorer_config, load_config
from llmmon.config.records import (
    Config,
    CounterfactualConfig,
    DeploymentConfig,
    FactsConfig,
    GateConfig,
    GroupConfig,
    Judgement,
    LaneConfig,
    MonitorConfig,
    NamesConfig,
    PluginConfig,
    PriceConfig,
    PrivacyConfig,
    ScorerConfig,
    SentinelConfig,
    SloConfig,
    SourceConfig,
    StereotypesConfig,
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
    "ScorerConfig",
    "SentinelConfig",
    "SloConfig",
    "SourceConfig",
    "StereotypesConfig",
    "load_anchorer_config",
    "load_config",
]
