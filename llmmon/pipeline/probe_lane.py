"""Send one lane's probes of one window and store what comes back as it comes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import llmmon
from llmmon.backends.base import Backend
from llmmon.config import Config, PriceConfig
from llmmon.errors import ReplayError
from llmmon.model import Provenance, ReplayItem, Response, Window
from llmmon.pipeline.replay_lane import not_run
from llmmon.registry import parameters_of
from llmmon.store.database import Database
from llmmon.store.probe import ProbeAnswer, ProbeLane, keep_probes
from llmmon.store.provenance import remember

log = logging.getLogger(__name__)

CHUNK_ROWS: Final = 32
"""Probes in one transaction: what a worker that dies has to pay for again."""


class ProbeLaneRun:
    """One lane of one window: its counts and its chunks."""

    def __init__(
        self,
        database: Database,
        config: Config,
        deployment: str,
        window: Window,
        lane: ProbeLane,
        backend: Backend,
        price: PriceConfig | None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._database, self._config, self._window = database, config, window
        self._deployment, self._lane, self._backend = deployment, lane, backend
        self._price = price

    def run(self, items: Sequence[ReplayItem]) -> ReplayError | None:
        """Send `items`, store what comes, and return why the lane could not run, if it could not."""
        waiting = {(item.variant, item.repeat): item for item in items}
        chunk: list[Response] = []
        problem: ReplayError | None = None
        try:
            with closing(self._backend.generate(items)) as responses:
                for response in responses:
                    del waiting[response.item.variant, response.item.repeat]
                    chunk.append(response)
                    if len(chunk) >= CHUNK_ROWS:
                        self._keep(chunk)
                        chunk = []
        except ReplayError as error:
            problem = error
            log.warning("%s %s: %s: %s", self._deployment, self._window.key, self._lane, error)
            chunk += [not_run(item, self._backend, error) for item in waiting.values()]
        self._keep(chunk)
        return problem

    def _keep(self, chunk: Sequence[Response]) -> None:
        if not chunk:
            return
        with self._database.transaction() as connection:
            revisions = sorted({response.model_revision for response in chunk}, key=lambda revision: revision or "")
            provenance_of = {revision: remember(connection, self._provenance(revision)) for revision in revisions}
            answers = [
                ProbeAnswer(
                    prompt=response.item.variant,
                    response=response,
                    cost_usd=_cost(response, self._price),
                    provenance_id=provenance_of[response.model_revision],
                )
                for response in chunk
            ]
            keep_probes(connection, self._deployment, self._window, answers)
        n_failed = sum(response.text is None for response in chunk)
        self.counts.update(done=len(chunk) - n_failed, failed=n_failed)

    def _provenance(self, revision: str | None) -> Provenance:
        return Provenance(
            kind="backends",
            plugin=self._backend.plugin_name,
            parameters=parameters_of(self._backend),
            code_version=llmmon.__version__,
            config_digest=self._config.digest,
            model_revision=revision,
        )


def _cost(response: Response, price: PriceConfig | None) -> float | None:
    if price is None or response.n_input_tokens is None or response.n_output_tokens is None:
        return None
    return (response.n_input_tokens * price.input + response.n_output_tokens * price.output) / 1e6
