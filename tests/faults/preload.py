"""What every loader process has imported before it is forked, Great Expectations above all, which takes seconds."""

from __future__ import annotations

import llmmon.cli  # noqa: F401
from llmmon.config import GateConfig
from llmmon.pipeline import gate

gate.check([], 1, GateConfig(max_bad_fraction=1), where="preload")
