"""What llmmon.toml says, as typed, validated, frozen records.

A plug-in is written as its name (``"reference_change"``) or as a table (``{type = "psi", bins = 20}``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llmmon.config.deployment import DeploymentConfig, SentinelConfig
from llmmon.config.record import Name, PluginConfig, Record, must_exist

Judgement = Literal["off", "warn", "hold"]
EntityType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class GateConfig(Record):
    """What a batch must fulfil before it counts as loaded; checked by Great Expectations."""

    min_rows: int = Field(1, ge=0)
    max_bad_fraction: float = Field(0.01, ge=0, le=1)
    max_null_fraction: Mapping[str, float] = {"response_text": 0.5}
    max_age_days: float | None = Field(None, gt=0)
    max_future_minutes: float = Field(5, ge=0)
    unusual_volume: Judgement = "warn"
    missing_fields: Judgement = "warn"
    unknown_fields: Judgement = "warn"
    max_held_batches: int = Field(10, ge=1)


class SourceConfig(Record):
    """Where request logs come from."""

    read: PluginConfig
    max_rows_per_batch: int = Field(10_000, ge=1)
    gate: GateConfig = GateConfig()
    channels: tuple[Name, ...] | None = None


class FactsConfig(Record):
    """A team's own reference texts: files of a folder, or rows of a query on a Postgres of its own."""

    path: str | None = None
    url_env: str | None = None
    query: str | None = None
    language: str = Field("english", pattern=r"^[a-z_]+$")
    passage_words: int = Field(120, ge=20, le=1000)
    top_k: int = Field(5, ge=1, le=50)
    min_similarity: float = Field(0.4, ge=0, le=1)

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.path is None) == (self.query is None) or (self.query is None) != (self.url_env is None):
            raise ValueError("expected either path, or query and url_env")
        return self


class RetentionConfig(Record):
    """Days that rows are kept; the AI Act asks for at least six months of logs."""

    request_log_days: int = Field(365, ge=1)
    quarantine_days: int = Field(365, ge=1)
    report_days: int = Field(90, ge=1)
    sketch_days: int = Field(365, ge=1)


class NamesConfig(Record):
    """A token-classification model that finds names; its labels without B- and I-, and what they are called here."""

    model: str = Field(min_length=1)
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    labels: Mapping[str, EntityType] = {"PER": "PERSON", "PERSON": "PERSON"}
    min_confidence: float = Field(0.5, ge=0, le=1)


class PrivacyConfig(Record):
    """What is replaced in the texts of requests before they are stored; all there is unless told otherwise."""

    redact: bool | tuple[str, ...] = True
    patterns: Mapping[EntityType, str] = {}
    names: NamesConfig | None = None
    min_confidence: float = Field(0.4, ge=0, le=1)


class Config(Record):
    """The whole deployment of llmmon, as data."""

    window_hours: float = Field(1, gt=0, le=24)
    alpha: float = Field(0.05, gt=0, lt=1)
    expire_after_hours: float = Field(48, gt=0)
    ui_url: str | None = None
    sources: Mapping[Name, SourceConfig]
    backends: Mapping[Name, PluginConfig] = {}
    deployments: Mapping[Name, DeploymentConfig]
    channels: Mapping[Name, PluginConfig] = {}
    facts: Mapping[Name, FactsConfig] = {}
    retention: RetentionConfig = RetentionConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    digest: str = ""

    @property
    def window_length(self) -> timedelta:
        """Length of one window."""
        return timedelta(hours=self.window_hours)

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for name, source in self.sources.items():
            for channel in source.channels or ():
                must_exist(f"sources.{name}.channels", channel, self.channels)
        for name, deployment in self.deployments.items():
            here = f"deployments.{name}"
            must_exist(f"{here}.source", deployment.source, self.sources)
            if deployment.sentinel is not None:
                self._check_sentinel(f"{here}.sentinel", deployment.sentinel)
            if deployment.stereotypes is not None:
                must_exist(f"{here}.stereotypes.backend", deployment.stereotypes.backend, self.backends)
            if deployment.counterfactual is not None:
                must_exist(f"{here}.counterfactual.lane", deployment.counterfactual.lane, deployment.lanes)
                for outcome in deployment.counterfactual.outcomes:
                    must_exist(f"{here}.counterfactual.outcomes", outcome, deployment.scorers)
            for lane_name, lane in deployment.lanes.items():
                must_exist(f"{here}.lanes.{lane_name}.backend", lane.backend, self.backends)
            for scorer_name, scorer in deployment.scorers.items():
                if scorer.facts is not None:
                    must_exist(f"{here}.scorers.{scorer_name}.facts", scorer.facts, self.facts)
                for lane_name in scorer.lanes:
                    must_exist(f"{here}.scorers.{scorer_name}.lanes", lane_name, {"logged", *deployment.lanes})
            for scorer_name in deployment.review:
                must_exist(f"{here}.review", scorer_name, deployment.scorers)
            for monitor_name, monitor in deployment.monitors.items():
                where = f"{here}.monitors.{monitor_name}"
                given = monitor.metric.parameters
                if "scorer" in given:
                    must_exist(f"{where}.metric.scorer", given["scorer"], deployment.scorers)
                if "=" not in str(given.get("truth", "=")):  # a scorer, not a column with its value
                    must_exist(f"{where}.metric.truth", str(given["truth"]), deployment.scorers)
                for channel in monitor.channels or ():
                    must_exist(f"{where}.channels", channel, self.channels)
        return self

    def _check_sentinel(self, where: str, sentinel: SentinelConfig) -> None:
        must_exist(f"{where}.backend", sentinel.backend, self.backends)
        if sentinel.reference is not None:
            must_exist(f"{where}.reference", sentinel.reference, self.backends)
        if sentinel.every_hours is not None and sentinel.every_hours % self.window_hours:
            raise ValueError(
                f"{where}.every_hours: expected a multiple of window_hours ({self.window_hours:g}), "
                f"got {sentinel.every_hours:g}"
            )
