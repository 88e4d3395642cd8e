"""A few rows of a source, mapped and shown before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass

from llmmon.config import Config
from llmmon.errors import BadRowError
from llmmon.model import RequestLog
from llmmon.pipeline.row_reader import RowReader


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


def check_source(config: Config, source: str, *, n_rows: int) -> list[CheckedRow]:
    """Read the first `n_rows` rows of `source` from its beginning; the stored cursor is neither used nor moved.

    A user is shown as the reference and texts as the redacted ones that would be stored, never as logged.

    Raises
    ------
    SourceUnavailableError
        When the source cannot be read.
    """
    reader = RowReader.of(config, source)
    found: list[CheckedRow] = []
    for batch in reader.source.read(None, max_rows=n_rows):
        for row in batch.rows:
            try:
                request = reader.parse(row)
            except BadRowError as error:
                found.append(CheckedRow(file=row.file, offset=row.offset, code=error.code, reason=error.reason))
            else:
                found.append(CheckedRow(file=row.file, offset=row.offset, request=request))
        if len(found) >= n_rows:
            break
    return found[:n_rows]
