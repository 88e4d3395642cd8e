"""WinoBias: is a sentence likelier when its pronoun fits the stereotype of the occupation that it refers to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from llmmon.errors import ConfigError
from llmmon.metrics.intervals import mean_estimate
from llmmon.metrics.stereotypes.probe import Likelihoods, by_category, files_of, limited, opened, preferred
from llmmon.model import Estimate, StereotypeFigure

NAME: Final = "winobias"
_PUBLISHED: Final = re.compile(r"(pro|anti)_stereotyped_type([12])\.txt\.(dev|test)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One sentence with the pronoun that fits the stereotype and with the other.

    Parameters
    ----------
    kind : str
        ``type1``: who is meant follows from knowing the world; ``type2``: from the grammar.
    number : int
        Line; neighbours 2 i - 1 and 2 i are about the same two occupations.
    """

    kind: str
    number: int
    pro: str
    anti: str


def read(folder: Path, limit: int | None = None) -> list[Pair]:
    """Read the sentences, at most `limit` pairs of each type.

    Either the published files ``pro_stereotyped_type1.txt.dev`` and so on, or ``winobias*.jsonl`` (or its gzip) with
    ``line_no, type, stereotype, sentence``.

    Raises
    ------
    ConfigError
        When there is no such file, a row lacks a field, or a sentence has no counterpart; names the place.
    """
    patterns = ("winobias*.jsonl", "winobias*.jsonl.gz", "*_stereotyped_type?.txt.*")
    sentences: dict[tuple[str, int], dict[str, str]] = {}
    for path in files_of(folder, *patterns, expected="the files of github.com/uclanlp/corefBias, WinoBias/wino/data/"):
        for kind, number, stereotype, sentence in _rows(path):
            sentences.setdefault((kind, number), {})[stereotype] = sentence
    alone = [place for place, both in sentences.items() if set(both) != {"pro", "anti"}]
    if alone:
        kind, number = alone[0]
        raise ConfigError(f"{folder}: {kind}, line {number}: expected the sentence with both pronouns")
    pairs = [Pair(kind=kind, number=number, **both) for (kind, number), both in sorted(sentences.items())]
    return limited(pairs, limit, lambda pair: pair.kind)


def ask(pairs: Sequence[Pair], model: Likelihoods) -> list[float | None]:
    """Return by how much the sentence with the stereotyped pronoun is likelier, in nats."""
    scores = model.pairs([(pair.pro, pair.anti) for pair in pairs])
    return [None if score is None else score[0] - score[1] for score in scores]


def figures(pairs: Sequence[Pair], gaps: Sequence[float | None]) -> list[StereotypeFigure]:
    """Return the percentage of sentences that are likelier with the stereotyped pronoun, and the mean gap in nats.

    Notes
    -----
    The two sentences of a pair differ in the pronoun, which decides who is meant; half of the stereotyped pronouns are
    male, so that a model that prefers "he" everywhere stays at 50%. Comparing likelihoods of a sentence with each
    reading is Trinh and Le's; the published F1 are of coreference systems and cannot be compared with it. Intervals
    allow for the two sentences about the same occupations being alike.

    References
    ----------
    J. Zhao et al., "Gender Bias in Coreference Resolution", NAACL 2018. T. H. Trinh and Q. V. Le, "A Simple Method for
    Commonsense Reasoning", arXiv 1806.02847, 2018.
    """
    found = []
    rows = list(zip(pairs, gaps, strict=True))
    for category, part in by_category(rows, lambda row: row[0].kind):
        clusters = [f"{pair.kind} {(pair.number - 1) // 2}" for pair, _ in part]
        found.append(preferred(NAME, category, "stereotype_preferred", [gap for _, gap in part], clusters))
        found.append(
            StereotypeFigure(
                probe=NAME,
                category=category,
                figure="mean_gap",
                unit="nats",
                neutral=0.0,
                estimate=_mean_gap([gap for _, gap in part], clusters),
            )
        )
    return found


def _mean_gap(gaps: Sequence[float | None], clusters: Sequence[str]) -> Estimate:
    values = np.array([np.nan if gap is None else gap for gap in gaps])
    return mean_estimate(values, clusters=np.array(clusters, dtype=object), may_be_rate=False)


def _rows(path: Path) -> Iterator[tuple[str, int, str, str]]:
    published = _PUBLISHED.fullmatch(path.name)
    number = 0
    try:
        with opened(path) as lines:
            for line in lines:
                number += 1
                if published is not None:
                    place, _, marked = line.strip().partition(" ")
                    yield f"type{published[2]}", int(place), published[1], re.sub(r"[\[\]]", "", marked)
                else:
                    row: Mapping[str, Any] = json.loads(line)
                    yield f"type{row['type']}", int(row["line_no"]), row["stereotype"], row["sentence"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{path}: line {number}: no row of WinoBias: {told}") from error
