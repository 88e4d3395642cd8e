"""The reduction of one window, and the evidence that a stream of them gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Self

from llmmon.model.json import Json, digest_of, refuse_nan
from llmmon.model.window import Window

Direction = Literal["lower_is_better", "higher_is_better", "neither"]
Severity = Literal["info", "warning", "critical"]
STANDARD_ERROR: Final = "standard_error"
"""Key of an estimate's detail with its standard error, where it has no interval that would hold."""
BETS: Final = "log_bets"
"""Key of an estimate's detail with the logarithm of what each of some fair bets against "no difference" made of 1."""
Stage = Literal["ingest", "sample", "replay", "score", "measure", "detect"]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Segment:
    """A named slice of a deployment's traffic; ``all`` is the whole of it.

    Examples
    --------
    >>> str(Segment(dimension="route", value="chat")), str(Segment())
    ('route=chat', 'all')
    """

    dimension: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        return "all" if self.dimension is None else f"{self.dimension}={self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a metric computes: a value with its interval, or a reason why there is none.

    Parameters
    ----------
    value : float or None
        In the metric's unit.
    n : int
        Rows that went in.
    low, high : float or None
        95% interval. None when the metric cannot state one, with the cause in `reason`.
    reason : str or None
        Why `value` or the interval is absent.
    detail : mapping
        What a person needs to check the number: bins, groups, counts.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    detail: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError("an absent value needs a reason")
        for name in ("value", "low", "high"):
            refuse_nan(name, getattr(self, name))

    @classmethod
    def absent(cls, reason: str, *, n: int = 0, detail: Json | None = None) -> Self:
        """Return the estimate that says why there is no value."""
        return cls(value=None, n=n, reason=reason, detail=detail or {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """How a number was made, so that it can be made again.

    Parameters
    ----------
    kind, plugin : str
        Registry and name, such as ``metrics`` and ``psi``.
    parameters : mapping
        The plug-in's fields.
    code_version, config_digest : str
        llmmon's version and the SHA-256 of the effective configuration.
    """

    kind: str
    plugin: str
    parameters: Json
    code_version: str
    config_digest: str
    model_revision: str | None = None
    seed: int | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 over every field."""
        fields = [self.kind, self.plugin, self.parameters, self.code_version, self.config_digest, self.model_revision]
        return digest_of([*fields, self.seed])


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """An estimate of one metric over one window of one segment."""

    deployment: str
    monitor: str
    segment: str
    window: Window
    estimate: Estimate
    unit: str
    measurement_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a detector says of one window of one stream.

    Parameters
    ----------
    e_value : float or None
        Evidence against "nothing changed" so far; its expectation is at most 1 while nothing changes. None while the
        detector is still learning, with the cause in `reason`.
    relevant : bool
        Whether the change is at least the smallest worth waking someone for.
    reference_value, effect : float or None
        What was expected, and how far the window is from it, in the metric's unit.
    """

    window: Window
    e_value: float | None
    relevant: bool
    value: float | None = None
    reference_value: float | None = None
    effect: float | None = None
    reason: str | None = None
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """A decision to tell someone.

    Parameters
    ----------
    deployment, monitor, segment : str or None
        The stream that changed; None when the alert is about a source.
    source : str or None
        The source whose batches are held.
    """

    alert_id: int
    deployment: str | None
    monitor: str | None
    segment: str | None
    window: Window
    severity: Severity
    title: str
    sentence: str
    opened_at: datetime
    source: str | None = None
    detail: Json = field(default_factory=dict)
