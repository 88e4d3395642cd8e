"""Scorers over replays, on clusters and probabilities worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmmon.errors import ConfigError
from llmmon.model import Message, Scorable
from llmmon.pipeline.fit_risk import fit_risk
from llmmon.scorers.hallucination_risk import HallucinationRisk
from llmmon.scorers.meaning import contradict, group_by_meaning, numbers
from llmmon.scorers.semantic_entropy import SemanticEntropy, entropy

PRIME = 'Is 17 a prime number? Think step by step and then answer "[Yes]" or "[No]".'


def replay(text: str | None, *siblings: str, prompt: str = PRIME, **fields: Any) -> Scorable:
    """Return a replay of `prompt` beside its siblings."""
    shape: dict[str, Any] = {"request_key": 1, "lane": "reference", "variant": "repeat", "repeat": 0, "documents": ()}
    message = Message(role="user", content=prompt)
    return Scorable(messages=(message,), text=text, siblings=siblings, **{**shape, **fields})


def test_entropy_counts_answers_not_words() -> None:
    """Three reasonings that end in yes and one in no: H = -(3/4 ln 3/4 + 1/4 ln 1/4), whatever the words."""
    texts = ("17 has no divisors. [Yes]", "[Yes]", "Tested up to 4: [Yes]", "17 = 1 x 17, so [No]")
    judge = SemanticEntropy(correction="none")
    scores = [judge.score(replay(text, *texts[:place], *texts[place + 1 :])) for place, text in enumerate(texts)]
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert [score.value for score in scores] == pytest.approx([expected] * 4)
    assert [score.evidence["agreement"] for score in scores] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])
    assert scores[0].evidence["cluster_sizes"] == [3, 1]


def test_an_answer_without_the_form_is_a_meaning_of_its_own() -> None:
    """Who was asked for [Yes] or [No] and gives neither does not agree with either."""
    score = SemanticEntropy(correction="none").score(replay("I cannot say.", "[Yes]", "[No]"))
    assert score.value == pytest.approx(math.log(3))


def test_likelihood_weighs_clusters() -> None:
    """Weights exp(-0.1), exp(-0.1), exp(-2): the share of the second cluster is exp(-2) of their sum."""
    response = replay("[Yes]", "so [Yes]", "[No]", mean_logprob=-0.1, sibling_logprobs=(-0.1, -2.0))
    share = math.exp(-2) / (2 * math.exp(-0.1) + math.exp(-2))
    expected = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert SemanticEntropy(by_likelihood=True).score(response).value == pytest.approx(expected)
    assert SemanticEntropy().score(response).evidence["entropy_by_likelihood"] == pytest.approx(expected)
    untold = replay("[Yes]", "so [Yes]", "[No]", mean_logprob=-0.1, sibling_logprobs=(-0.1, None))
    assert "log-probability" in (SemanticEntropy(by_likelihood=True).score(untold).reason or "")


def test_the_correction_equals_chao_and_shen() -> None:
    """For counts 2, 1 of n = 3: C = 2/3, shares 4/9 and 2/9, each term over 1 - (1 - share)^3."""
    expected = sum(-share * math.log(share) / (1 - (1 - share) ** 3) for share in (4 / 9, 2 / 9))
    assert entropy([2, 1], corrected=True) == pytest.approx(expected)
    assert entropy([4], corrected=True) == 0


def test_the_correction_takes_most_of_the_bias_of_few_replays() -> None:
    """Four equally likely meanings, five replays: the mean of 4,000 draws is nearer to ln 4 than as counted."""
    draws = np.random.default_rng(0).multinomial(5, [0.25] * 4, 4000)
    bias = {
        corrected: np.mean([entropy(row[row > 0].tolist(), corrected=corrected) for row in draws]) - math.log(4)
        for corrected in (False, True)
    }
    assert bias[False] == pytest.approx(-0.37, abs=0.02)
    assert bias[True] == pytest.approx(0.11, abs=0.02)


def test_too_few_replays_are_a_reason() -> None:
    """One sibling is not enough; the reason says how many are."""
    assert "1 other replays of this input; 2 are needed" in (SemanticEntropy().score(replay("a", "b")).reason or "")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("It opened in 1997.", "In 1998.", True),
        ("Three people came.", "3 people came.", False),
        ("About 1,500 of them.", "About 1500.0 of them.", False),
        ("It is legal.", "It isn't legal.", True),
        ("It is not illegal.", "It is not legal.", False),
        ("Never.", "No.", False),
    ],
)
def test_numbers_and_negations_contradict(first: str, second: str, expected: bool) -> None:
    """A number that each lacks, or a negation that one lacks; the wording is for the encoder."""
    assert contradict(first, second) is expected
    assert contradict(second, first) is expected


def test_numbers_are_compared_by_value() -> None:
    """Thousands separators, trailing zeros and words do not matter; one is too often a pronoun."""
    assert numbers("One of twelve, 12.50 and 1,000,000") == {"12", "12.5", "1000000"}


def test_groups_compare_with_the_first_of_each() -> None:
    """Texts equal but for case and punctuation are alike without asking; others as told."""
    asked: list[tuple[str, str]] = []

    def same(first: str, second: str) -> bool:
        asked.append((first, second))
        return first[0] == second[0]

    assert group_by_meaning(["Ab.", "ab", "ax", "Bc", "bd"], "Why?", same) == [0, 0, 1, 2, 3]
    assert ("Ab.", "ab") not in asked


def test_risk_is_the_logistic_of_its_parts() -> None:
    """-1 + 2 x 1/2 + 0.5 x 3 = 1.5; fitted on labels it carries no mark."""
    coefficients = {"intercept": -1.0, "disagreement": 2.0, "token_uncertainty": 0.5}
    response = replay("[Yes]", "so [Yes]", "[No]", mean_logprob=-3.0)
    score = HallucinationRisk(coefficients=coefficients, n_labels=300).score(response)
    assert score.value == pytest.approx(1 / (1 + math.exp(-1.5)))
    assert score.evidence == {"parts": {"disagreement": 0.5, "token_uncertainty": 3.0}}
    assert HallucinationRisk(coefficients=coefficients).score(response).evidence["uncalibrated"] is True


def test_a_missing_part_makes_the_risk_absent() -> None:
    """No part is left out of the sum in silence; the reason names it."""
    coefficients = {"intercept": 0.0, "disagreement": 1.0, "token_uncertainty": 1.0}
    score = HallucinationRisk(coefficients=coefficients).score(replay("[Yes]", "[Yes]", "[No]"))
    assert score.reason == "token_uncertainty: the backend gave no log-probability"


def _write(path: Path, n: int) -> Path:
    random = np.random.default_rng(1)
    rows = []
    for index in range(n):
        n_no = int(random.integers(0, 5))
        label = int(random.random() < 1 / (1 + math.exp(-(-2 + 4 * n_no / 4))))
        siblings = ["[No]"] * n_no + ["[Yes]"] * (4 - n_no)
        rows.append({"prompt": f"{PRIME} ({index})", "response": "[Yes]", "siblings": siblings, "label": label})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_fitting_finds_the_coefficients_that_labels_were_drawn_from(tmp_path: Path) -> None:
    """Labels drawn with logit -2 + 4 x disagreement give about these back, and a calibrated risk."""
    found = fit_risk(_write(tmp_path / "labels.jsonl", 3000), ["disagreement"])
    assert found.n == 3000
    assert found.n_absent == 0
    assert found.coefficients["intercept"] == pytest.approx(-2, abs=0.25)
    assert found.coefficients["disagreement"] == pytest.approx(4, abs=0.4)
    assert found.ece < 0.03
    assert found.auroc > 0.75


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    """Thirty answers do not fix a probability; the error says what there is and what is needed."""
    with pytest.raises(ConfigError, match=r"wrong and \d+ right answers to 30 prompts .* at least 20 of each"):
        fit_risk(_write(tmp_path / "labels.jsonl", 30), ["disagreement"])
