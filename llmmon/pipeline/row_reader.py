"""Rows of a source as they may be stored: parsed, pseudonymous, redacted."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import msgspec

from llmmon.config import Config, GroupConfig
from llmmon.errors import BadRowError, ConfigError, NotARequestError
from llmmon.model import Json, RequestLog
from llmmon.pipeline.configured_groups import with_groups
from llmmon.privacy.keys import VARIABLE, MasterKey, master_key
from llmmon.privacy.redaction import Redactor
from llmmon.sources.base import RawRow, Source, sources
from llmmon.store.batch import BadRow, Batch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RowReader:
    """The one way from a row of a source to a request log that may be stored."""

    name: str
    source: Source
    redactor: Redactor
    master: MasterKey | None
    config_digest: str
    groups: Mapping[str, Mapping[str, GroupConfig]]

    @classmethod
    def of(cls, config: Config, name: str) -> Self:
        """Return the reader of the source `name`.

        Raises
        ------
        ConfigError
            When llmmon.toml has no such source, or its settings or the privacy settings cannot be used.
        """
        if name not in config.sources:
            raise ConfigError(f"sources: no {name!r} in llmmon.toml; there are: {', '.join(config.sources)}")
        source = config.sources[name].read.create(sources, where=f"sources.{name}.read")
        groups = {deployment: settings.groups for deployment, settings in config.deployments.items()}
        return cls(name, source, Redactor(config.privacy), master_key(), config.digest, groups)

    def parse(self, row: RawRow) -> RequestLog:
        """Return the request log of `row`, without its user and without personal data; raises `BadRowError`."""
        request = self._pseudonymous(self.source.parse(row, source=self.name))
        return self.redactor.redact(with_groups(request, self.groups.get(request.deployment, {})))

    def batch(self, rows: Sequence[RawRow], *, from_position: Json | None, to_position: Json) -> Batch:
        """Return `rows`, which were read from one position to the other, as the batch that they make."""
        requests: dict[str, RequestLog] = {}
        bad: list[BadRow] = []
        passed_over: dict[int, str] = {}
        n_dup = 0
        digest = hashlib.sha256()
        for place, row in enumerate(rows):
            digest.update(row.raw + b"\n")
            try:
                request = self.parse(row)
            except NotARequestError as error:
                passed_over[place] = error.reason
                continue
            except BadRowError as error:
                reason = f"{error.reason}; {row.cut}" if row.cut else error.reason
                bad.append(BadRow(row.raw, row.file, row.offset, error.code, reason, error.user_ref))
                continue
            if requests.setdefault(request.request_id, request) is not request:
                n_dup += 1
        return Batch(
            source=self.name,
            from_position=from_position,
            to_position=to_position,
            requests=list(requests.values()),
            n_in=len(rows) - len(passed_over),
            n_dup=n_dup,
            bad=bad,
            raw_digest=digest.digest(),
            gate=None,
            config_digest=self.config_digest,
            passed_over=passed_over,
        )

    def _pseudonymous(self, request: RequestLog) -> RequestLog:
        """Put the user's reference in the user's place; without a privacy key there is none."""
        if request.user is None:
            return request
        if self.master is None:
            _say_no_key()
        ref = None if self.master is None else self.master.pseudonym(request.user)
        return msgspec.structs.replace(request, user=None, user_ref=ref)


@cache  # once in a process
def _say_no_key() -> None:
    _log.warning(
        "the log names users but %s is not set: no user reference is stored, and texts are not sealed", VARIABLE
    )
