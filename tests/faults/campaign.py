"""The seed of a run, its kills, and what they led to."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.account import Account


@dataclass
class Campaign:
    """The seeded kills of one run.

    Parameters
    ----------
    seed : int
        ``LLMMON_FAULT_SEED``, else the same in every run; it decides what is written, who is killed, and where.
    n_kills : int
        ``LLMMON_FAULT_KILLS``, else 200.
    """

    seed: int
    n_kills: int
    kills: Counter[str] = field(default_factory=Counter)
    account: Account | None = None

    def dice(self, name: str) -> random.Random:
        """Return the dice of one test, which do not depend on what ran before."""
        return random.Random(f"{self.seed} {name}")


CAMPAIGN = Campaign(
    seed=int(os.environ.get("LLMMON_FAULT_SEED", "20230627")), n_kills=int(os.environ.get("LLMMON_FAULT_KILLS", "200"))
)
"""Of this run."""
