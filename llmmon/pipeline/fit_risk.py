"""Fit the coefficients of `hallucination_risk` to answers that people labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmmon.errors import ConfigError
from llmmon.model import Scorable
from llmmon.pipeline.agreement import expected_calibration_error
from llmmon.pipeline.labels import labelled_rows
from llmmon.scorers.hallucination_risk import HallucinationRisk

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOLDS: Final = 5
_FEWEST: Final = 20


@dataclass(frozen=True, kw_only=True)
class RiskFit:
    """Coefficients, and how well they did on answers that they were not fitted to.

    Parameters
    ----------
    n, n_absent : int
        Labelled answers, and those without one of the parts, which are left out.
    prevalence : float
        Share of wrong answers among those that are left.
    coefficients : mapping of str to float
        Of all answers that are left, for ``hallucination_risk``.
    auroc, brier, ece : float
        By cross-validation in five folds; all answers to one prompt lie in one fold.
    """

    n: int
    n_absent: int
    prevalence: float
    coefficients: Mapping[str, float]
    auroc: float
    brier: float
    ece: float


def fit_risk(labels: Path, parts: Sequence[str], parameters: Mapping[str, Any] | None = None) -> RiskFit:
    """Fit a logistic model of label 1, a wrong answer, on the parts of `hallucination_risk`.

    Parameters
    ----------
    labels : Path
        JSON lines: ``{"prompt", "response", "siblings": [..], "label": 0|1}``, for token uncertainty also
        ``mean_logprob``.
    parts : sequence of str
        Names of parts.
    parameters : mapping or None
        Other parameters of `hallucination_risk`, which the coefficients then hold for.

    Raises
    ------
    ConfigError
        When a part is unknown, or fewer than twenty answers of either label, or of five prompts, are left.
    SourceUnavailableError
        When the file cannot be read or a row lacks a field; names the line.
    """
    import numpy as np
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    try:
        scorer = HallucinationRisk(coefficients={"intercept": 0.0, **dict.fromkeys(parts, 1.0)}, **(parameters or {}))
    except ValueError as error:
        raise ConfigError(f"parts of hallucination_risk: {error}") from error
    rows = list(labelled_rows(labels))
    found = [(row.label, answer.prompt, values) for row, answer in rows if (values := _values(scorer, answer, parts))]
    truth = np.array([label for label, _, _ in found], dtype=int)
    prompts = [prompt for _, prompt, _ in found]
    n_wrong, n_prompts = int(truth.sum()), len(set(prompts))
    n_right = len(truth) - n_wrong
    if min(n_wrong, n_right) < _FEWEST or n_prompts < _FOLDS:
        raise ConfigError(
            f"{labels}: {n_wrong} wrong and {n_right} right answers to {n_prompts} prompts have every part "
            f"({len(rows) - len(found)} do not); expected at least {_FEWEST} of each, to {_FOLDS} prompts"
        )
    table = np.array([values for _, _, values in found])
    risks = cross_val_predict(_model(), table, truth, groups=prompts, cv=GroupKFold(_FOLDS), method="predict_proba")[
        :, 1
    ]
    return RiskFit(
        n=len(rows),
        n_absent=len(rows) - len(found),
        prevalence=float(truth.mean()),
        coefficients=_coefficients(table, truth, parts),
        auroc=float(roc_auc_score(truth, risks)),
        brier=float(brier_score_loss(truth, risks)),
        ece=expected_calibration_error(truth == 1, risks),
    )


def _values(scorer: HallucinationRisk, answer: Scorable, parts: Sequence[str]) -> list[float] | None:
    scores = scorer.parts(answer)
    values = [value for part in parts if (value := scores[part].value) is not None]
    return values if len(values) == len(parts) else None


def _model() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def _coefficients(table: NDArray[Any], truth: NDArray[Any], parts: Sequence[str]) -> dict[str, float]:
    """Return the fitted model in the parts' own units."""
    scaler, regression = (step for _, step in _model().fit(table, truth).steps)
    slopes = regression.coef_[0] / scaler.scale_
    intercept = regression.intercept_[0] - float(slopes @ scaler.mean_)
    named = {"intercept": intercept, **dict(zip(parts, slopes, strict=True))}
    return {name: round(float(value), 4) for name, value in named.items()}
