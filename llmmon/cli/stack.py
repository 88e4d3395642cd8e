"""The verbs that set llmmon up and run the local stack."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from llmmon.cli import context
from llmmon.embedded import home
from llmmon.embedded import up as local_stack
from llmmon.errors import ConfigError
from llmmon.store.grants import check_grants
from llmmon.store.migrate import upgrade


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), default=Path("llmmon.toml"), show_default=True
)
@context.database_option
def init(config_path: Path, database_url: str | None) -> None:
    """Write a commented llmmon.toml unless there is one, check it, and migrate the database."""
    if not config_path.exists():
        try:
            config_path.write_text(files("llmmon.cli").joinpath("starter.toml").read_text("utf-8"), "utf-8")
        except OSError as error:
            raise ConfigError(f"--config {config_path}: cannot be written: {error}") from error
        click.echo(f"wrote {config_path}")
    config = context.configuration(config_path)
    click.echo(f"{config_path}: valid; deployments: {', '.join(config.deployments) or 'none'}")
    url = database_url or home.database_url()
    if url is None:
        click.echo("no database was given or is running here: none was migrated; `llmmon run` starts one for itself")
        return
    upgrade(url)
    database = context.open_database(url)
    check_grants(database)
    click.echo(f"{database}: the schema is this version's, and every role has the rights it should have")


@click.command()
@context.config_option
@click.option("--detach", is_flag=True, help="Return when the demo is through and leave everything running.")
def up(config_path: Path, detach: bool) -> None:
    """Start Postgres and Airflow on this machine, run the windows, show what was found; Ctrl-C stops it all."""
    local_stack.up(config_path, detach=detach)


@click.command()
def down() -> None:
    """Stop what `llmmon up` started, and nothing else."""
    local_stack.down()
