"""What is replayed, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmmon.model.json import Json
from llmmon.model.request import Document, Message
from llmmon.model.window import Window

LOGGED = "logged"
"""Lane of the response that production really gave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A request drawn for replay.

    Parameters
    ----------
    probability : float
        Inclusion probability in (0, 1]; its inverse is the weight of the request in an estimate.
    stratum : str
        Values of the strata joined by ``|``.
    seed : int
        Fixes every random choice made for this sample.
    """

    sample_id: int
    request_key: int
    deployment: str
    window: Window
    stratum: str
    probability: float
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayItem:
    """One generation to run: a sample, on a lane, through a variant.

    Parameters
    ----------
    lane : str
        Name of the replay lane in the configuration, such as ``reference`` or ``serving``.
    variant, repeat
        How the input was derived and which copy this is (0 for the first).
    change : mapping
        What the variant changed, by which rule; empty for ``as_logged``. ``temperature``, ``max_tokens`` and
        ``logprobs`` (how many likeliest first tokens are told) stand for the backend's own.
    logged_response : str or None
        Scored by teacher forcing where the backend can.
    """

    sample_id: int
    request_key: int
    lane: str
    variant: str
    repeat: int
    messages: tuple[Message, ...]
    documents: tuple[Document, ...]
    parameters: Json
    seed: int
    change: Json = field(default_factory=dict)
    logged_response: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What came back from replaying one item; `reason` says why when nothing did.

    Parameters
    ----------
    mean_logprob : float or None
        Mean log-probability per token of the generated text, in nats.
    logged_mean_logprob : float or None
        The same for the logged response under this model, by teacher forcing.
    ttft_ms, latency_ms : float or None
        Measured on the client; in a batch, of the whole batch and so marked in `detail`.
    first_logprobs : mapping or None
        Log-probabilities, in nats, of the likeliest first tokens; None where they were not asked for or not told.
    """

    item: ReplayItem
    backend: str
    model: str
    model_revision: str | None
    text: str | None = None
    reason: str | None = None
    finish_reason: str | None = None
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    mean_logprob: float | None = None
    logged_mean_logprob: float | None = None
    first_logprobs: Mapping[str, float] | None = None
    detail: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.text is None) == (self.reason is None):
            raise ValueError("a response has either text or a reason why there is none")
