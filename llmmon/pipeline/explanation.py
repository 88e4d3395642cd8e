"""What an explanation says, in plain words: names, numbers and ids; never the text of a request or an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmmon.model import Json, Window
from llmmon.pipeline.alert_sentence import amount
from llmmon.pipeline.attribute_change import Told
from llmmon.pipeline.attribution import Share
from llmmon.pipeline.subgroups import Carrier, Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """An alert explained.

    Parameters
    ----------
    statement : str
        What the change comes from, in one or two sentences.
    before, now : mapping
        ``value, low, high, n``, as far as there are any, and a reason otherwise.
    window : str
        Key of the alert's window.
    windows : mapping
        Keys of the windows on both sides, ``reference`` and ``current``.
    reading : str or None
        The value of a request that segments and lanes were compared by, None where there is none.
    requests : list of dict
        The requests that show it best: source, id and time.
    coverage : mapping
        What became of the requests of both sides at every stage.
    next_steps : tuple of str
        What a person may do now.
    explanation_id : int or None
        Number of the stored explanation; None when the newest one already said the same.
    """

    alert_id: int
    deployment: str
    monitor: str
    segment: str
    sentence: str
    state: str
    unit: str
    statement: str
    before: Json
    now: Json
    window: str
    windows: dict[str, list[str]]
    reading: str | None
    reading_unit: str
    search: Search | None
    told: Told
    requests: list[dict[str, Any]]
    coverage: dict[str, list[dict[str, Any]]]
    next_steps: tuple[str, ...]
    explanation_id: int | None = None

    @property
    def cause(self) -> str | None:
        """What carries most of the change; None while it cannot be told."""
        return self.told.cause

    @property
    def n_more(self) -> int | None:
        """About how many more replays may tell it."""
        found = self.told.attribution
        return None if found is None or self.cause is not None else found.n_more


_MEANING = {
    "traffic": "the requests changed: a model that cannot have changed answers them otherwise as well, or kinds of "
    "requests are asked more or less often",
    "model": "the model changed: on requests of the same kind its answers moved away from those of the pinned model",
    "model or serving noise": "answers changed on requests of the same kind, while those of the pinned model did not",
    "serving noise": "what production answered does not come back when the same prompts are asked again",
    "judge": "the judge changed: the same stored answers are judged otherwise now",
}


def statement_of(told: Told, unit: str) -> str:
    """Return what the change comes from, or what is missing to tell it."""
    found = told.attribution
    if told.cause is not None and found is None:
        return f"It comes from {told.cause}: {told.notes[0]}."
    if found is None:
        return f"What it comes from cannot be told: {told.notes[0] if told.notes else 'no request has a value'}."
    if told.cause is None:
        if found.n_more is None or found.cause is not None:
            return "What it comes from cannot be told: a replay lane is missing, see below."
        return f"Cannot tell yet what it comes from: that needs about {found.n_more:,} more replays."
    share = next(share for share in found.shares if share.cause == found.cause)
    return (
        f"Most of it comes from {told.cause} ({signed(share.value, unit)} of {signed(found.total.value, unit)}, "
        f"95% interval {range_of(share, unit)}): {_MEANING[told.cause]}."
    )


def steps_of(told: Told, alert_id: int, windows: dict[str, list[str]], per_window: int) -> tuple[str, ...]:
    """Return what a person may do next."""
    resolve = "if the new level is wanted, resolve the alert: its stream then learns it as normal"
    start = windows["current"][0] if windows["current"] else ""
    by_cause = {
        "traffic": (
            "look at the segments above and at who sends the new requests; nothing needs to be wrong with the model",
            resolve,
        ),
        "model": (
            f"find out what was deployed or switched around {start} UTC; the name in the logs may not have changed: "
            "`llmmon query model_and_config_changes` lists what is known",
            resolve,
        ),
        "serving noise": (
            f"look at load, time-outs and sampling parameters of the endpoint around {start} UTC",
            "when it has passed, resolve the alert",
        ),
        "judge": (
            "compare the scorer's version and parameters between the windows: `llmmon query model_and_config_changes`",
            "let one judge see all windows: `llmmon score` and `llmmon measure` over the reference windows",
        ),
    }
    by_cause["model or serving noise"] = by_cause["model"]
    steps: tuple[str, ...] = by_cause.get(told.cause or "", ())
    if told.cause is None:
        found = told.attribution
        if found is not None and found.n_more:
            n_windows = max(1, len(windows["current"]))
            target = per_window + -(-found.n_more // n_windows)
            steps = (
                f"wait for more windows and run `llmmon explain {alert_id}` again, or raise sample.per_window from "
                f"{per_window} to about {target} and replay the windows again",
            )
        else:
            steps = ("look at the requests and segments above; the notes say what would tell more",)
    return (*steps, f"`llmmon reproduce {alert_id}` computes the alert's numbers again")


def signed(value: float | None, unit: str) -> str:
    """Return a difference with its sign; between shares it is in percentage points.

    Examples
    --------
    >>> signed(0.125, "0/1"), signed(-3.5, "words")
    ('+12.5 pp', '-3.5 words')
    """
    if value is None:
        return "-"
    return f"{'+' if value >= 0 else '-'}{amount(abs(value), unit)}".replace("%", " pp")


def range_of(item: Share | Carrier, unit: str) -> str:
    """Return an interval of a difference."""
    return "-" if item.low is None else f"{signed(item.low, unit)} to {signed(item.high, unit)}"


def label_of(share: Share, told: Told) -> str:
    """Return the cause of a share, with what a missing lane leaves in it."""
    if share.cause != "model":
        return share.cause
    merged = [name for lane, name in (("serving", "serving noise"), ("reference", "traffic")) if not told.lanes[lane]]
    return " or ".join(["model", *merged])


def name_of(carrier: Carrier) -> str:
    """Return a segment as people read it."""
    return " and ".join(f"{field}={value}" for field, value in carrier.segment)


def keys_of(windows: list[Window]) -> list[str]:
    """Return the keys of some windows."""
    return [window.key for window in windows]
