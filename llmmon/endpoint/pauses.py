"""How long to wait before an endpoint is asked again."""

from __future__ import annotations

from dataclasses import dataclass, field

from tenacity import RetryCallState, wait_random_exponential

from llmmon.endpoint.attempt import AttemptFailed


@dataclass(kw_only=True, slots=True)
class Pauses:
    """The pauses between the attempts at one question, for tenacity's ``wait``.

    A pause is random and grows with the attempts, to 15 s at the most; where the server asked for one in Retry-After
    it is that, and a tenth of a random one, so that not everyone comes back at once.

    Parameters
    ----------
    n_asked_for : int
        Pauses so far that the server asked for.
    """

    n_asked_for: int = 0
    _jitter: wait_random_exponential = field(default_factory=lambda: wait_random_exponential(multiplier=0.25, max=15))

    def __call__(self, state: RetryCallState) -> float:
        """Return the seconds to wait after an attempt that raised `AttemptFailed`."""
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, AttemptFailed)
        asked = error.retry_after_s
        if asked is None:
            return self._jitter(state)
        self.n_asked_for += 1
        return asked + self._jitter(state) / 10
