"""Statistics of answers' texts, row by row."""

from __future__ import annotations

import functools
import re
import zlib

import numpy as np

from benchmarks.alarms import data
from benchmarks.alarms.data import Floats

_REFUSAL = re.compile(
    r"\b(i['\u2019]?m sorry|i apologi[sz]e|as an ai\b|i can(?:no|['\u2019])t|i(?: a|['\u2019])m (?:not able|unable))",
    re.I,
)
N_FEATURES = 8


@functools.cache
def columns(model: str) -> dict[str, tuple[Floats, bool]]:
    """Return per statistic its value for each of a model's answers in drift_arena_hard, and whether it is a rate."""
    answers = data.arena_answers()[model]
    found: dict[str, tuple[Floats, bool]] = {
        "words": (np.array([float(len(text.split())) for text in answers]), False),
        "sentences": (np.array([float(len(re.findall(r"[.!?](?:\s|$)", text))) for text in answers]), False),
        "refusal-like": (np.array([float(bool(_REFUSAL.search(text[:300]))) for text in answers]), True),
        "code": (np.array([float("```" in text) for text in answers]), True),
        "list": (np.array([float(bool(re.search(r"(?m)^\s*(?:[-*]|\d+\.)\s", text))) for text in answers]), True),
    }
    for index, feature in enumerate(_embedding(answers).T):
        found[f"embedding {index}"] = (feature, False)
    return found


def _embedding(answers: list[str]) -> Floats:
    """Return a random projection of hashed word counts, each answer at length 1: what a cheap embedding gives."""
    counts = np.zeros((len(answers), 1024))
    for row, text in enumerate(answers):
        for word in re.findall(r"\w+", text.lower()):
            counts[row, zlib.crc32(word.encode()) % 1024] += 1
    counts = np.sqrt(counts)
    counts /= np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-12)
    return counts @ np.random.default_rng(7).standard_normal((1024, N_FEATURES))
