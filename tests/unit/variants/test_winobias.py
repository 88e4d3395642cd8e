"""A sentence of WinoBias with its gender swapped is the other sentence of its pair."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.bias.winobias import differ_in_one_word, pairs, share_swapped

ROWS = [json.loads(line) for line in Path(__file__).with_name("data").joinpath("winobias_pairs.jsonl").open()]


def test_a_pro_stereotypical_sentence_becomes_the_other_of_its_pair() -> None:
    """Nine in ten of the sampled pairs that differ in one word; two objects of one verb ("gave her advice") are not."""
    found = [(row["pro"], row["anti"]) for row in ROWS if differ_in_one_word(row["pro"], row["anti"])]
    assert len(found) >= 20
    assert share_swapped(found) >= 0.9


@pytest.mark.skipif("LLMMON_DATA" not in os.environ, reason="LLMMON_DATA names no folder of public data")
def test_all_pairs_of_the_development_set() -> None:
    """At least 95% of those that differ in the pronoun only."""
    found = pairs(Path(os.environ["LLMMON_DATA"]))
    assert len(found) > 700
    assert share_swapped(found) >= 0.95
