"""Ask an endpoint, and the pinned reference beside it, the sentinel's prompts for one window."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy

from llmmon.audit.event import body
from llmmon.backends.base import Backend, backends
from llmmon.channels.base import Connection
from llmmon.config import Config, PriceConfig, SentinelConfig
from llmmon.endpoint.credentials import resolving
from llmmon.errors import ConfigError, ReplayError
from llmmon.model import ReplayItem, Response, Window, digest_of
from llmmon.pipeline.lane_run import Keep, LaneRun
from llmmon.pipeline.probe_prompts import load_prompts
from llmmon.store import audit
from llmmon.store.coverage import GRID, lock_accounts
from llmmon.store.database import Database
from llmmon.store.probe import ProbeAnswer, ProbeLane, StoredProbe, keep_probes, mark_late, window_probes

log = logging.getLogger(__name__)

LANES: Final[tuple[ProbeLane, ...]] = ("endpoint", "reference")


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What probing one window gave, over all lanes that were asked for.

    Parameters
    ----------
    n_probes, n_skipped : int
        Probes that the window calls for, and those that an earlier call had answered.
    n_done, n_failed : int
        Of the probes sent now.
    n_input_tokens, n_output_tokens : int
        Of all answered probes of the window, as far as the backends told them.
    tokens_per_day : int
        What the schedule comes to at that rate.
    cost_usd, usd_per_day : float or None
        The same in dollars; None when a lane has no price or a probe's tokens are not known.
    reason : str or None
        Why no probe was due, or why there is no cost.
    """

    n_probes: int = 0
    n_skipped: int = 0
    n_done: int = 0
    n_failed: int = 0
    n_input_tokens: int = 0
    n_output_tokens: int = 0
    tokens_per_day: int = 0
    cost_usd: float | None = None
    usd_per_day: float | None = None
    reason: str | None = None


def probe_endpoint(
    database: Database,
    config: Config,
    deployment: str,
    window: Window,
    *,
    lanes: Sequence[ProbeLane] = LANES,
    now: datetime | None = None,
    resolve: Callable[[str], Connection] | None = None,
) -> ProbeResult:
    """Send the probes of `window` that are not answered yet; what failed before is tried again.

    Probes are stored as they come. A failed one is stored with its reason and counts as sent. A window that was
    judged before its probes came is marked to be judged and measured again.

    Parameters
    ----------
    lanes : sequence of str
        ``endpoint`` and ``reference``; a deployment without a reference has no probes there.
    now : datetime or None
        Moment that the window's age is counted from; the clock's, unless given.
    resolve : callable or None
        Gives an endpoint's connection by name; None reads ``AIRFLOW_CONN_<NAME>``.

    Raises
    ------
    ConfigError
        When the prompts or a backend are configured wrongly; nothing was sent.
    ReplayError
        When a lane could not run; its probes are stored as failed and the other lane had its turn.
    """
    settings = config.deployments[deployment].sentinel
    if settings is None:
        return ProbeResult(reason="no sentinel is configured")
    every = timedelta(hours=settings.every_hours or config.window_hours)
    reason = _why_not_due(settings, window, every, now or datetime.now(UTC))
    if reason is not None:
        log.info("%s %s: no probes: %s", deployment, window.key, reason)
        return ProbeResult(reason=reason)
    plans = {lane: plan_probes(settings, deployment, window, lane) for lane in lanes if _backend_of(settings, lane)}
    prices = {"endpoint": settings.usd_per_million_tokens, "reference": settings.reference_usd_per_million_tokens}
    runs = {
        lane: LaneRun(
            database,
            config,
            deployment,
            window,
            lane,
            _backend(config, settings, lane),
            _keep(deployment, window, prices[lane]),
        )
        for lane in plans
    }
    with database.transaction() as connection:
        answered = {
            (probe.lane, probe.prompt, probe.repeat)
            for probe in window_probes(connection, deployment, window)
            if probe.state == "done"
        }
    problems: list[ReplayError] = []
    counts: Counter[str] = Counter()
    with resolving(None if resolve is None else lambda name: resolve(name).password):
        for lane, items in plans.items():
            todo = [item for item in items if (lane, item.variant, item.repeat) not in answered]
            counts.update(probes=len(items), skipped=len(items) - len(todo))
            problem = runs[lane].run(todo) if todo else None
            counts.update(runs[lane].counts)
            problems += [problem] if problem is not None else []
    with database.transaction() as connection:
        lock_accounts(connection, [deployment], shared=False)
        asked = {(item.lane, item.variant, item.repeat) for items in plans.values() for item in items}
        stored = [p for p in window_probes(connection, deployment, window) if (p.lane, p.prompt, p.repeat) in asked]
        result = _result(counts, stored, every)
        if counts["done"] + counts["failed"]:
            mark_late(connection, deployment, window)
            subject = f"deployment {deployment} window {window.key}"
            audit.append(connection, body("endpoint.probed", subject, asdict(result), config_digest=config.digest))
    if problems:
        raise type(problems[0])("; ".join(map(str, problems))) from problems[0]
    return result


def _keep(deployment: str, window: Window, price: PriceConfig | None) -> Keep:
    def keep(
        connection: sqlalchemy.Connection, chunk: Sequence[Response], provenance_of: Mapping[str | None, int]
    ) -> None:
        answers = [
            ProbeAnswer(
                prompt=response.item.variant,
                response=response,
                cost_usd=_cost(response, price),
                provenance_id=provenance_of[response.model_revision],
            )
            for response in chunk
        ]
        keep_probes(connection, deployment, window, answers)

    return keep


def _cost(response: Response, price: PriceConfig | None) -> float | None:
    if price is None or response.n_input_tokens is None or response.n_output_tokens is None:
        return None
    return (response.n_input_tokens * price.input + response.n_output_tokens * price.output) / 1e6


def plan_probes(settings: SentinelConfig, deployment: str, window: Window, lane: ProbeLane) -> list[ReplayItem]:
    """Return the probes of one window and lane.

    Every window draws anew, and so does every lane: their answers are independent samples, as the comparison of
    distributions takes them to be.
    """
    change = {"temperature": settings.temperature, "max_tokens": settings.max_tokens, "logprobs": settings.logprobs}
    return [
        ReplayItem(
            sample_id=number,
            request_key=0,
            lane=lane,
            variant=prompt.key(settings),
            repeat=repeat,
            messages=prompt.messages,
            documents=(),
            parameters={},
            seed=int.from_bytes(digest_of([deployment, window.key, lane, prompt.name, repeat])[:8], "big") >> 1,
            change=change,
        )
        for number, prompt in enumerate(load_prompts(settings, where=f"deployments.{deployment}.sentinel"))
        for repeat in range(settings.samples)
    ]


def _why_not_due(settings: SentinelConfig, window: Window, every: timedelta, now: datetime) -> str | None:
    if (window.start - GRID) % every:
        return f"probes are sent every {every / timedelta(hours=1):g} hours"
    if now - window.end > timedelta(hours=settings.max_late_hours):
        # what answers now may not be what answered then
        return f"the window ended more than max_late_hours = {settings.max_late_hours:g} ago"
    return None


def _backend_of(settings: SentinelConfig, lane: ProbeLane) -> str | None:
    if lane not in LANES:
        raise ConfigError(f"lane {lane!r}: expected one of {', '.join(LANES)}")
    return settings.backend if lane == "endpoint" else settings.reference


def _backend(config: Config, settings: SentinelConfig, lane: ProbeLane) -> Backend:
    name = _backend_of(settings, lane)
    assert name is not None
    return config.backends[name].create(backends, where=f"backends.{name}")


def _result(counts: Counter[str], stored: Sequence[StoredProbe], every: timedelta) -> ProbeResult:
    done = [probe for probe in stored if probe.state == "done"]
    per_day = timedelta(days=1) / every
    n_input, n_output = (
        sum(getattr(probe, name) or 0 for probe in done) for name in ("n_input_tokens", "n_output_tokens")
    )
    costs = [probe.cost_usd for probe in done if probe.cost_usd is not None]
    known = bool(done) and len(costs) == len(done)
    return ProbeResult(
        n_probes=counts["probes"],
        n_skipped=counts["skipped"],
        n_done=counts["done"],
        n_failed=counts["failed"],
        n_input_tokens=n_input,
        n_output_tokens=n_output,
        tokens_per_day=round((n_input + n_output) * per_day),
        cost_usd=sum(costs) if known else None,
        usd_per_day=sum(costs) * per_day if known else None,
        reason=None if known else f"no cost: {len(done) - len(costs)} of {len(done)} answers without price or tokens",
    )
