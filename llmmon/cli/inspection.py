"""The verbs that look and change nothing."""

from __future__ import annotations

import csv
import dataclasses
import sys
from operator import attrgetter
from pathlib import Path

import click

from llmmon.backends.base import backends
from llmmon.channels.base import channels
from llmmon.cli import context
from llmmon.detectors.base import detectors
from llmmon.errors import ConfigError
from llmmon.faults.base import faults
from llmmon.metrics.base import metrics
from llmmon.scorers.base import scorers
from llmmon.sources.base import sources
from llmmon.store.database import fetch
from llmmon.store.views import compliance_views
from llmmon.variants.base import variants

REGISTRIES = (sources, backends, variants, scorers, metrics, detectors, channels, faults)


@click.command()
@context.deployment_option
@context.config_option
@context.database_option
@context.json_option
def coverage(deployments: tuple[str, ...], config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Show the closed account: what became of every request at every stage of every window."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    with database.transaction() as connection:
        rows = fetch(connection, "coverage/account", {"deployments": list(context.chosen(config, deployments))})
    context.print_result(
        rows, as_json=as_json, empty="no window has been accounted for yet; `llmmon ingest` loads what is new"
    )


@click.command()
@click.argument("view", required=False)
@click.option("--json", "layout", flag_value="json", help="The same as --format json.")
@click.option("--format", "layout", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--limit", default=200, show_default=True, help="Rows at most; 0 for all.")
@context.database_option
def query(view: str | None, layout: str, limit: int, database_url: str | None) -> None:
    """Read a compliance view; without a name, list the views and the duty each answers."""
    views = compliance_views()
    if view is None:
        told = [(item.name, item.purpose.split(". ")[0].rstrip(".")) for item in views.values()]
        context.print_rows(("view", "answers"), told)
        return
    if view not in views:
        raise ConfigError(f"query: no view {view!r}; there are: {', '.join(views)}")
    database = context.open_database(database_url)
    with database.transaction() as connection:
        result = connection.exec_driver_sql(views[view].select, {"limit": limit or None})
        columns, rows = tuple(result.keys()), result.all()
    if layout == "json":
        context.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif layout == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows([_safe_for_spreadsheets(value) for value in row] for row in rows)
    else:
        context.print_rows(columns, rows)


def _safe_for_spreadsheets(value: object) -> object:
    # a cell that starts like a formula is run by spreadsheets; OWASP ASVS 1.2.10
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\0")):
        return f"'{value}"
    return value


_PLUGIN_COLUMNS = ("kind", "name", "parameters", "summary")


def _parameters(plugin: type) -> str:
    told = []
    for field in filter(attrgetter("init"), dataclasses.fields(plugin)):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        told.append(field.name if default is dataclasses.MISSING else f"{field.name} = {default!r}")
    return ", ".join(told)


@click.command()
@click.argument("kind", required=False, type=click.Choice([registry.kind for registry in REGISTRIES]))
@context.json_option
def plugins(kind: str | None, as_json: bool) -> None:
    """List the plug-ins: what can be named in llmmon.toml."""
    rows = [
        (
            registry.kind,
            name,
            _parameters(registry.get(name)),
            (registry.get(name).__doc__ or "").strip().splitlines()[0],
        )
        for registry in REGISTRIES
        if kind in (None, registry.kind)
        for name in registry.names()
    ]
    if as_json:
        context.print_json([dict(zip(_PLUGIN_COLUMNS, row, strict=True)) for row in rows])
    else:
        context.print_rows(_PLUGIN_COLUMNS, rows)
