"""The judgement of one response."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmmon.model.json import Json, refuse_nan
from llmmon.model.request import Document, Message, last_user_turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorable:
    """What a scorer sees: one response, logged or replayed, in its context.

    Parameters
    ----------
    siblings : tuple of str
        Other replays of the same input on the same lane, for self-consistency.
    sibling_logprobs : tuple of (float or None)
        Mean log-probability of each of `siblings`, in their order; empty where no lane told any.
    mean_logprob : float or None
        Of `text` under the model that wrote it or, for a logged response, under the replay model.
    """

    request_key: int
    lane: str
    variant: str
    repeat: int
    messages: tuple[Message, ...]
    documents: tuple[Document, ...]
    text: str | None
    reference_answer: str | None = None
    siblings: tuple[str, ...] = ()
    sibling_logprobs: tuple[float | None, ...] = ()
    mean_logprob: float | None = None

    @property
    def prompt(self) -> str:
        """The last user turn."""
        return last_user_turn(self.messages) or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch ``[start, end)`` of characters of a response and what is said of it."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One scorer's judgement of one response: a value, or a reason why there is none.

    Parameters
    ----------
    is_failed : bool
        Whether there is no value because the scorer could not do its work, as when an endpoint did not answer: the
        request then counts as failed.
    """

    value: float | None = None
    label: str | None = None
    reason: str | None = None
    spans: tuple[Span, ...] = ()
    evidence: Json = field(default_factory=dict)
    is_failed: bool = False

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a score has either a value or a reason why there is none")
        refuse_nan("score", self.value)
