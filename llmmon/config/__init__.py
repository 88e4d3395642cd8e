"""The deployment of llmmon as data: llmmon.toml, read once into typed, validated, frozen records."""

from llmmon.config.anchorer import AnchorerConfig
from llmmon.config.reading import load_anchorer_config, load_config
from llmmon.config.records import (
    Config,
    DeploymentConfig,
    GateConfig,
    Judgement,
    LaneConfig,
    MonitorConfig,
    NamesConfig,
    PluginConfig,
    PriceConfig,
    PrivacyConfig,
    ReviewConfig,
    ScorerConfig,
    SentinelConfig,
    SloConfig,
    SourceConfig,
)

__all__ = [
    "AnchorerConfig",
    "Config",
    "DeploymentConfig",
    "GateConfig",
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
    "load_anchorer_config",
    "load_config",
]
