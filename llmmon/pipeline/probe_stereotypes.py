"""Probe a model for stereotypes: read a probe's data, ask the model or take recorded answers, reduce, write down."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import llmmon
from llmmon.audit.event import body
from llmmon.backends.base import backends
from llmmon.backends.likelihood import likelihoods_of
from llmmon.backends.local_transformers import Transformers
from llmmon.config import Config
from llmmon.errors import ConfigError
from llmmon.metrics.stereotypes import bbq, crows_pairs, winobias
from llmmon.metrics.stereotypes.probe import folder_of, opened
from llmmon.model import Provenance, StereotypeFigure
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.provenance import remember
from llmmon.store.stereotype import keep_figures

log = logging.getLogger(__name__)

PROBES: Final[dict[str, Any]] = {module.NAME: module for module in (bbq, crows_pairs, winobias)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """What one probe found about one model.

    Parameters
    ----------
    model, model_revision : str or None
        None for recorded answers.
    n : int
        Questions or pairs.
    data_digest : str
        SHA-256 over them as read.
    """

    probe: str
    model: str | None
    model_revision: str | None
    n: int
    data_digest: str
    limit: int | None
    seconds: float
    figures: Sequence[StereotypeFigure]


def probe_stereotypes(backend: Transformers, probe: str, data: Path, limit: int | None = None) -> Probed:
    """Run one probe on a model of this machine.

    Parameters
    ----------
    probe : str
        One of `PROBES`.
    data : Path
        Folder of the probe's files, or of such folders.
    limit : int or None
        Questions or pairs of each category at most, drawn with a fixed seed.

    Raises
    ------
    ConfigError
        When the data are not there or not the probe's, or the model cannot answer it.
    ModelNotFoundError, BackendUnavailableError
        When the model cannot be loaded.
    """
    module = PROBES[probe]
    rows = module.read(folder_of(data, probe), limit)
    started = time.monotonic()
    found = module.ask(rows, likelihoods_of(backend))
    seconds = time.monotonic() - started
    log.info("%s: %d rows in %.1f s", probe, len(rows), seconds)
    return Probed(
        probe=probe,
        model=backend.model,
        model_revision=backend.model_revision,
        n=len(rows),
        data_digest=_digest(rows),
        limit=limit,
        seconds=seconds,
        figures=module.figures(rows, found),
    )


def score_recorded(answers: str, data: Path, limit: int | None = None) -> Probed:
    """Score answers to BBQ that were given before.

    Parameters
    ----------
    answers : str
        A file of JSON lines ``{"category", "example_id", "answer"}``, plain or gzip, or a field of the data's own rows.

    Raises
    ------
    ConfigError
        When there is neither such a file nor such a field, or a line lacks something.
    """
    started = time.monotonic()
    rows = bbq.read(folder_of(data, bbq.NAME), limit)
    given: list[str | None]
    if Path(answers).is_file():
        recorded = _read_answers(Path(answers))
        given = [recorded.get((row.category, row.example_id)) for row in rows]
    elif any(answers in row.recorded for row in rows):
        given = [row.recorded.get(answers) for row in rows]
    else:
        raise ConfigError(f"--predictions {answers!r} is neither a file nor a field of the rows in {data}")
    return Probed(
        probe=bbq.NAME,
        model=None,
        model_revision=None,
        n=len(rows),
        data_digest=_digest(rows),
        limit=limit,
        seconds=time.monotonic() - started,
        figures=bbq.figures(rows, bbq.match(rows, given)),
    )


def probe_deployment(database: Database, config: Config, deployment: str) -> list[Probed]:
    """Run every probe that `deployment` asks for on its model, and write down what they find.

    Raises
    ------
    ConfigError
        When it asks for none, or its backend runs no model on this machine.
    """
    settings = config.deployments[deployment].stereotypes
    where = f"deployments.{deployment}.stereotypes"
    if settings is None:
        raise ConfigError(f"{where}: not there; docs/fairness.md shows one")
    backend = config.backends[settings.backend].create(backends, where=f"backends.{settings.backend}")
    if not isinstance(backend, Transformers):
        raise ConfigError(
            f"{where}.backend: {settings.backend!r} tells no likelihoods; expected a `transformers` backend"
        )
    found = []
    for probe in settings.probes:
        probed = probe_stereotypes(backend, probe, Path(settings.data), settings.limit)
        keep(database, config, deployment, probed)
        found.append(probed)
    return found


def keep(database: Database, config: Config, deployment: str, probed: Probed) -> None:
    """Write figures and audit event of one probe, in one transaction."""
    parameters = {"model": probed.model, "data_digest": probed.data_digest, "limit": probed.limit}
    provenance = Provenance(
        kind="stereotypes",
        plugin=probed.probe,
        parameters=parameters,
        code_version=llmmon.__version__,
        config_digest=config.digest,
        model_revision=probed.model_revision,
    )
    detail = {"probe": probed.probe, "n": probed.n, "n_figures": len(probed.figures), **parameters}
    subject = f"deployment {deployment}"
    with database.transaction() as connection:
        keep_figures(connection, deployment, probed.probe, probed.figures, remember(connection, provenance))
        audit.append(connection, body("stereotypes.probed", subject, detail, config_digest=config.digest))


def _digest(rows: Sequence[object]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _read_answers(path: Path) -> dict[tuple[str, str], str]:
    found, number = {}, 0
    try:
        with opened(path) as lines:
            for line in lines:
                number += 1
                row = json.loads(line)
                found[row["category"], str(row["example_id"])] = str(row["answer"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{type(error).__name__}: {error}"
        expected = 'JSON lines with "category", "example_id" and "answer"'
        raise ConfigError(f"{path}: line {number}: {told}; expected {expected}") from error
    return found
