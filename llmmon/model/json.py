"""JSON values and their digests."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def digest_of(value: Any) -> bytes:
    """Return the SHA-256 of `value` as canonical JSON (sorted keys, no spaces, no NaN)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def refuse_nan(name: str, value: float | None) -> None:
    """Raise when `value` is neither absent nor finite."""
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; an absent number is None with a reason")
