"""The Great Expectations gate: what a batch must fulfil before it counts as loaded.

Volume, readability, schema, missing values, ranges and freshness are checked on the rows as they would be stored. No
text enters the result: columns of text are reduced to whether they are there.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final

from llmmon.config import GateConfig
from llmmon.errors import ConfigError, GateError
from llmmon.model import Json, RequestLog

_ONE_AT_A_TIME: Final = threading.Lock()  # Great Expectations keeps the frame in objects that threads would share
_DAY_MS: Final = 86_400_000
_NUMBERS: Final = ("n_input_tokens", "n_output_tokens", "ttft_ms", "latency_ms", "cost_usd", "feedback")
_TIMES: Final = ("ttft_ms", "latency_ms")
_TEXTS: Final = (
    *("deployment", "model", "model_version", "route", "tenant", "language", "user_ref", "conversation_id"),
    *("error_type", "finish_reason", "response_text", "reference_answer"),
)


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate said.

    Parameters
    ----------
    failures : tuple of str
        A sentence for each critical expectation that failed; empty when the batch may pass.
    warnings : tuple of str
        The same for the others.
    result : mapping
        As Great Expectations returned it.
    """

    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    result: Json


def check(requests: Sequence[RequestLog], n_bad: int, gate: GateConfig, *, where: str) -> GateResult:
    """Check one batch.

    Parameters
    ----------
    requests : sequence of RequestLog
        Readable rows.
    n_bad : int
        Unreadable rows.
    gate : GateConfig
        Limits.
    where : str
        Place of the limits in llmmon.toml, for messages.

    Raises
    ------
    ConfigError
        When a limit names a column that cannot be missing or does not exist.
    """
    unknown = sorted(set(gate.max_null_fraction) - {*_NUMBERS, *_TEXTS})
    if unknown:
        raise ConfigError(
            f"{where}.max_null_fraction: no column {', '.join(unknown)}; there are: {', '.join((*_NUMBERS, *_TEXTS))}"
        )
    gx = _great_expectations()
    import pandas as pd

    expectation = gx.expectations
    lines = pd.DataFrame({"is_bad": [0] * len(requests) + [1] * n_bad})
    of_lines = [
        expectation.ExpectTableRowCountToBeBetween(min_value=gate.min_rows),
        expectation.ExpectColumnMeanToBeBetween(column="is_bad", max_value=gate.max_bad_fraction),
    ]
    found = {"lines": _run(lines, of_lines)}
    if requests:
        columns = _checked_columns(gate)
        found["requests"] = _run(_frame(requests, columns), _of_requests(expectation, gate, columns))
    return GateResult(
        failures=failures_of(found),
        warnings=failures_of(found, severity="warning"),
        result={"success": not failures_of(found), **found},
    )


def failures_of(result: Json, *, severity: str = "critical") -> tuple[str, ...]:
    """Return a sentence for each expectation of that severity that failed, from what the gate said of a batch."""
    return tuple(
        _say(item)
        for part in result.values()
        if isinstance(part, dict)
        for item in part["results"]
        if not item["success"] and item["expectation_config"]["severity"] == severity
    )


def _checked_columns(gate: GateConfig) -> list[str]:
    """Return the columns that some expectation reads; taking the others out of the rows would only cost time."""
    return ["occurred_at", *(name for name in (*_NUMBERS, *_TEXTS) if name in {*_TIMES, *gate.max_null_fraction})]


def _of_requests(gx: Any, gate: GateConfig, columns: Sequence[str]) -> list[Any]:
    found = [gx.ExpectTableColumnsToMatchSet(column_set=list(columns))]
    for column, fraction in gate.max_null_fraction.items():
        found.append(gx.ExpectColumnValuesToNotBeNull(column=column, mostly=1 - fraction))
    found += [
        gx.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=_DAY_MS, severity="warning")
        for column in _TIMES
    ]
    if gate.max_age_days is not None:
        oldest = datetime.now(UTC) - timedelta(days=gate.max_age_days)
        found.append(gx.ExpectColumnMaxToBeBetween(column="occurred_at", min_value=oldest.timestamp()))
    return found


def _frame(requests: Sequence[RequestLog], columns: Sequence[str]) -> Any:
    import pandas as pd

    found: dict[str, Any] = {}
    for name in columns:
        values = map(attrgetter(name), requests)
        if name == "occurred_at":
            found[name] = [moment.timestamp() for moment in values]
        elif name in _NUMBERS:
            found[name] = [math.nan if value is None else float(value) for value in values]
        else:  # a text is reduced to whether it is there
            found[name] = [math.nan if value is None else 1.0 for value in values]
    return pd.DataFrame(found)


def _run(frame: Any, expectations: list[Any]) -> dict[str, Any]:
    with _ONE_AT_A_TIME:
        batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
        suite = _great_expectations().ExpectationSuite("gate", expectations=expectations)
        result = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    found: dict[str, Any] = _json_ready(result.to_json_dict())
    for item in found["results"]:
        if item["exception_info"].get("raised_exception"):
            problem = item["exception_info"].get("exception_message")
            raise GateError(f"Great Expectations could not check {item['expectation_config']['type']}: {problem}")
    return found


def _json_ready(value: Any) -> Any:
    """Return what Great Expectations gave as JSON: numpy's numbers as Python's, NaN as null."""
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _say(item: dict[str, Any]) -> str:
    config, result = item["expectation_config"], item["result"]
    limits = {key: value for key, value in config["kwargs"].items() if key not in {"batch_id", "column"}}
    column = config["kwargs"].get("column", "batch")
    if result.get("observed_value") is not None:
        seen = f"observed {_shown(result['observed_value'])}"
    elif "unexpected_percent" in result:
        seen = f"{result['unexpected_percent']:.3g}% of values break it"
    else:
        seen = "not fulfilled"
    told = ", ".join(f"{key} {_shown(value)}" for key, value in limits.items())
    return f"{config['type']}({column}: {told}): {seen}"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@cache
def _batch_definition() -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = _great_expectations().get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all")


@cache
def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import
    logger = logging.getLogger("great_expectations")
    logger.setLevel(logging.WARNING)  # it says hundreds of things at import
    import great_expectations

    for name in ("", ".data_context.types.base"):  # which its import has undone
        logging.getLogger(f"great_expectations{name}").setLevel(logging.WARNING)
    return great_expectations
