"""Draw the requests of a window that are replayed: stratified, deterministic, with known probabilities."""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.model import RequestLog, Window
from llmmon.store import audit
from llmmon.store.coverage import StageCount, close_stage, lock_accounts
from llmmon.store.database import Database
from llmmon.store.replay import Draw, replace_samples
from llmmon.store.request_log import window_requests

log = logging.getLogger(__name__)

STRATA = ("route", "status", "tenant", "language", "model", "model_version", "finish_reason", "error_type")
"""Fields of a request log that may be a stratum; so may ``group.<name>`` and ``tag.<name>``."""


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """What a draw gave.

    Parameters
    ----------
    n_requests, n_sampled, n_strata : int
        Requests of the window, those drawn, and non-empty strata.
    n_forgotten : int
        Samples of an earlier draw that late rows pushed out.
    """

    n_requests: int
    n_sampled: int
    n_strata: int
    n_forgotten: int


def draw_sample(database: Database, config: Config, deployment: str, window: Window) -> SampleResult:
    """Draw the window's sample, store it, and close the account of the stage.

    The sample is a function of the requests in the window alone: drawing twice, at the same time, or after another
    order of arrival gives the same sample.
    """
    settings = config.deployments[deployment].sample
    with database.transaction() as connection:
        lock_accounts(connection, [deployment], shared=False)
        requests = window_requests(connection, deployment, window)
        draws, n_strata = stratified_draw(
            requests,
            deployment=deployment,
            window=window,
            strata=settings.strata,
            per_window=settings.per_window,
        )
        n_forgotten = replace_samples(connection, deployment, window, draws)
        result = SampleResult(
            n_requests=len(requests), n_sampled=len(draws), n_strata=n_strata, n_forgotten=n_forgotten
        )
        close_stage(connection, deployment, window, "sample", _account(result))
        subject = f"deployment {deployment} window {window.key}"
        audit.append(connection, body("sample.drawn", subject, asdict(result), config_digest=config.digest))
    log.info(
        "%s %s: drew %d of %d requests from %d strata",
        deployment,
        window.key,
        result.n_sampled,
        result.n_requests,
        result.n_strata,
    )
    if result.n_sampled > settings.per_window:
        log.warning(
            "%s %s: %d strata need one request each, more than per_window = %d; use fewer strata",
            deployment,
            window.key,
            result.n_strata,
            settings.per_window,
        )
    return result


def stratified_draw(
    requests: Sequence[tuple[int, RequestLog]],
    *,
    deployment: str,
    window: Window,
    strata: Sequence[str],
    per_window: int,
) -> tuple[list[Draw], int]:
    """Draw requests stratum by stratum and return them with the number of non-empty strata.

    Parameters
    ----------
    requests : sequence of (request_key, RequestLog)
        All requests of the window, in any order.
    strata : sequence of str
        Fields whose values make a stratum: see `STRATA`.
    per_window : int
        Requests wanted. Strata outnumbering it are drawn from once each all the same, because a request that cannot
        be drawn cannot be represented; 0 draws nothing.

    Notes
    -----
    Inside a stratum the ``n_h`` requests with the smallest SHA-256 of (deployment, window, source, request id) are
    taken, so each has inclusion probability ``n_h / N_h`` over the choice of the hash, and ``sum(y / probability)``
    estimates a total without bias [1]_.

    References
    ----------
    .. [1] D. G. Horvitz and D. J. Thompson, "A Generalization of Sampling Without Replacement From a Finite
       Universe", JASA 47 (1952), 663-685.
    """
    members: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    for request_key, request in requests:
        stratum = "|".join(_value(request, field, deployment) for field in strata) or "all"
        members[stratum].append((_hash(deployment, window, request), request_key))
    sizes = allocate({stratum: len(rows) for stratum, rows in members.items()}, per_window)
    draws = [
        Draw(
            request_key=request_key,
            stratum=stratum,
            probability=size / len(members[stratum]),
            seed=int.from_bytes(digest[:8], "big") >> 1,
        )
        for stratum, size in sorted(sizes.items())
        for digest, request_key in heapq.nsmallest(size, members[stratum])
    ]
    return draws, len(members)


def allocate(population: Mapping[str, int], total: int) -> dict[str, int]:
    """Share `total` draws among strata: at least one each, never more than there are, else by size.

    Each next draw goes to the stratum that is furthest below its proportional share; ties go to the first name.

    Examples
    --------
    >>> allocate({"chat": 90, "code": 9, "error": 1}, 10)
    {'chat': 8, 'code': 1, 'error': 1}
    >>> allocate({"a": 2, "b": 2}, 10)
    {'a': 2, 'b': 2}
    """
    if total <= 0:
        return {}
    everything = sum(population.values())
    sizes = dict.fromkeys(sorted(population), 1)
    queue = [(1 - total * n / everything, stratum) for stratum, n in sorted(population.items()) if n > 1]
    heapq.heapify(queue)
    for _ in range(min(total, everything) - len(sizes)):
        surplus, stratum = heapq.heappop(queue)
        sizes[stratum] += 1
        if sizes[stratum] < population[stratum]:
            heapq.heappush(queue, (surplus + 1, stratum))
    return sizes


def _account(result: SampleResult) -> list[StageCount]:
    if not result.n_requests:
        return []
    if not result.n_sampled:
        return [StageCount(state="sampled_out", n=result.n_requests, reason="per_window is 0")]
    probability = result.n_sampled / result.n_requests
    counts = [StageCount(state="done", n=result.n_sampled, probability=probability)]
    if result.n_sampled < result.n_requests:
        n = result.n_requests - result.n_sampled
        counts.append(StageCount(state="sampled_out", n=n, probability=probability))
    return counts


def _hash(deployment: str, window: Window, request: RequestLog) -> bytes:
    name = "\0".join((deployment, window.key, request.source, request.request_id))
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def _value(request: RequestLog, field: str, deployment: str) -> str:
    kind, _, name = field.partition(".")
    if name and kind == "group":
        return request.groups.get(name, "")
    if name and kind == "tag":
        return request.tags.get(name, "")
    if field not in STRATA:
        raise ConfigError(
            f"deployments.{deployment}.sample.strata: no field {field!r}; "
            f"expected one of {', '.join(STRATA)}, group.<name> or tag.<name>"
        )
    value = getattr(request, field)
    return "" if value is None else str(value)
