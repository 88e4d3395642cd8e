"""What llmmon.toml says, as typed, validated, frozen records.

A plug-in is written as its name (``"reference_change"``) or as a table (``{type = "psi", bins = 20}``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from llmmon.model import Severity, Window
from llmmon.registry import Registry

T = TypeVar("T")
Judgement = Literal["off", "warn", "hold"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
EntityType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


def _require_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("expected a time with a zone, such as 2023-06-01T06:00:00Z")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_require_utc)]


class Record(BaseModel):
    """Base of every record: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginConfig(Record):
    """Name of a plug-in and its parameters."""

    type: str
    parameters: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if isinstance(value, Mapping) and "parameters" not in value:
            return {"type": value.get("type"), "parameters": {k: v for k, v in value.items() if k != "type"}}
        return value

    def create(self, registry: Registry[T], *, where: str) -> T:
        """Build the plug-in this names; `where` is its place in llmmon.toml."""
        return registry.create(self.type, self.parameters, where=where)


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


class LaneConfig(Record):
    """One replay lane: a backend and the variants it runs."""

    backend: Name
    variants: tuple[PluginConfig, ...] = (PluginConfig(type="as_logged"),)


class SampleConfig(Record):
    """How many requests of a window are replayed and how they are spread."""

    per_window: int = Field(20, ge=0)
    strata: tuple[str, ...] = ("route", "status")


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


class ScorerConfig(Record):
    """A scorer and the responses it judges: every logged one, or those of sampled requests; and replay lanes.

    With `facts` it judges them against passages of those texts instead of the documents in the log.
    """

    judge: PluginConfig
    facts: Name | None = None
    scope: Literal["all", "sample"] = "all"
    lanes: tuple[str, ...] = ("logged",)


class GroupConfig(Record):
    """A group attribute that the log does not have, taken from another field of the request.

    Without `values` the field's value is the group; with them a value that is not listed becomes `otherwise`, and
    without that the request has no such attribute.
    """

    field: str = Field(pattern=r"^(route|tenant|language|model|model_version|(tag|group)\..+)$")
    values: Mapping[str, str] = {}
    otherwise: str | None = None


class MonitorConfig(Record):
    """One metric watched by one detector."""

    metric: PluginConfig
    segments: tuple[str, ...] = ()
    detector: PluginConfig | None = None
    min_effect: float = Field(ge=0)
    severity: Severity = "warning"
    channels: tuple[Name, ...] | None = None
    description: str = ""


class SloConfig(Record):
    """A service level objective: the share of requests that must not fail, or must not take longer than a limit."""

    objective: float = Field(gt=0, lt=1)
    days: int = Field(28, ge=1, le=366)
    segment: str = Field("all", pattern=r"^(all|[a-z_.]+=.+)$")
    field: Literal["latency_ms", "ttft_ms", "tpot_ms", "queue_ms"] = "latency_ms"
    limit_ms: float | None = Field(None, gt=0)
    fails_count: bool = True
    description: str = ""

    @model_validator(mode="after")
    def _check_breakable(self) -> Self:
        if self.limit_ms is None and not self.fails_count:
            raise ValueError("nothing breaks this objective; give limit_ms, or fails_count = true")
        return self


class PriceConfig(Record):
    """What a million tokens cost, in US dollars."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class SentinelConfig(Record):
    """A few fixed prompts, sent to an endpoint and to the pinned reference, that tell a changed endpoint from noise."""

    backend: Name
    reference: Name | None = None
    prompts: str | None = None
    samples: int = Field(4, ge=2)
    temperature: float = Field(1.0, ge=0, le=2)
    max_tokens: int = Field(16, ge=1)
    logprobs: int = Field(5, ge=0, le=20)
    every_hours: float | None = Field(None, gt=0)
    max_late_hours: float = Field(24, gt=0)
    usd_per_million_tokens: PriceConfig | None = None
    reference_usd_per_million_tokens: PriceConfig | None = None


class StereotypesConfig(Record):
    """Probes of stereotypes that the model of a backend is asked, and where their data lie."""

    backend: Name
    data: str = Field(min_length=1)
    probes: tuple[Literal["bbq", "crows_pairs", "winobias"], ...] = ("bbq", "crows_pairs", "winobias")
    limit: int | None = Field(None, ge=1)


class CounterfactualConfig(Record):
    """Groups that a lane's prompts are swapped between, and outcomes that must not depend on them."""

    lane: Name
    attributes: Mapping[Name, tuple[str, ...]] = Field(min_length=1)
    outcomes: Mapping[Name, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    max_groups: int = Field(3, ge=1)
    lexicons: Mapping[Name, tuple[str, ...]] = {}
    excess: bool = True
    severity: Severity = "warning"
    channels: tuple[Name, ...] | None = None


class ReviewConfig(Record):
    """What people are asked about the responses that one scorer judges; `yes` is what the scorer looks for."""

    question: str = Field("Does any statement of the answer lack support in the documents?", min_length=1)
    yes: str = Field("unsupported", min_length=1, max_length=40)
    no: str = Field("supported", min_length=1, max_length=40)
    per_draw: int = Field(20, ge=1, le=1000)
    evenly: float = Field(0.2, gt=0, le=1)

    @model_validator(mode="after")
    def _check_answers(self) -> Self:
        if self.yes == self.no:
            raise ValueError(f"yes and no are both {self.yes!r}; expected two answers")
        return self


class DeploymentConfig(Record):
    """What is watched: a served model under a route."""

    description: str = ""
    source: Name
    active_from: Moment | None = None
    active_until: Moment | None = None
    reference_windows: int = Field(6, ge=3)
    sample: SampleConfig = SampleConfig()
    lanes: Mapping[Name, LaneConfig] = {}
    scorers: Mapping[Name, ScorerConfig] = {}
    groups: Mapping[Name, GroupConfig] = {}
    monitors: Mapping[Name, MonitorConfig] = {}
    slos: Mapping[Name, SloConfig] = {}
    sentinel: SentinelConfig | None = None
    stereotypes: StereotypesConfig | None = None
    counterfactual: CounterfactualConfig | None = None
    review: Mapping[Name, ReviewConfig] = {}
    alpha: float | None = Field(None, gt=0, lt=1)

    def is_active(self, window: Window) -> bool:
        """Return whether any part of `window` lies in the deployment's lifetime."""
        return (self.active_from is None or window.end > self.active_from) and (
            self.active_until is None or window.start < self.active_until
        )


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


def must_exist(where: str, name: str, known: Any) -> None:
    """Raise `ValueError` unless `name` is one of `known`; `where` is its place."""
    if name not in known:
        raise ValueError(f"{where}: no {name!r} is defined; there are: {', '.join(sorted(known)) or 'none'}")
