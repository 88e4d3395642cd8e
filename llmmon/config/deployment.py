"""What llmmon.toml says of one deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llmmon.config.record import Moment, Name, PluginConfig, Record
from llmmon.model import Severity, Window


class LaneConfig(Record):
    """One replay lane: a backend and the variants it runs."""

    backend: Name
    variants: tuple[PluginConfig, ...] = (PluginConfig(type="as_logged"),)


class SampleConfig(Record):
    """How many requests of a window are replayed and how they are spread."""

    per_window: int = Field(20, ge=0)
    strata: tuple[str, ...] = ("route", "status")


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
