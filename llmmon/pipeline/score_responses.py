"""Judge the responses of one window: what production answered, and what replays answered."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import llmmon
from llmmon.audit.event import body
from llmmon.config import Config, DeploymentConfig
from llmmon.endpoint.credentials import Resolve, resolving
from llmmon.model import LOGGED, Provenance, Scorable, Window
from llmmon.pipeline.judging import Judge, judges_of, scores_of
from llmmon.registry import parameters_of
from llmmon.store import audit
from llmmon.store.coverage import TEXTS_GONE, StageCount, close_stage
from llmmon.store.database import Database
from llmmon.store.judge_usage import keep_usage
from llmmon.store.provenance import remember
from llmmon.store.score import Judgement, Page, keep_scores, logged_responses, replayed_responses

log = logging.getLogger(__name__)

_PAGE: Final = 1000


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """What judging a window gave.

    Parameters
    ----------
    n_requests, n_done, n_sampled_out, n_failed, n_expired : int
        Requests, and what became of them; failed: a scorer raised over one of their responses; expired: their texts
        were erased, so that scores stay as they were.
    n_responses : int
        Responses judged, logged and replayed.
    n_scores : int
        Judgements made; absent ones, which carry a reason, included.
    n_changed : int
        Judgements that are new or different.
    """

    n_requests: int
    n_done: int
    n_sampled_out: int
    n_failed: int
    n_expired: int
    n_responses: int
    n_scores: int
    n_changed: int


class _Tally:
    """Counts of one run, and the state of every request."""

    def __init__(self) -> None:
        self.n_responses = self.n_scores = self.n_changed = 0
        self.states: dict[int, str] = {}
        self.failures: dict[int, str] = {}

    def account(self, judges: Sequence[Judge]) -> list[StageCount]:
        """Return the closed account: a failure counts once, with the first reason."""
        failed = Counter(self.failures.values())
        states = Counter(state for key, state in self.states.items() if key not in self.failures)
        counts = [StageCount(state="failed", n=n, reason=reason) for reason, n in sorted(failed.items())]
        if states["done"]:
            reason = "" if judges else "no scorer is configured"
            counts.append(StageCount(state="done", n=states["done"], reason=reason))
        if states["expired"]:
            counts.append(StageCount(state="expired", n=states["expired"], reason=TEXTS_GONE))
        if states["sampled_out"]:
            n_drawn_from = len(self.states) - states["expired"]
            probability = (n_drawn_from - states["sampled_out"]) / n_drawn_from or None
            counts.append(StageCount(state="sampled_out", n=states["sampled_out"], probability=probability))
        return counts


def score_responses(
    database: Database, config: Config, deployment: str, window: Window, *, resolve: Resolve | None = None
) -> ScoreResult:
    """Judge every response of `window` that the deployment's scorers are meant for, and close the account.

    A scorer with ``scope = "sample"`` judges the logged responses of sampled requests only. A scorer that raises over
    one response leaves a reason there and the request counts as failed; the others go on.

    Parameters
    ----------
    database : Database
        Where responses are read and scores are written.
    config : Config
        Whole configuration.
    deployment : str
        Name of a deployment in `config`.
    window : Window
        What to judge; judged again, nothing changes, but a scorer that asks an endpoint asks and pays again.
    resolve : callable or None
        Gives the key of a scorer's connection by its name; None reads ``AIRFLOW_CONN_<NAME>``.

    Raises
    ------
    ConfigError
        When a scorer refuses its parameters, or the facts that it judges against are not indexed.
    AccountingError
        When requests were loaded while the window was judged; run the stage again.
    """
    settings = config.deployments[deployment]
    started = time.monotonic()
    with database.transaction() as connection:
        judges = {
            judge: remember(connection, provenance_of(judge, config))
            for judge in judges_of(config, deployment, database.transaction)
        }
    tally = _Tally()
    with resolving(resolve):
        for page in _pages(database, settings, deployment, window, judges, tally):
            with database.transaction() as connection:
                tally.n_changed += keep_scores(connection, deployment, window, page)
                keep_usage(connection, deployment, window, page)
            rate = tally.n_responses / max(time.monotonic() - started, 1e-9)
            log.info("%s %s: judged %d responses, %.0f/s", deployment, window.key, tally.n_responses, rate)
    with database.transaction() as connection:
        account = tally.account(list(judges))
        n_requests = close_stage(connection, deployment, window, "score", account)
        states = Counter[str]()
        for count in account:
            states[count.state] += count.n
        result = ScoreResult(
            n_requests=n_requests,
            n_done=states["done"],
            n_sampled_out=states["sampled_out"],
            n_failed=states["failed"],
            n_expired=states["expired"],
            n_responses=tally.n_responses,
            n_scores=tally.n_scores,
            n_changed=tally.n_changed,
        )
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("window.scored", subject, asdict(result), config_digest=config.digest))
    return result


def provenance_of(judge: Judge, config: Config) -> Provenance:
    """Return how the judgements of `judge` are made; version and facts are among the parameters."""
    return Provenance(
        kind="scorers",
        plugin=judge.scorer.plugin_name,
        parameters={**parameters_of(judge.scorer), "version": judge.scorer.version, **judge.facts},
        code_version=llmmon.__version__,
        config_digest=config.digest,
    )


def _pages(
    database: Database,
    settings: DeploymentConfig,
    deployment: str,
    window: Window,
    judges: Mapping[Judge, int],
    tally: _Tally,
) -> Iterator[list[Judgement]]:
    after: Page | None = None
    while True:
        with database.transaction() as connection:
            page, after = logged_responses(
                connection, deployment, window, lanes=tuple(settings.lanes), after=after, limit=_PAGE
            )
        if not page:
            break
        todo: list[tuple[Scorable, list[Judge]]] = []
        for response, is_sampled, is_gone in page:
            if is_gone:
                tally.states[response.request_key] = "expired"
                continue
            on_it = [j for j in judges if LOGGED in j.settings.lanes and (is_sampled or j.settings.scope == "all")]
            # where no scorer is meant for logged responses, no draw has left one out
            left_out = not on_it and any(LOGGED in judge.settings.lanes for judge in judges)
            tally.states[response.request_key] = "sampled_out" if left_out else "done"
            todo.append((response, on_it))
        yield _judgements(todo, judges, tally)
    lanes = sorted({lane for judge in judges for lane in judge.settings.lanes} - {LOGGED})
    if lanes:
        with database.transaction() as connection:
            replays = list(replayed_responses(connection, deployment, window, lanes=lanes))
        for first in range(0, len(replays), _PAGE):
            part = replays[first : first + _PAGE]
            todo = [(response, [j for j in judges if response.lane in j.settings.lanes]) for response in part]
            yield _judgements(todo, judges, tally)


def _judgements(
    todo: Sequence[tuple[Scorable, Sequence[Judge]]], judges: Mapping[Judge, int], tally: _Tally
) -> list[Judgement]:
    """Return every judge's scores of the responses that it is meant for."""
    tally.n_responses += len(todo)
    found = []
    for judge, provenance_id in judges.items():
        responses = [response for response, on_it in todo if judge in on_it]
        for response, score in zip(responses, scores_of(judge, responses), strict=True):
            if score.is_failed:
                reason = f"{judge.name}: {(score.reason or '').removeprefix('the scorer failed: ')}"
                tally.failures.setdefault(response.request_key, reason)
            found.append(Judgement(response=response, scorer=judge.name, score=score, provenance_id=provenance_id))
    tally.n_scores += len(found)
    return found
