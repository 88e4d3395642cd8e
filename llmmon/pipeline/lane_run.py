"""Run one lane of one window and store what comes back as it comes."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final

from sqlalchemy import Connection

import llmmon
from llmmon.backends.base import Backend
from llmmon.config import Config
from llmmon.errors import BackendUnavailableError, ModelNotFoundError, ReplayError
from llmmon.model import Provenance, ReplayItem, Response, Window
from llmmon.registry import parameters_of
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.replay import replay_key

log = logging.getLogger(__name__)

CHUNK_ROWS: Final = 32
"""Responses in one transaction: what a worker that dies has to ask for again."""
CHUNK_SECONDS: Final = 5.0
"""Age of a chunk at which it is stored although it is not full."""

_REASONS: Final[Mapping[type[ReplayError], str]] = {
    ModelNotFoundError: "model_not_found",
    BackendUnavailableError: "backend_unavailable",
}

Keep = Callable[[Connection, Sequence[Response], Mapping[str | None, int]], None]
"""Stores a chunk, given the provenance of each model revision in it."""


class LaneRun:
    """One lane of one window: its counts, its progress, its chunks."""

    def __init__(
        self,
        database: Database,
        config: Config,
        deployment: str,
        window: Window,
        lane: str,
        backend: Backend,
        keep: Keep,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._database, self._config, self._window = database, config, window
        self._deployment, self._lane, self._backend = deployment, lane, backend
        self._keep_chunk = keep

    def run(self, items: Sequence[ReplayItem]) -> ReplayError | None:
        """Run `items`, store their responses, and return why the lane could not run, if it could not."""
        self._started, self._n_items = time.monotonic(), len(items)
        waiting = {replay_key(item): item for item in items}
        chunk: list[Response] = []
        oldest_at = self._started
        problem: ReplayError | None = None
        try:
            with closing(self._backend.generate(items)) as responses:
                for response in responses:
                    oldest_at = oldest_at if chunk else time.monotonic()
                    chunk.append(response)
                    del waiting[replay_key(response.item)]
                    if len(chunk) >= CHUNK_ROWS or time.monotonic() - oldest_at >= CHUNK_SECONDS:
                        self._keep(chunk)
                        chunk = []
        except ReplayError as error:
            problem = error
            log.warning("%s %s: lane %s: %s", self._deployment, self._window.key, self._lane, error)
            chunk += [_not_run(item, self._backend, error) for item in waiting.values()]
        self._keep(chunk)
        return problem

    def _keep(self, chunk: Sequence[Response]) -> None:
        if not chunk:
            return
        with self._database.transaction() as connection:
            revisions = {response.model_revision for response in chunk}
            provenance_of = {
                revision: remember(connection, self._provenance(revision))
                for revision in sorted(revisions, key=lambda revision: revision or "")
            }
            self._keep_chunk(connection, chunk, provenance_of)
        n_failed = sum(response.text is None for response in chunk)
        self.counts.update(done=len(chunk) - n_failed, failed=n_failed)
        elapsed_s = max(time.monotonic() - self._started, 1e-9)
        n = self.counts["done"] + self.counts["failed"]
        log.info(
            "%s %s: lane %s: %d of %d asked, %d failed, %.1f/s",
            self._deployment,
            self._window.key,
            self._lane,
            n,
            self._n_items,
            self.counts["failed"],
            n / elapsed_s,
        )

    def _provenance(self, revision: str | None) -> Provenance:
        return Provenance(
            kind="backends",
            plugin=self._backend.plugin_name,
            parameters=parameters_of(self._backend),
            code_version=llmmon.__version__,
            config_digest=self._config.digest,
            model_revision=revision,
        )


def _not_run(item: ReplayItem, backend: Backend, error: ReplayError) -> Response:
    return Response(
        item=item,
        backend=backend.plugin_name,
        model="",
        model_revision=None,
        reason=_REASONS.get(type(error), "replay_error"),
        detail={"told": str(error)[:300]},
    )
