"""One probability that an answer is wrong, from what its replays and its tokens say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final

from llmmon.model import Direction, Scorable, Score
from llmmon.scorers.base import scorers
from llmmon.scorers.self_consistency import SelfConsistency
from llmmon.scorers.semantic_entropy import SemanticEntropy
from llmmon.scorers.token_uncertainty import TokenUncertainty

PARTS: Final = ("self_consistency", "semantic_entropy", "disagreement", "token_uncertainty")
"""What can be combined: mean similarity of the replays, their semantic entropy in nats (as counted), the share of the
other replays that mean something else than this one, and the mean surprise per token in nats."""
_GIVEN: Final = MappingProxyType({"intercept": -1.0, "disagreement": 2.0})


@scorers.register("hallucination_risk")
@dataclass(frozen=True, kw_only=True, slots=True)
class HallucinationRisk:
    """Combine self-consistency, semantic entropy and token uncertainty into one probability of a wrong answer.

    A logistic model: 1 / (1 + exp(-(intercept + sum of coefficient x part))). ``llmmon fit-risk`` fits its coefficients
    to answers of yours that people labelled, and prints the line for the configuration. As shipped the coefficients are
    only an order: more disagreement, more risk. The value is then no probability, and its evidence says
    ``uncalibrated``.

    Parameters
    ----------
    coefficients : mapping of str to float
        ``intercept`` and any of ``self_consistency``, ``semantic_entropy``, ``disagreement``, ``token_uncertainty``. A
        part that is named here and cannot be had for a response makes the whole absent; none is left out silently.
    n_labels : int
        Labelled answers that the coefficients were fitted to; 0: none, and every value is marked.
    min_siblings, min_similarity, model, revision, device : as in ``semantic_entropy``
        `n_labels` holds for them as they were when fitted.

    References
    ----------
    J. Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood Methods",
    1999: a logistic model over scores. The parts: see the scorers of their names.
    """

    plugin_name: ClassVar[str]
    unit: ClassVar[str] = "probability"
    direction: ClassVar[Direction] = "lower_is_better"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1

    coefficients: Mapping[str, float] = field(default_factory=lambda: dict(_GIVEN))
    n_labels: int = 0
    min_siblings: int = 2
    min_similarity: float = 0.8
    model: str | None = None
    revision: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.coefficients) - {"intercept", *PARTS})
        if unknown:
            raise ValueError(f"coefficients: expected intercept and some of {', '.join(PARTS)}, got {unknown[0]!r}")
        if not set(self.coefficients) & set(PARTS):
            raise ValueError(f"coefficients: expected at least one of {', '.join(PARTS)}")
        if not all(math.isfinite(value) for value in self.coefficients.values()):
            raise ValueError("coefficients: expected finite numbers")
        if self.n_labels < 0:
            raise ValueError(f"n_labels: expected at least 0, got {self.n_labels}")
        self._entropy()  # refuses its own parameters

    def score(self, response: Scorable) -> Score:
        """Return the risk with its parts as evidence, or the reason why a part is missing."""
        found = self.parts(response)
        missing = [f"{part}: {score.reason}" for part, score in found.items() if score.value is None]
        if missing:
            return Score(reason="; ".join(missing))
        parts = {part: score.value for part, score in found.items() if score.value is not None}
        exponent = self.coefficients.get("intercept", 0.0)
        exponent += sum(self.coefficients[part] * value for part, value in parts.items())
        evidence = {"parts": parts, **({} if self.n_labels else {"uncalibrated": True})}
        return Score(value=_logistic(exponent), evidence=evidence)

    def parts(self, response: Scorable) -> dict[str, Score]:
        """Return each part that has a coefficient, as a score of its own."""
        found: dict[str, Score] = {}
        if "self_consistency" in self.coefficients:
            found["self_consistency"] = SelfConsistency(min_siblings=self.min_siblings).score(response)
        if {"semantic_entropy", "disagreement"} & set(self.coefficients):
            entropy = self._entropy().score(response)
            for part in ("semantic_entropy", "disagreement"):
                if part in self.coefficients:
                    found[part] = entropy if entropy.value is None else _part_of(entropy, part)
        if "token_uncertainty" in self.coefficients:
            found["token_uncertainty"] = TokenUncertainty().score(response)
        return found

    def _entropy(self) -> SemanticEntropy:
        return SemanticEntropy(
            min_siblings=self.min_siblings,
            min_similarity=self.min_similarity,
            model=self.model,
            revision=self.revision,
            device=self.device,
            # the correction scatters, and a fitted coefficient takes the bias in
            correction="none",
        )


def _part_of(entropy: Score, part: str) -> Score:
    return entropy if part == "semantic_entropy" else Score(value=1 - float(entropy.evidence["agreement"]))


def _logistic(exponent: float) -> float:
    if exponent >= 0:
        return 1 / (1 + math.exp(-exponent))
    return math.exp(exponent) / (1 + math.exp(exponent))  # never overflows
