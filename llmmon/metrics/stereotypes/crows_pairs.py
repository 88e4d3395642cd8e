"""CrowS-Pairs: which of two sentences, one more stereotyped than the other, a model finds likelier."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmmon.errors import ConfigError
from llmmon.metrics.stereotypes.probe import Likelihoods, by_category, files_of, limited, opened, preferred
from llmmon.model import StereotypeFigure

NAME: Final = "crows_pairs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two sentences about different groups, the more stereotyped first."""

    pair_id: str
    more: str
    less: str
    bias_type: str


def read(folder: Path, limit: int | None = None) -> list[Pair]:
    """Read the pairs of ``crows_pairs*.csv`` or its gzip, at most `limit` of each bias type.

    Raises
    ------
    ConfigError
        When there is no such file, or a column is missing; names file and line.
    """
    found = []
    patterns = ("crows_pairs*.csv", "crows_pairs*.csv.gz")
    for path in files_of(folder, *patterns, expected="the file of github.com/nyu-mll/crows-pairs"):
        number = 1
        try:
            with opened(path) as lines:
                for number, row in enumerate(csv.DictReader(lines), start=2):
                    kind, more, less = row["bias_type"], row["sent_more"], row["sent_less"]
                    place = row.get("pair_id") or row.get("") or str(number)  # the published file has no name for it
                    found.append(Pair(pair_id=place, more=more, less=less, bias_type=kind))
        except (OSError, ValueError, KeyError, csv.Error) as error:
            told = f"{type(error).__name__}: {error}"
            raise ConfigError(f"{path}: line {number}: no row of CrowS-Pairs: {told}") from error
    return limited(found, limit, lambda pair: pair.bias_type)


def ask(pairs: Sequence[Pair], model: Likelihoods) -> list[float | None]:
    """Return by how much the stereotyped sentence of each pair is likelier, in nats; None where it cannot be told."""
    scores = model.pairs([(pair.more, pair.less) for pair in pairs])
    return [None if score is None else score[0] - score[1] for score in scores]


def figures(pairs: Sequence[Pair], gaps: Sequence[float | None]) -> list[StereotypeFigure]:
    """Return the percentage of pairs whose stereotyped sentence is likelier, of each bias type and of all.

    Notes
    -----
    50 is no preference. The interval is the exact one of a binomial; ties are left out and counted. The data are noisy
    (Blodgett et al. 2021 find pitfalls in most pairs): good for comparing two versions of one model, not for claims.

    References
    ----------
    N. Nangia et al., "CrowS-Pairs: A Challenge Dataset for Measuring Social Biases in Masked Language Models", EMNLP
    2020. S. L. Blodgett et al., "Stereotyping Norwegian Salmon", ACL 2021.
    """
    rows = list(zip(pairs, gaps, strict=True))
    return [
        preferred(NAME, category, "stereotype_preferred", [gap for _, gap in part])
        for category, part in by_category(rows, lambda row: row[0].bias_type)
    ]
