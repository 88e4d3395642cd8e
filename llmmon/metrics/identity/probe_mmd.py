"""How far the sampled answers to the sentinel's prompts are from those of the reference windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from llmmon.metrics.base import Summary, WindowData, metrics
from llmmon.metrics.columns import require
from llmmon.metrics.identity.answers import LANES, account, mean_over_prompts, probes_of, short_digest, why_none
from llmmon.model import Direction, Estimate

_BUCKETS: Final = 256
Places = Sequence[Mapping[str, int]]
"""For each place of the answers to one prompt, how many answers have what there, by bucket."""


@metrics.register("probe_mmd")
@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeMmd:
    r"""Squared maximum mean discrepancy between this window's answers and the reference windows', mean over prompts.

    0 when the answers have one distribution, whatever that is: the estimate is unbiased, so that serving noise (seeds,
    batches) puts it below 0 as often as above. It sees another model, a quantised one, another system prompt and other
    sampling, from text alone. Where the endpoint tells log-probabilities, `probe_logprob_gap` sees smaller changes with
    fewer probes; it does not see other sampling.

    Parameters
    ----------
    lane : str
        Whose answers of this window: ``endpoint`` or ``reference``.
    against : str
        Whose answers of the reference windows. ``endpoint``: did the endpoint change? ``reference``: is it what the
        pinned reference is? With both ``reference``, nothing but serving noise is left to see.
    by : str
        What the answers are compared by, place by place: ``words`` or ``characters``.
    places : int
        Of each answer, from its beginning.
    min_prompts : int
        Prompts that must be answered at least twice on both sides.

    Notes
    -----
    The kernel is the Hamming kernel, the share of `places` at which two answers agree; past its end an answer agrees
    with others that ended. Over n answers now and m before, with :math:`c_{pb}` and :math:`d_{pb}` of them having b at
    place p of L,

    .. math:: \mathrm{MMD}^2 = \frac1L \sum_{p,b} \frac{c_{pb}(c_{pb}-1)}{n(n-1)} + \frac{d_{pb}(d_{pb}-1)}{m(m-1)}
       - 2\,\frac{c_{pb} d_{pb}}{n m},

    the U-statistic of Gretton et al., between -1 and 2. What stands at a place falls into one of 256 buckets by a
    digest, which is a kernel too: the summary of the reference windows holds these counts and no word of an answer.
    The interval is Student's over prompts, widened. A failed probe has no answer; it stays in n and is told in the
    detail.

    References
    ----------
    I. Gao, P. Liang, C. Guestrin, "Model Equality Testing: Which Model Is This API Serving?", ICLR 2025, arXiv
    2410.20247. A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, lemma 6.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "MMD^2"
    direction: ClassVar[Direction] = "lower_is_better"
    needs_reference: ClassVar[bool] = True
    summary_version: ClassVar[int] = 1

    lane: str = "endpoint"
    against: str = "endpoint"
    by: str = "words"
    places: int = 5
    min_prompts: int = 3

    def __post_init__(self) -> None:
        require("lane", self.lane, LANES)
        require("against", self.against, LANES)
        require("by", self.by, ("words", "characters"))
        for name, least in (("places", 1), ("min_prompts", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")

    def summarise(self, reference: WindowData) -> Summary:
        """Return, for each prompt, how many answers there are and what they have at each place."""
        return {"prompts": self._counted(reference, self.against)}

    def compute(self, current: WindowData, reference: Summary | None) -> Estimate:
        """Return the mean distance with its interval."""
        rows = probes_of(current, self.lane)
        if rows.empty:
            return Estimate.absent(why_none(current, self.lane))
        if reference is None:
            return Estimate.absent("no reference windows", n=len(rows))
        before = reference["prompts"]
        distances = {
            prompt: _mmd2(now, before[prompt], self.places)
            for prompt, now in self._counted(current, self.lane).items()
            if prompt in before and min(now["n"], before[prompt]["n"]) >= 2
        }
        detail = {
            **account(rows),
            "n_reference": sum(before[prompt]["n"] for prompt in distances),
            "lane": self.lane,
            "against": self.against,
        }
        return mean_over_prompts(distances, len(rows), detail, self.min_prompts)

    def _counted(self, data: WindowData, lane: str) -> dict[str, dict[str, Any]]:
        rows = probes_of(data, lane)
        answered = rows[rows["text"].notna()]
        return {
            str(prompt): {"n": len(texts), "places": self._places(str(prompt), list(texts))}
            for prompt, texts in answered.groupby("prompt", sort=True)["text"]
        }

    def _places(self, prompt: str, texts: Sequence[str]) -> Places:
        answers = [text.split()[: self.places] if self.by == "words" else text[: self.places] for text in texts]
        return [
            Counter(
                str(short_digest(prompt, place, answer[place], size=4) % _BUCKETS) if place < len(answer) else "end"
                for answer in answers
            )
            for place in range(self.places)
        ]


def _mmd2(now: Mapping[str, Any], before: Mapping[str, Any], n_places: int) -> float:
    n, m = now["n"], before["n"]
    total = 0.0
    for ours, theirs in zip(now["places"], before["places"], strict=True):
        within = sum(c * (c - 1) for c in ours.values()) / (n * (n - 1))
        within += sum(c * (c - 1) for c in theirs.values()) / (m * (m - 1))
        between = sum(c * theirs.get(bucket, 0) for bucket, c in ours.items()) / (n * m)
        total += within - 2 * between
    return total / n_places
