"""The Great Expectations gate: what a batch must fulfil before it counts as loaded.

Volume, readability, missing values, ranges, freshness and clocks are checked on the rows as they would be stored;
`llmmon.pipeline.compare_batch` adds what earlier batches say. No text enters the result: columns of text are reduced to
whether they are there.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final

from llmmon.config import GateConfig
from llmmon.errors import ConfigError, GateError
from llmmon.model import Json, RequestLog
from llmmon.pipeline.gate_words import say
from llmmon.store.batch import Batch

Part = dict[str, Any]
"""One validation as Great Expectations returned it; each result also `says` in words what failed."""

_ONE_AT_A_TIME: Final = threading.Lock()  # Great Expectations keeps the frame in objects that threads would share
_DAY_MS: Final = 86_400_000
_HOUR: Final = timedelta(hours=1)
_NUMBERS: Final = ("n_input_tokens", "n_output_tokens", "ttft_ms", "latency_ms", "cost_usd", "feedback")
_TIMES: Final = ("ttft_ms", "latency_ms")
_TEXTS: Final = (
    *("deployment", "model", "model_version", "route", "tenant", "language", "user_ref", "conversation_id"),
    *("error_type", "finish_reason", "response_text", "reference_answer"),
)
FIELDS: Final = (*_NUMBERS, *_TEXTS)
"""What a request may lack."""


def check(batch: Batch, gate: GateConfig, *, where: str, now: datetime | None = None) -> dict[str, Part]:
    """Check what a batch holds.

    Parameters
    ----------
    batch : Batch
        Readable and unreadable rows.
    gate : GateConfig
        Limits.
    where : str
        Place of the limits in llmmon.toml, for messages.
    now : datetime or None
        Moment that ages are counted to; the clock's, unless given.

    Returns
    -------
    mapping of str to Part
        ``lines``, and ``requests`` when there are any.

    Raises
    ------
    ConfigError
        When a limit names a column that cannot be missing or does not exist.
    """
    unknown = sorted(set(gate.max_null_fraction) - set(FIELDS))
    if unknown:
        raise ConfigError(f"{where}.max_null_fraction: no column {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    gx = great_expectations().expectations
    import pandas as pd

    n_bad = len(batch.bad)
    lines = pd.DataFrame({"is_bad": [0] * (batch.n_in - n_bad) + [1] * n_bad})
    of_lines = [
        gx.ExpectTableRowCountToBeBetween(min_value=gate.min_rows),
        gx.ExpectColumnMeanToBeBetween(column="is_bad", max_value=gate.max_bad_fraction),
    ]
    found = {"lines": validate(lines, of_lines)}
    if batch.requests:
        frame = _frame(batch.requests, gate, now or datetime.now(UTC))
        found["requests"] = validate(frame, _of_requests(gx, gate))
    return found


def gate_result(parts: Mapping[str, Any]) -> Json:
    """Return what is stored of a gate: whether the batch may pass, and every part."""
    return {"success": not failures_of(parts), **parts}


def failures_of(result: Json, *, severity: str = "critical") -> tuple[str, ...]:
    """Return a sentence for each expectation of that severity that failed, from what the gate said of a batch."""
    return tuple(
        item.get("says") or say(item)
        for part in result.values()
        if isinstance(part, dict)
        for item in part.get("results", ())
        if not item["success"] and item["expectation_config"]["severity"] == severity
    )


def validate(frame: Any, expectations: list[Any], says: Callable[[Mapping[str, Any]], str] = say) -> Part:
    """Return what Great Expectations finds in a frame, as JSON; `says` puts what failed in words.

    Raises
    ------
    GateError
        When an expectation cannot be evaluated at all.
    """
    with _ONE_AT_A_TIME:
        batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
        suite = great_expectations().ExpectationSuite("gate", expectations=expectations)
        result = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    found: Part = _json_ready(result.to_json_dict())
    for item in found["results"]:
        if item["exception_info"].get("raised_exception"):
            problem = item["exception_info"].get("exception_message")
            raise GateError(f"Great Expectations could not check {item['expectation_config']['type']}: {problem}")
        if not item["success"]:
            item["says"] = says(item)
    return found


def _of_requests(gx: Any, gate: GateConfig) -> list[Any]:
    found = [
        gx.ExpectColumnValuesToNotBeNull(column=column, mostly=1 - fraction)
        for column, fraction in gate.max_null_fraction.items()
    ]
    found += [
        gx.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=_DAY_MS, severity="warning")
        for column in _TIMES
    ]
    earliest = -gate.max_future_minutes / 60
    found.append(gx.ExpectColumnValuesToBeBetween(column="age_hours", min_value=earliest, severity="warning"))
    if gate.max_age_days is not None:
        found.append(gx.ExpectColumnMinToBeBetween(column="age_hours", max_value=24 * gate.max_age_days))
    return found


def _frame(requests: Sequence[RequestLog], gate: GateConfig, now: datetime) -> Any:
    """Return the columns that some expectation reads; taking the others out of the rows would only cost time."""
    import pandas as pd

    found: dict[str, Any] = {"age_hours": [(now - request.occurred_at) / _HOUR for request in requests]}
    for name in FIELDS:
        if name not in {*_TIMES, *gate.max_null_fraction}:
            continue
        values = map(attrgetter(name), requests)
        if name in _NUMBERS:
            found[name] = [math.nan if value is None else float(value) for value in values]
        else:  # a text is reduced to whether it is there
            found[name] = [math.nan if value is None else 1.0 for value in values]
    return pd.DataFrame(found)


def _json_ready(value: Any) -> Any:
    """Return what Great Expectations gave as JSON: numpy's numbers as Python's, NaN as null."""
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@cache
def _batch_definition() -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations().get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all")


@cache
def great_expectations() -> Any:
    """Return the library, imported once, without telemetry and quiet; it takes seconds."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import
    logger = logging.getLogger("great_expectations")
    logger.setLevel(logging.WARNING)  # it says hundreds of things at import
    import great_expectations
    from tqdm import tqdm  # which it draws its progress with, drawn or not

    # tqdm's own lock is one for all processes that are forked from here: a loader killed while it holds it would stop
    # the next ones for good. Nor may a thread hold the lock while a process is forked.
    tqdm.set_lock(threading.RLock())
    tqdm.monitor_interval = 0
    for name in ("", ".data_context.types.base"):  # which its import has undone
        logging.getLogger(f"great_expectations{name}").setLevel(logging.WARNING)
    return great_expectations
