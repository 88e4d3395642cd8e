"""How far the log-probabilities of the first token are from those of the reference windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import require
from llmmon.metrics.identity.answers import LANES, account, mean_over_prompts, probes_of, short_digest, why_none
from llmmon.model import Direction, Estimate


@metrics.register("probe_logprob_gap")
@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeLogprobGap:
    r"""Gap between first-token log-probabilities now and in the reference windows, mean over tokens and prompts.

    0 when the endpoint computes the very same numbers. Serving noise (batches, other hardware) puts it a little above,
    as much in the reference windows, which is what a detector learns. It sees a quantised or lightly fine-tuned model
    from one token of output; not other sampling, because log-probabilities are told before temperature. Without
    log-probabilities use `probe_mmd`.

    Parameters
    ----------
    lane, against : str
        Whose answers of this window, and whose of the reference windows: ``endpoint`` or ``reference``. Two backends
        may name tokens differently and tell log-probabilities of different precision.
    min_prompts : int
        Prompts that must have log-probabilities on both sides.

    Notes
    -----
    For each prompt and token the mean is taken over the answers of a side. Only the likeliest tokens are told: in an
    answer that does not list a token, the least of those it lists stands for it. A token that one side never lists is
    known to lie at or below that side's floor, so only what exceeds the floor counts as gap. The interval is Student's
    over prompts, widened.

    References
    ----------
    T. Chauvin et al., "Log Probability Tracking of LLM APIs", ICLR 2026, arXiv 2512.03816, whose statistic this is for
    several prompts; their permutation test is left to the detector, which may look at every window.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "nats"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    lane: str = "endpoint"
    against: str = "endpoint"
    min_prompts: int = 3

    def __post_init__(self) -> None:
        require("lane", self.lane, LANES)
        require("against", self.against, LANES)
        if self.min_prompts < 2:
            raise ValueError(f"min_prompts: expected at least 2, got {self.min_prompts}")

    def summarise(self, reference: WindowData) -> Summary:
        """Return, for each prompt, the mean log-probability of each token and of the least likely one told."""
        return {"prompts": _means(reference, self.against)}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the mean gap with its interval."""
        rows = probes_of(current, self.lane)
        if rows.empty:
            return Estimate.absent(why_none(current, self.lane))
        if reference is None:
            return Estimate.absent("no reference windows", n=len(rows))
        now, before = _means(current, self.lane), reference["prompts"]
        if not now and rows["text"].notna().any():
            return Estimate.absent(
                f"lane {self.lane!r} tells no log-probabilities; use probe_mmd", n=len(rows), detail=account(rows)
            )
        gaps = {prompt: _gap(found, before[prompt]) for prompt, found in now.items() if prompt in before}
        detail = {
            **account(rows),
            "n_reference": sum(before[prompt]["n"] for prompt in gaps),
            "lane": self.lane,
            "against": self.against,
        }
        return mean_over_prompts(gaps, len(rows), detail, self.min_prompts)


def _means(data: WindowData, lane: str) -> dict[str, dict[str, Any]]:
    rows = probes_of(data, lane)
    told = rows[rows["first_logprobs"].map(bool).astype(bool)]
    return {
        str(prompt): _mean_of(str(prompt), list(answers))
        for prompt, answers in told.groupby("prompt", sort=True)["first_logprobs"]
    }


def _mean_of(prompt: str, answers: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    floors = [min(answer.values()) for answer in answers]
    tokens = sorted({token for answer in answers for token in answer})
    means = {
        # a digest, so that the summary holds no word of an answer
        f"{short_digest(prompt, token, size=8):x}": math.fsum(
            answer.get(token, floor) for answer, floor in zip(answers, floors, strict=True)
        )
        / len(answers)
        for token in tokens
    }
    return {"n": len(answers), "floor": math.fsum(floors) / len(floors), "tokens": means}


def _gap(now: Mapping[str, Any], before: Mapping[str, Any]) -> float:
    tokens = sorted({*now["tokens"], *before["tokens"]})
    return math.fsum(_token_gap(token, now, before) for token in tokens) / len(tokens)


def _token_gap(token: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> float:
    ours, theirs = now["tokens"].get(token), before["tokens"].get(token)
    if ours is None:
        return float(max(0.0, theirs - now["floor"]))
    if theirs is None:
        return float(max(0.0, ours - before["floor"]))
    return float(abs(ours - theirs))
