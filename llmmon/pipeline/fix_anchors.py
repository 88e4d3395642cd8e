"""Fix anchors: responses that a scorer judges again every day, so that a changed judge is told from a changed model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from llmmon.audit.event import body
from llmmon.config import Config
from llmmon.errors import ConfigError, ReviewError
from llmmon.model import LOGGED, Document, Message, Scorable
from llmmon.pipeline.fact_scorer import Connect
from llmmon.pipeline.judging import Judge, judge_of, scores_of
from llmmon.pipeline.score_responses import provenance_of
from llmmon.store import audit
from llmmon.store import review as store
from llmmon.store.database import Database
from llmmon.store.payload import Payload
from llmmon.store.provenance import remember


def fix_anchors(database: Database, config: Config, deployment: str, scorer: str, *, n_each: int) -> int:
    """Make anchors of labelled items, at most `n_each` of each label, and return how many are new.

    Raises
    ------
    ConfigError
        When the deployment has no such scorer.
    ReviewError
        When no item of it is labelled.
    """
    judge_named(config, deployment, scorer, database.transaction)
    with database.transaction() as connection:
        n = store.fix_anchors(connection, deployment, scorer, n_each=n_each)
        if not n and not store.anchors_of(connection, deployment, scorer):
            raise ReviewError(
                f"{deployment} {scorer}: no labelled item could be an anchor; label some (`llmmon review list`) "
                "or bring texts of your own with --file"
            )
        _tell(connection, config, deployment, scorer, n, "labelled items")
    return n


def fix_own_anchors(
    database: Database, config: Config, deployment: str, scorer: str, lines: Iterable[str], *, where: str
) -> int:
    """Make anchors of the team's own texts, judged now, and return how many are new.

    Parameters
    ----------
    lines : iterable of str
        ``{"id": "a1", "prompt": "..", "context": [".."], "response": "..", "label": 1}``, as `llmmon evaluate` reads.

    Raises
    ------
    ReviewError
        When a line cannot be read or the scorer has no value for it; names the line.
    """
    judge = judge_named(config, deployment, scorer, database.transaction)
    rows = [_row(line, f"{where}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    n = 0
    with database.transaction() as connection:
        provenance_id = remember(connection, provenance_of(judge, config))
        for place, row in rows:
            texts = Payload(
                messages=(Message(role="user", content=row.prompt),),
                documents=tuple(Document(content=text) for text in row.context),
                response_text=row.response,
            )
            n += store.fix_own_anchor(
                connection,
                deployment,
                scorer,
                name=row.id,
                label=row.label,
                texts=texts,
                score=_score(judge, texts, place),
                provenance_id=provenance_id,
            )
        _tell(connection, config, deployment, scorer, n, "a file")
    return n


def judge_named(config: Config, deployment: str, scorer: str, connect: Connect) -> Judge:
    """Return a scorer as it is configured now, with the facts that it judges against.

    Raises
    ------
    ConfigError
        When there is no such deployment or scorer.
    """
    if deployment not in config.deployments:
        raise ConfigError(f"no deployment {deployment!r}; there are: {', '.join(config.deployments)}")
    known = config.deployments[deployment].scorers
    if scorer not in known:
        raise ConfigError(f"deployments.{deployment}: no scorer {scorer!r}; there are: {', '.join(known) or 'none'}")
    return judge_of(config, deployment, scorer, known[scorer], connect)


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    id: str
    response: str
    prompt: str = ""
    context: tuple[str, ...] = ()
    label: int | None = None


def _row(line: str, where: str) -> tuple[str, _Row]:
    try:
        raw = json.loads(line)
        raw["id"] = str(raw["id"])
        return where, msgspec.convert(raw, _Row)
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.ValidationError) as error:
        told = f"{type(error).__name__}: {str(error)[:150]}"
        raise ReviewError(
            f'{where}: expected {{"id", "prompt", "context": [..], "response", "label"}}; {told}'
        ) from None


def _score(judge: Judge, texts: Payload, where: str) -> float:
    item = Scorable(
        request_key=0,
        lane=LOGGED,
        variant="as_logged",
        repeat=0,
        messages=texts.messages,
        documents=texts.documents,
        text=texts.response_text,
    )
    (found,) = scores_of(judge, [item])
    if found.value is None:
        raise ReviewError(f"{where}: the scorer has no value for it ({found.reason}), so it cannot be an anchor")
    return found.value


def _tell(connection: Any, config: Config, deployment: str, scorer: str, n: int, of: str) -> None:
    if n:
        subject = f"deployment {deployment} scorer {scorer}"
        audit.append(connection, body("anchors.fixed", subject, {"n": n, "of": of}, config_digest=config.digest))
