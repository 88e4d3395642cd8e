"""What every loader process has imported before it is forked, Great Expectations above all, which takes seconds."""

from __future__ import annotations

import llmmon.cli  # noqa: F401
from llmmon.config import GateConfig
from llmmon.pipeline import gate
from llmmon.store.batch import Batch

nothing = Batch(
    source="preload",
    from_position=None,
    to_position=None,
    requests=(),
    n_in=1,
    n_dup=0,
    bad=(),
    raw_digest=b"",
    gate=None,
    config_digest="",
)
gate.check(nothing, GateConfig(max_bad_fraction=1), where="preload")
