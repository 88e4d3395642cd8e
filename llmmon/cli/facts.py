"""The verbs that index a team's reference texts and look into the index."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline import index_facts
from llmmon.pipeline.fact_scorer import FactIndex

_LONGEST_SHOWN = 100


@click.group()
def facts() -> None:
    """Keep the reference texts that answers are verified against, `[facts.NAME]`."""


@facts.command()
@click.argument("name")
@context.config_option
@context.database_option
@context.json_option
def index(name: str, config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Bring the index of NAME up to date with its texts: new, changed and removed documents; the others stay."""
    config = context.configuration(config_path)
    result = index_facts.index_facts(context.open_database(database_url), config, name)
    if as_json:
        context.print_json(result)
    else:
        click.echo(f"{name}: " + ", ".join(f"{key} {value}" for key, value in vars(result).items()))


@facts.command()
@click.argument("name")
@click.argument("text")
@context.config_option
@context.database_option
@context.json_option
def search(name: str, text: str, config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Show the passages of NAME that an answer TEXT would be verified against."""
    config = context.configuration(config_path)
    if name not in config.facts:
        raise ConfigError(f"facts: no {name!r} is defined; there are: {', '.join(sorted(config.facts)) or 'none'}")
    database = context.open_database(database_url)
    (found,) = FactIndex.load(name, config.facts[name], database.transaction).find([[text]])
    if as_json:
        context.print_json([{"similarity": item.similarity, "passage": item.passage} for item in found])
    else:
        context.print_rows(
            ("document", "from", "to", "similarity", "text"),
            [
                (
                    item.passage.document,
                    item.passage.start,
                    item.passage.end,
                    item.similarity,
                    context.plain(" ".join(item.passage.content[:_LONGEST_SHOWN].split())),
                )
                for item in found
            ],
        )
