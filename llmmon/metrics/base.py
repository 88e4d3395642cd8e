"""What a metric is: it reduces one window to a value with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from llmmon.model import Direction, Estimate, Segment, Window
from llmmon.registry import Registry

if TYPE_CHECKING:
    import pandas

Summary = dict[str, Any]
"""What a metric keeps of the reference windows: JSON values of bounded size, and nothing a text can be read from."""


@dataclass(frozen=True, kw_only=True)
class WindowData:
    """Everything a metric may look at: one segment of one window, or of several reference windows together.

    A missing number is NaN inside these frames only; a missing text is None.

    Parameters
    ----------
    windows : tuple of Window
        The windows whose rows are in the frames.
    requests : pandas.DataFrame
        One row per logged request: ``request_key, occurred_at, model, model_version, route, tenant, language, status,
        error_type, prompt, response_text, reference_answer, n_input_tokens, n_output_tokens, ttft_ms, latency_ms,
        queue_ms, cost_usd, feedback, cluster``, and one column ``group.<name>`` per group attribute. ``cluster`` is the
        pseudonymous user, else the conversation, None where neither is logged: rows that share it resemble each other.
    scores : pandas.DataFrame
        One row per score: ``request_key, occurred_at, lane, variant, repeat, scorer, value, label, reason, weight,
        change, cluster`` and the ``group.<name>`` columns. ``weight`` is 1 / inclusion probability;
        ``lane`` is ``logged`` for the response production gave; ``change`` is the dict that says what the variant
        changed.
    responses : pandas.DataFrame
        One row per replayed response: ``request_key, lane, variant, repeat, text, reason, ttft_ms, latency_ms,
        n_output_tokens, mean_logprob, logged_mean_logprob, weight, change``.
    probes : pandas.DataFrame
        One row per probe that the sentinel sent: ``window_start, lane, prompt, repeat, text, reason, ttft_ms,
        latency_ms, n_output_tokens, first_logprobs``, a dict or None. Empty in a segment: probes are no requests.
    reviews : pandas.DataFrame
        One row per item that people have judged, of this segment and of up to 366 days before the end of the windows:
        ``request_key, occurred_at, scorer, lane, score, weight, label, n_reviewers, decided_at, same_judge``. ``label``
        is the mean of the reviewers' last words, NaN where none could tell; ``score`` is the scorer's when the item was
        drawn, ``same_judge`` whether that scorer has the same parameters and version now.
    anchors : pandas.DataFrame
        One row per anchor that was judged again for these windows or up to two days before: ``scorer, window_start,
        fixed, value, reason``; ``fixed`` is its score when it became an anchor. Empty in a segment.
    """

    windows: tuple[Window, ...]
    segment: Segment
    requests: pandas.DataFrame
    scores: pandas.DataFrame
    responses: pandas.DataFrame
    probes: pandas.DataFrame
    reviews: pandas.DataFrame
    anchors: pandas.DataFrame

    @cached_property
    def is_answered(self) -> npt.NDArray[np.bool_]:
        """Which requests did not fail; asked by every metric over a numeric column, so compared once."""
        return np.asarray(self.requests["status"].to_numpy() == "ok", dtype=bool)


class Metric(Protocol):
    """Reduces ONE window of one segment to a value with n and an interval.

    Attributes
    ----------
    needs_reference : bool
        Whether `compute` compares with reference windows; the metric is then a `ReferenceMetric`.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str]
    direction: ClassVar[Direction]
    needs_reference: ClassVar[bool]

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Reduce `current`; an empty window gives None and a reason, and so does a missing or empty reference."""
        ...


@runtime_checkable
class ReferenceMetric(Metric, Protocol):
    """A metric that compares with the reference windows, through a summary that is made once and stored.

    So a check costs what the current window costs, and needs no row of the reference.

    Attributes
    ----------
    summary_version : int
        Raised when `summarise` gives another summary for the same rows: stored ones are then made anew.
    """

    summary_version: ClassVar[int]

    def summarise(self, reference: WindowData) -> Summary:
        """Return what `compute` needs of the reference windows; windows without rows have a summary too."""
        ...


metrics: Registry[Metric] = Registry("metrics")
