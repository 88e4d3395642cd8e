"""What the metrics of the sentinel share: the probes of one lane, and the account of those that failed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from llmmon.metrics.base import WindowData
from llmmon.model import Estimate

if TYPE_CHECKING:
    import pandas

LANES: Final = ("endpoint", "reference")


def probes_of(data: WindowData, lane: str) -> pandas.DataFrame:
    """Return the probes sent on `lane`, the failed ones among them, sorted."""
    rows = data.probes[data.probes["lane"] == lane]
    return rows.sort_values(["prompt", "window_start", "repeat"])


def why_none(data: WindowData, lane: str) -> str:
    """Return why there are no probes to look at."""
    if data.segment.dimension is not None:
        return "probes are no requests and belong to no segment"
    return f"no probe was sent on lane {lane!r} in this window"


def account(rows: pandas.DataFrame) -> dict[str, Any]:
    """Return how many of the probes failed, and of what."""
    reasons = rows["reason"].dropna().value_counts()
    failed = {str(reason): int(n) for reason, n in sorted(reasons.items(), key=lambda item: str(item[0]))}
    return {"n_failed": sum(failed.values()), "failed": failed}


def mean_over_prompts(distances: Mapping[str, float], n: int, detail: Mapping[str, Any], min_prompts: int) -> Estimate:
    """Return the mean distance over prompts with its interval.

    Prompts are asked independently, so the spread between them bounds the error of their mean from above: prompts that
    really differ only widen Student's interval. Because distances are skewed it is widened by P / (P - 1), as the
    leave-one-out error is (HC3): over simulated answers to 16 prompts it then covers 93% to 98% of the time.

    Parameters
    ----------
    n : int
        Probes sent, failed ones included.
    """
    told = {**detail, "n_prompts": len(distances)}
    if len(distances) < min_prompts:
        return Estimate.absent(
            f"{len(distances)} prompts were answered both now and in the reference windows, asked the same way; "
            f"{min_prompts} are needed",
            n=n,
            detail=told,
        )
    furthest = sorted(distances.items(), key=lambda item: (-item[1], item[0]))[:3]
    told["furthest"] = {prompt: round(distance, 6) for prompt, distance in furthest}
    values = np.sort(np.array(list(distances.values())))  # so that the order of prompts cannot change a sum
    mean = float(values.mean())
    if values[0] == values[-1]:
        reason = f"the distances of all {len(values)} prompts are equal: no spread to take an interval from"
        return Estimate(value=mean, n=n, reason=reason, detail=told)
    from scipy.special import stdtrit

    error = float(values.std(ddof=1)) / math.sqrt(len(values)) * len(values) / (len(values) - 1)
    half = float(stdtrit(len(values) - 1, 0.975)) * error
    return Estimate(value=mean, n=n, low=mean - half, high=mean + half, detail={**told, "interval": "t"})


def short_digest(*parts: object, size: int) -> int:
    """Return a number of `size` bytes that stands for `parts`."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=size).digest())
