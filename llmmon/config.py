"""llmmon.toml, read once into typed, validated, frozen records.

A plug-in is written as its name (``"reference_change"``) or as a table (``{type = "psi", bins = 20}``). ``${NAME}`` is
an environment variable, ``${NAME:-value}`` falls back, and ``${here}`` is the folder that llmmon.toml lies in.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from llmmon.errors import ConfigError
from llmmon.model import Severity, Window, digest_of
from llmmon.registry import Registry

T = TypeVar("T")
Judgement = Literal["off", "warn", "hold"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
EntityType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


def _require_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("expected a time with a zone, such as 2023-06-01T06:00:00Z")
    return moment.astimezone(UTC)


R = TypeVar("R", bound="_Record")
Moment = Annotated[datetime, AfterValidator(_require_utc)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginConfig(_Record):
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


class GateConfig(_Record):
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


class SourceConfig(_Record):
    """Where request logs come from."""

    read: PluginConfig
    max_rows_per_batch: int = Field(10_000, ge=1)
    gate: GateConfig = GateConfig()
    channels: tuple[Name, ...] | None = None


class LaneConfig(_Record):
    """One replay lane: a backend and the variants it runs."""

    backend: Name
    variants: tuple[PluginConfig, ...] = (PluginConfig(type="as_logged"),)


class SampleConfig(_Record):
    """How many requests of a window are replayed and how they are spread."""

    per_window: int = Field(20, ge=0)
    strata: tuple[str, ...] = ("route", "status")


class ScorerConfig(_Record):
    """A scorer and the responses it judges: every logged one, or those of sampled requests; and replay lanes."""

    judge: PluginConfig
    scope: Literal["all", "sample"] = "all"
    lanes: tuple[str, ...] = ("logged",)


class MonitorConfig(_Record):
    """One metric watched by one detector."""

    metric: PluginConfig
    segments: tuple[str, ...] = ()
    detector: PluginConfig = PluginConfig(type="reference_change")
    min_effect: float = Field(ge=0)
    severity: Severity = "warning"
    channels: tuple[Name, ...] | None = None
    description: str = ""


class DeploymentConfig(_Record):
    """What is watched: a served model under a route."""

    description: str = ""
    source: Name
    active_from: Moment | None = None
    active_until: Moment | None = None
    reference_windows: int = Field(6, ge=3)
    sample: SampleConfig = SampleConfig()
    lanes: Mapping[Name, LaneConfig] = {}
    scorers: Mapping[Name, ScorerConfig] = {}
    monitors: Mapping[Name, MonitorConfig] = {}
    alpha: float | None = Field(None, gt=0, lt=1)

    def is_active(self, window: Window) -> bool:
        """Return whether any part of `window` lies in the deployment's lifetime."""
        return (self.active_from is None or window.end > self.active_from) and (
            self.active_until is None or window.start < self.active_until
        )


class RetentionConfig(_Record):
    """Days that rows are kept; the AI Act asks for at least six months of logs."""

    request_log_days: int = Field(365, ge=1)
    quarantine_days: int = Field(365, ge=1)
    report_days: int = Field(90, ge=1)


class NamesConfig(_Record):
    """A token-classification model that finds names; its labels without B- and I-, and what they are called here."""

    model: str = Field(min_length=1)
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    labels: Mapping[str, EntityType] = {"PER": "PERSON", "PERSON": "PERSON"}
    min_confidence: float = Field(0.5, ge=0, le=1)


class PrivacyConfig(_Record):
    """What is replaced in the texts of requests before they are stored; all there is unless told otherwise."""

    redact: bool | tuple[str, ...] = True
    patterns: Mapping[EntityType, str] = {}
    names: NamesConfig | None = None
    min_confidence: float = Field(0.4, ge=0, le=1)


class Config(_Record):
    """The whole deployment of llmmon, as data."""

    window_hours: float = Field(1, gt=0, le=24)
    alpha: float = Field(0.05, gt=0, lt=1)
    expire_after_hours: float = Field(48, gt=0)
    ui_url: str | None = None
    sources: Mapping[Name, SourceConfig]
    backends: Mapping[Name, PluginConfig] = {}
    deployments: Mapping[Name, DeploymentConfig]
    channels: Mapping[Name, PluginConfig] = {}
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
                _must_exist(f"sources.{name}.channels", channel, self.channels)
        for name, deployment in self.deployments.items():
            here = f"deployments.{name}"
            _must_exist(f"{here}.source", deployment.source, self.sources)
            for lane_name, lane in deployment.lanes.items():
                _must_exist(f"{here}.lanes.{lane_name}.backend", lane.backend, self.backends)
            for scorer_name, scorer in deployment.scorers.items():
                for lane_name in scorer.lanes:
                    _must_exist(f"{here}.scorers.{scorer_name}.lanes", lane_name, {"logged", *deployment.lanes})
            for monitor_name, monitor in deployment.monitors.items():
                where = f"{here}.monitors.{monitor_name}"
                if "scorer" in monitor.metric.parameters:
                    _must_exist(f"{where}.metric.scorer", monitor.metric.parameters["scorer"], deployment.scorers)
                for channel in monitor.channels or ():
                    _must_exist(f"{where}.channels", channel, self.channels)
        return self


def _must_exist(where: str, name: str, known: Any) -> None:
    if name not in known:
        raise ValueError(f"{where}: no {name!r} is defined; there are: {', '.join(sorted(known)) or 'none'}")


class AnchorerConfig(_Record):
    """Where the anchorer sends signed heads of the audit ledger; a file of its own, which only the anchorer reads.

    Parameters
    ----------
    deliver : mapping of str to float
        For each channel the fewest minutes between two heads. At least two, better in different hands.
    silence_minutes : float
        Without a new event, or with one that is not sealed, for so long, the channels are told.
    recheck_hours : float
        How often every event is read again, from the first on.
    """

    channels: Mapping[Name, PluginConfig]
    deliver: Annotated[Mapping[Name, float], Field(min_length=2)]
    silence_minutes: float = Field(5, gt=0)
    recheck_hours: float = Field(24, gt=0)

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for name, minutes in self.deliver.items():
            _must_exist("deliver", name, self.channels)
            if minutes < 0:
                raise ValueError(f"deliver.{name}: expected minutes, 0 for every head, got {minutes:g}")
        return self


def load_config(path: Path) -> Config:
    """Read and validate llmmon.toml.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was found and what was expected.
    """
    raw = _read(path, "`llmmon init` writes a commented one")
    return _validated(Config, {**_expand(raw, path, ""), "digest": digest_of(_json_ready(raw)).hex()}, path)


def load_anchorer_config(path: Path) -> AnchorerConfig:
    """Read and validate the anchorer's file.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was found and what was expected.
    """
    return _validated(AnchorerConfig, _expand(_read(path, "docs/auditor.md shows one"), path, ""), path)


def _read(path: Path, help_text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {help_text}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _validated(record: type[R], raw: Mapping[str, Any], path: Path) -> R:
    try:
        return record.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{path}: " + f"\n{path}: ".join(lines)) from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; see docs/configuration.md for the keys of this table"
    if problem["type"] == "missing":
        return f"{key}: missing; this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    found = problem.get("input")
    return f"{key}: {message}" + (f", got {found!r}" if isinstance(found, (str, int, float, bool)) else "")


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _expand(value: Any, path: Path, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _expand(item, path, f"{key}.{name}" if key else name) for name, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, path, f"{key}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, fallback = match.groups()
        if name == "here":
            return str(path.resolve().parent)
        found = os.environ.get(name, fallback)
        if found is None:
            raise ConfigError(
                f"{path}: {key}: the environment variable {name} is not set; set it or write ${{{name}:-value}}"
            )
        return found

    return _VARIABLE.sub(replace, value)


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
