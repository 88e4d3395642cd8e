"""A few rows of a source, mapped and shown before anything is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from llmmon.config import Config
from llmmon.errors import BadRowError, NotARequestError
from llmmon.model import RequestLog
from llmmon.pipeline.row_reader import RowReader

MAX_ROWS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRow:
    """One row as it would be stored, or why it would be quarantined.

    Parameters
    ----------
    request : RequestLog or None
        None when the row cannot be read.
    code, reason : str or None
        Why not.
    """

    file: str
    offset: int
    request: RequestLog | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What the beginning of a source holds.

    Parameters
    ----------
    rows : list of CheckedRow
        Rows that are requests or should be.
    passed_over : mapping of str to int
        Rows before the last of them that record something else, by kind.
    """

    rows: list[CheckedRow]
    passed_over: Mapping[str, int]


def check_source(config: Config, source: str, *, n_rows: int) -> Check:
    """Read the first `n_rows` requests of `source` from its beginning; the stored cursor is neither used nor moved.

    At most `MAX_ROWS` rows are looked at. A user is shown as the reference and texts as the redacted ones that would be
    stored, never as logged.

    Raises
    ------
    SourceUnavailableError
        When the source cannot be read.
    """
    reader = RowReader.of(config, source)
    found: list[CheckedRow] = []
    passed_over: Counter[str] = Counter()
    batches = reader.source.read(None, max_rows=n_rows)
    for row in islice(chain.from_iterable(batch.rows for batch in batches), MAX_ROWS):
        try:
            request = reader.parse(row)
        except NotARequestError as error:
            passed_over[error.reason] += 1
        except BadRowError as error:
            found.append(CheckedRow(file=row.file, offset=row.offset, code=error.code, reason=error.reason))
        else:
            found.append(CheckedRow(file=row.file, offset=row.offset, request=request))
        if len(found) == n_rows:
            break
    return Check(rows=found, passed_over=passed_over)
