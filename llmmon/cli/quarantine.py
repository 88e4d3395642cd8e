"""The verbs for rows that could not be read."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline.retry_quarantine import retry_quarantine
from llmmon.store.quarantine import quarantine_summary, quarantined_row


@click.group()
def quarantine() -> None:
    """Look at rows that could not be read, and try them again."""


@quarantine.command("list")
@click.option("--source", metavar="NAME", help="Only this one.")
@context.database_option
@context.json_option
def list_rows(source: str | None, database_url: str | None, as_json: bool) -> None:
    """Count the rows in quarantine by source and reason."""
    database = context.open_database(database_url)
    with database.transaction() as connection:
        rows = quarantine_summary(connection, source)
    context.print_result(rows, as_json=as_json, empty="the quarantine is empty")


@quarantine.command()
@click.argument("quarantine_id", type=int, metavar="ID")
@click.option("--raw", is_flag=True, help="Write the row's bytes as they are, for a file or a program.")
@context.database_option
def show(quarantine_id: int, raw: bool, database_url: str | None) -> None:
    """Show one row: where it stood, why it could not be read, and its bytes."""
    database = context.open_database(database_url)
    with database.transaction() as connection:
        row, content = quarantined_row(connection, quarantine_id)
    if raw:
        click.echo(content, nl=False)
        return
    resolved = f", loaded by batch {row.resolved_batch_id}" if row.resolved_batch_id else ""
    click.echo(f"{row.source}: {row.file}, offset {row.byte_offset}, batch {row.batch_id}{resolved}")
    click.echo(f"{row.code}: {context.plain(row.reason)}")
    click.echo(context.plain(content.decode("utf-8", "backslashreplace")))


@quarantine.command()
@click.argument("source")
@context.config_option
@context.database_option
@context.json_option
def retry(source: str, config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Read the waiting rows of a source again, after its configuration or llmmon changed, and load what can be read."""
    config = context.configuration(config_path)
    result = retry_quarantine(context.open_database(database_url), config, source)
    if as_json:
        context.print_json(result)
    else:
        click.echo(
            f"{source}: {result.n_tried} rows tried: {result.n_new} new, {result.n_dup} already there, "
            f"{result.n_bad} still cannot be read"
        )
