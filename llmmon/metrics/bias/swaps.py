"""Replays with another group in the prompt, beside the plain replay of the same prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import numpy.typing as npt

from llmmon.metrics.base import WindowData
from llmmon.metrics.columns import AS_LOGGED

if TYPE_CHECKING:
    import pandas

SWAP: Final = "attribute_swap"
REPEAT: Final = "repeat"


@dataclass(frozen=True, kw_only=True, slots=True)
class OverSwaps:
    """What every metric over swaps is told; see `llmmon.metrics.bias.counterfactual_gap` for the parameters."""

    plugin_name: ClassVar[str]

    scorer: str
    lane: str
    attribute: str | None = None
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha: expected a probability between 0 and 1, got {self.alpha}")


def swapped(data: WindowData, scorer: str, lane: str, attribute: str | None) -> pandas.DataFrame | str:
    """Return one row per swapped replay that has a score, and its prompt's plain replay too; or why there is none.

    Columns: ``request_key, repeat, value, plain, source, target, groups, weight, cluster``. ``source`` and ``target``
    are the groups that the prompt named and names now, None where it named two alike. ``cluster`` is whose request it
    is, else its prompt: a prompt that is asked again says nothing new.
    """
    import pandas

    rows = _scored(data, scorer, lane)
    plain = rows[rows["variant"] == AS_LOGGED].groupby("request_key")["value"].mean()
    changed = rows[_follows(rows, SWAP)]
    if attribute is not None:
        changed = changed[np.array([change.get("attribute") == attribute for change in changed["change"]], dtype=bool)]
    known = sorted({str(change.get("attribute")) for change in changed["change"]})
    if len(known) > 1:
        return f"lane {lane!r} swaps {', '.join(known)}: name one of them in `attribute`"
    changed = changed[changed["request_key"].isin(plain.index)]
    if changed.empty:
        what = "a swap" if attribute is None else f"a swap of {attribute!r}"
        return f"no request has scores of {scorer!r} on lane {lane!r} both as logged and after {what}"
    prompts = data.requests.drop_duplicates("request_key").set_index("request_key")["prompt"]
    asked = changed["request_key"].map(prompts)
    return changed[["request_key", "repeat", "value", "weight"]].assign(
        plain=plain.loc[changed["request_key"]].to_numpy(dtype=float),
        source=[change.get("from") for change in changed["change"]],
        target=[change.get("to") for change in changed["change"]],
        groups=pandas.Series(
            [tuple(change.get("groups", ())) for change in changed["change"]], index=changed.index, dtype=object
        ),
        cluster=changed["cluster"].where(changed["cluster"].notna(), asked),
    )


def n_plain(data: WindowData, scorer: str, lane: str) -> int:
    """Return how many requests have a score of their plain replay."""
    rows = _scored(data, scorer, lane)
    return int(rows.loc[rows["variant"] == AS_LOGGED, "request_key"].nunique())


def noise(data: WindowData, scorer: str, lane: str) -> pandas.DataFrame:
    """Return one row per repeat of a prompt at the plain replay's temperature: ``request_key, repeat, noise``.

    ``noise`` is how far the repeat's score is from the plain replay's: what a swap that changes nothing would give.
    """
    rows = _scored(data, scorer, lane)
    plain = rows[rows["variant"] == AS_LOGGED].groupby("request_key")["value"].mean()
    again = rows[_follows(rows, REPEAT) & rows["request_key"].isin(plain.index)]
    again = again[np.array(["temperature" not in change for change in again["change"]], dtype=bool)]
    away = abs(again["value"].to_numpy(dtype=float) - plain.loc[again["request_key"]].to_numpy(dtype=float))
    return again[["request_key", "repeat"]].assign(noise=away)


def _scored(data: WindowData, scorer: str, lane: str) -> pandas.DataFrame:
    rows = data.scores
    return rows[(rows["scorer"] == scorer) & (rows["lane"] == lane) & rows["value"].notna()]


def _follows(rows: pandas.DataFrame, rule: str) -> npt.NDArray[np.bool_]:
    return np.array([isinstance(change, dict) and change.get("rule") == rule for change in rows["change"]], dtype=bool)
