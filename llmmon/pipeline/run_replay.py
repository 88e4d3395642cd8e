"""Run the sample of a window on every lane, store what comes back as it comes, and close the account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy

from llmmon.audit.event import body
from llmmon.backends.base import backends
from llmmon.channels.base import Connection
from llmmon.config import Config, LaneConfig
from llmmon.endpoint.credentials import resolving
from llmmon.errors import ConfigError, ReplayError
from llmmon.model import ReplayItem, Response, Sample, Window
from llmmon.pipeline.lane_run import Keep, LaneRun
from llmmon.pipeline.plan_replay import plan_lane, variant_labels
from llmmon.store import audit
from llmmon.store.coverage import TEXTS_GONE, RequestState, StageCount, close_stage, is_done, lock_accounts
from llmmon.store.database import Database
from llmmon.store.replay import ReplayKey, keep_responses, replay_key, replay_states, sampled_requests, window_samples
from llmmon.store.request_log import count_requests


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What one call did.

    Parameters
    ----------
    n_samples, n_items : int
        Requests sampled, and generations they call for on the lanes that were asked for.
    n_skipped : int
        Items that an earlier call had done.
    n_done, n_failed : int
        Of the items run now.
    """

    n_samples: int
    n_items: int
    n_skipped: int
    n_done: int
    n_failed: int


@dataclass(frozen=True, kw_only=True)
class ReplayAccount:
    """The requests of a window by what became of their replay."""

    n_done: int
    n_failed: int
    n_pending: int
    n_sampled_out: int
    n_expired: int = 0


def run_replay(
    database: Database,
    config: Config,
    deployment: str,
    window: Window,
    *,
    lanes: Sequence[str] | None = None,
    resolve: Callable[[str], Connection] | None = None,
) -> ReplayResult:
    """Replay what is not done yet; what failed before is tried again.

    Responses are stored in small transactions as they come, so a worker that dies loses one chunk. When a lane cannot
    run at all its items are stored as failed, the other lanes go on, and the error is raised at the end.

    Parameters
    ----------
    lanes : sequence of str or None
        Names of lanes; None: all of the deployment.
    resolve : callable or None
        Gives an endpoint's connection by name; None reads ``AIRFLOW_CONN_<NAME>``.

    Raises
    ------
    ConfigError
        When a lane, backend or variant is configured wrongly; nothing was run.
    ReplayError
        When a lane could not run; running again helps once its cause is gone.
    """
    plans, n_samples, states = _plan(database, config, deployment, window, lanes)
    runners = {
        lane: config.backends[settings.backend].create(backends, where=f"backends.{settings.backend}")
        for lane, settings in _chosen(config, deployment, lanes).items()
    }
    problems: list[ReplayError] = []
    counts: Counter[str] = Counter()
    with resolving(None if resolve is None else lambda name: resolve(name).password):
        for lane, items in plans.items():
            todo = [item for item in items if states.get(replay_key(item), ("missing", None))[0] != "done"]
            counts["skipped"] += len(items) - len(todo)
            if todo:
                lane_run = LaneRun(
                    database, config, deployment, window, lane, runners[lane], _keep(config, deployment, window, lane)
                )
                problem = lane_run.run(todo)
                counts.update(lane_run.counts)
                problems += [problem] if problem is not None else []
    if problems:
        raise type(problems[0])("; ".join(map(str, problems))) from problems[0]
    return ReplayResult(
        n_samples=n_samples,
        n_items=sum(map(len, plans.values())),
        n_skipped=counts["skipped"],
        n_done=counts["done"],
        n_failed=counts["failed"],
    )


def finish_replay(database: Database, config: Config, deployment: str, window: Window) -> ReplayAccount:
    """Close the account of the stage: every request of the window is done, failed, pending or sampled out.

    A sampled request is done when all its items on all lanes are, with the variants that found nothing to change in it
    as the reason; failed with the reason of the first item that failed, pending while an item has not been run, and
    expired when its texts were erased before any was. One whose log withholds its messages counts as sampled out: there
    is nothing to replay. The stage is done unless requests are pending or all failed.
    """
    with database.transaction() as connection:
        lock_accounts(connection, [deployment], shared=False)
        n_requests = count_requests(connection, deployment, window)
        lanes = config.deployments[deployment].lanes
        samples = window_samples(connection, deployment, window)
        requests = sampled_requests(connection, deployment, window)
        states = replay_states(connection, deployment, window)
        tally: Counter[tuple[RequestState, str]] = Counter()
        probability = len(samples) / n_requests if samples else None
        if not lanes:
            tally["sampled_out", "no replay lane configured"] = n_requests
            probability = None
        elif not is_done(connection, deployment, window, "sample"):
            tally["pending", "sample not drawn"] = n_requests
        else:
            tally["sampled_out", ""] = n_requests - len(samples)
            replayed = {sample_id for sample_id, *_ in states}
            gone = {
                sample.sample_id
                for sample in samples
                if sample.sample_id not in replayed and sample.request_key not in requests
            }
            items = [
                item
                for lane, settings in lanes.items()
                for item in plan_lane(lane, settings, samples, requests, where=_where(deployment, lane))
            ]
            withheld = {key for key, request in requests.items() if not request.messages}
            tally["sampled_out", "nothing to replay: no messages are stored"] = len(withheld)
            asked = [sample for sample in samples if sample.request_key not in withheld]
            tally.update(_request_states(asked, items, states, gone, _unchanged(asked, items, lanes)))
        account = _account(tally)
        problem = None
        if account.n_pending:
            problem = f"{account.n_pending} requests not replayed yet"
        elif account.n_failed and not account.n_done:
            problem = f"all {account.n_failed} replays failed"
        counts = [
            StageCount(state, n, reason, probability if state == "sampled_out" and not reason else None)
            for (state, reason), n in sorted(tally.items())
            if n
        ]
        close_stage(
            connection, deployment, window, "replay", counts, state="failed" if problem else "done", reason=problem
        )
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("replay.finished", subject, asdict(account), config_digest=config.digest))
    return account


def _plan(
    database: Database, config: Config, deployment: str, window: Window, lanes: Sequence[str] | None
) -> tuple[dict[str, list[ReplayItem]], int, dict[ReplayKey, tuple[str, str | None]]]:
    with database.transaction() as connection:
        samples = window_samples(connection, deployment, window)
        requests = sampled_requests(connection, deployment, window)
        states = replay_states(connection, deployment, window)
    plans = {
        lane: plan_lane(lane, settings, samples, requests, where=_where(deployment, lane))
        for lane, settings in _chosen(config, deployment, lanes).items()
    }
    return plans, len(samples), states


def _keep(config: Config, deployment: str, window: Window, lane: str) -> Keep:
    def keep(
        connection: sqlalchemy.Connection, chunk: Sequence[Response], provenance_of: Mapping[str | None, int]
    ) -> None:
        keep_responses(connection, deployment, window, chunk, provenance_of)
        n_failed = sum(response.text is None for response in chunk)
        counts = {"lane": lane, "n_done": len(chunk) - n_failed, "n_failed": n_failed}
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("responses.stored", subject, counts, config_digest=config.digest))

    return keep


def _chosen(config: Config, deployment: str, lanes: Sequence[str] | None) -> Mapping[str, LaneConfig]:
    known = config.deployments[deployment].lanes
    unknown = ", ".join(map(repr, sorted(set(lanes or ()) - set(known))))
    if unknown:
        raise ConfigError(f"deployments.{deployment}.lanes: no {unknown}; there are: {', '.join(known) or 'none'}")
    return known if lanes is None else {lane: known[lane] for lane in lanes}


def _request_states(
    samples: Sequence[Sample],
    items: Sequence[ReplayItem],
    states: Mapping[ReplayKey, tuple[str, str | None]],
    gone: Collection[int],
    unchanged: Mapping[int, str],
) -> Counter[tuple[RequestState, str]]:
    """Return how many sampled requests are in each state, with the reason of the first item that failed."""
    worst: dict[int, tuple[RequestState, str]] = {
        sample.sample_id: ("expired", TEXTS_GONE)
        if sample.sample_id in gone
        else ("done", unchanged.get(sample.sample_id, ""))
        for sample in samples
    }
    for item in items:
        state, reason = states.get(replay_key(item), ("missing", None))
        before = worst[item.sample_id][0]
        if state == "failed" and before != "failed":
            worst[item.sample_id] = ("failed", reason or "")
        elif state == "missing" and before == "done":
            worst[item.sample_id] = ("pending", "not replayed yet")
    return Counter(worst.values())


def _unchanged(
    samples: Sequence[Sample], items: Sequence[ReplayItem], lanes: Mapping[str, LaneConfig]
) -> dict[int, str]:
    """Return, for each sample that some variant made no item of, which: a swap needs a term, a mistake a word."""
    labels = {label for settings in lanes.values() for label in variant_labels(settings.variants)}
    made: dict[int, set[str]] = {}
    for item in items:
        made.setdefault(item.sample_id, set()).add(item.variant)
    missing = {sample.sample_id: labels - made.get(sample.sample_id, set()) for sample in samples}
    return {key: f"nothing to change for {', '.join(sorted(found))}" for key, found in missing.items() if found}


def _account(tally: Counter[tuple[RequestState, str]]) -> ReplayAccount:
    sums: Counter[str] = Counter()
    for (state, _), n in tally.items():
        sums[state] += n
    return ReplayAccount(
        n_done=sums["done"],
        n_failed=sums["failed"],
        n_pending=sums["pending"],
        n_sampled_out=sums["sampled_out"],
        n_expired=sums["expired"],
    )


def _where(deployment: str, lane: str) -> str:
    return f"deployments.{deployment}.lanes.{lane}"
