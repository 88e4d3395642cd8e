"""The verbs for batches that their gate held back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from llmmon.cli import context
from llmmon.pipeline.decide_batch import BatchDecision, discard_batch, release_batch
from llmmon.pipeline.gate import failures_of
from llmmon.store.held_batch import batch_of, held_batches, held_rows

F = TypeVar("F", bound=Callable[..., Any])
_FACTS = (
    *("source", "state", "n_in", "n_new", "n_dup", "n_bad", "n_held", "first_occurred_at", "last_occurred_at"),
    *("loaded_at", "raw_sha256", "decided_at", "decided_by", "decided_because"),
)


@click.group()
def batch() -> None:
    """Look at batches that their gate held back, and release or discard them."""


@batch.command("list")
@click.option("--source", metavar="NAME", help="Only this one.")
@click.option("--all", "every", is_flag=True, help="Those that were decided on, too.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Newest batches shown.")
@context.database_option
@context.json_option
def list_batches(source: str | None, every: bool, limit: int, database_url: str | None, as_json: bool) -> None:
    """List the batches that wait for a person, newest first."""
    database = context.open_database(database_url)
    with database.transaction() as connection:
        rows = held_batches(connection, source=source, state=None if every else "held", limit=limit)
    context.print_result(rows, as_json=as_json, empty="no batch is held")


@batch.command()
@click.argument("batch_id", type=int, metavar="ID")
@click.option("--rows", "n_rows", default=0, type=click.IntRange(0), help="Show so many of the rows that are held.")
@click.option(
    "--html",
    "html_file",
    type=click.File("w", encoding="utf-8", lazy=True),
    help="Also write what the gate found as a page (Great Expectations' Data Docs) that loads nothing.",
)
@context.database_option
@context.json_option
def show(batch_id: int, n_rows: int, html_file: TextIO | None, database_url: str | None, as_json: bool) -> None:
    """Show one batch: its counts, what its gate found, and who decided on it."""
    database = context.open_database(database_url)
    with database.transaction() as connection:
        found = batch_of(connection, batch_id)
        rows = held_rows(connection, batch_id)[:n_rows] if n_rows else []
    if html_file is not None:
        from llmmon.pipeline.gate_page import gate_page  # loads Great Expectations, which takes seconds

        html_file.write(gate_page(found))
    gate = found.gate or {}
    findings = {"not fulfilled": failures_of(gate), "warning": failures_of(gate, severity="warning")}
    if as_json:
        context.print_json(
            {**found._mapping, "findings": findings, "rows": [row.raw.decode("utf-8", "replace") for row in rows]}
        )
        return
    for name in _FACTS:
        value = getattr(found, name)
        if value is not None:
            click.echo(f"{name:17} {context.plain(str(value))}")
    for kind, sentences in findings.items():
        for sentence in sentences:
            click.echo(f"\n{kind}: {context.plain(sentence)}")
    for row in rows:
        place, text = f"{row.file}, offset {row.offset}", row.raw.decode("utf-8", "backslashreplace")
        click.echo(f"\n{context.plain(place)}\n{context.plain(text)}")


def _decision_options(function: F) -> F:
    """Add what both decisions ask for."""
    options = (
        click.argument("batch_id", type=int, metavar="ID"),
        click.option("--because", required=True, metavar="TEXT", help="The reason; the audit trail keeps it."),
        click.option(
            "--by", metavar="PERSON", help="Who decides, for the audit trail; without it who is logged in here."
        ),
        context.config_option,
        context.database_option,
        context.json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@batch.command()
@_decision_options
def release(
    batch_id: int, because: str, by: str | None, config_path: Path, database_url: str | None, as_json: bool
) -> None:
    """Load a held batch after all; windows that its requests come late for are done again."""
    config = context.configuration(config_path)
    _tell(release_batch(context.open_database(database_url), config, batch_id, because=because, by=by), as_json)


@batch.command()
@_decision_options
def discard(
    batch_id: int, because: str, by: str | None, config_path: Path, database_url: str | None, as_json: bool
) -> None:
    """Throw the rows of a held batch away; its counts and the reason stay."""
    config = context.configuration(config_path)
    _tell(discard_batch(context.open_database(database_url), config, batch_id, because=because, by=by), as_json)


def _tell(decision: BatchDecision, as_json: bool) -> None:
    if as_json:
        context.print_json(decision)
        return
    became = (
        f"{decision.n_discarded} discarded"
        if decision.state == "discarded"
        else f"{decision.n_new} new, {decision.n_dup} already there, {decision.n_bad} quarantined; "
        f"{decision.n_dirty_windows} finished windows are to be done again"
    )
    click.echo(f"batch {decision.batch_id} of {decision.source} is {decision.state}: {decision.n_in} rows: {became}")
