"""Roll days up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline import roll_up as roll_up_stage


@click.command("roll-up")
@context.config_option
@context.database_option
@context.json_option
def roll_up(config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Merge the latency sketches of days that are over; `llmmon query latency_by_day` shows them."""
    config = context.configuration(config_path)
    result = roll_up_stage.roll_up(context.open_database(database_url), config)
    if as_json:
        context.print_json([dataclasses.asdict(result)])
        return
    click.echo(f"{result.n_days} days rolled up, {result.n_incomplete} of them not measured whole")
