"""The verbs that look at sources before anything of them is stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline.check_source import check_source

_LONGEST_SHOWN = 60


@click.group()
def sources() -> None:
    """Look at where request logs come from."""


@sources.command("list")
@context.config_option
@context.json_option
def list_sources(config_path: Path, as_json: bool) -> None:
    """List the sources of the configuration and the deployments that they feed."""
    config = context.configuration(config_path)
    rows = [
        {
            "source": name,
            "type": source.read.type,
            "reads": _place(source.read.parameters),
            "deployments": [key for key, deployment in config.deployments.items() if deployment.source == name],
        }
        for name, source in config.sources.items()
    ]
    if as_json:
        context.print_json(rows)
    else:
        context.print_rows(tuple(rows[0]), [tuple(row.values()) for row in rows])


@sources.command()
@click.argument("name")
@click.option("--rows", "n_rows", default=3, show_default=True, type=click.IntRange(1), help="Rows to look at.")
@context.config_option
@context.json_option
def check(name: str, n_rows: int, config_path: Path, as_json: bool) -> None:
    """Read a few rows of a source and show how they map; nothing is stored and no cursor moves.

    Exit code 2 when none of the rows can be read.
    """
    config = context.configuration(config_path)
    if name not in config.sources:
        raise ConfigError(f"sources check: no source {name!r}; there are: {', '.join(config.sources)}")
    context.use_local_key()
    checked = check_source(config, name, n_rows=n_rows)
    found = checked.rows
    if as_json:
        context.print_json(
            [
                {
                    "file": row.file,
                    "offset": row.offset,
                    "code": row.code,
                    "reason": row.reason,
                    "request": None if row.request is None else msgspec.to_builtins(row.request),
                }
                for row in found
            ]
        )
    else:
        for row in found:
            click.echo(f"\n{row.file}, offset {row.offset}")
            if row.request is None:
                click.echo(f"  would be quarantined: {row.code}: {row.reason}")
                continue
            fields = {key: value for key, value in msgspec.structs.asdict(row.request).items() if _is_there(value)}
            width = max(map(len, fields))
            for key, value in fields.items():
                click.echo(f"  {key:{width}}  {_shown(value)}")
    readable = sum(row.request is not None for row in found)
    click.echo(f"\n{readable} of {len(found)} rows can be read; nothing was stored", err=True)
    for kind, n in checked.passed_over.items():
        click.echo(f"passed over, because they are no requests: {n} x {kind}", err=True)
    if found and not readable:
        click.get_current_context().exit(2)


def _place(parameters: Mapping[str, Any]) -> Any:
    return parameters.get("path") or parameters.get("table") or ("a query" if parameters.get("query") else None)


def _is_there(value: Any) -> bool:
    return value is not None and value not in ({}, (), "")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    shown = context.plain(text[:_LONGEST_SHOWN])
    return shown if len(text) <= _LONGEST_SHOWN else f"{shown}... ({len(text)} characters)"
