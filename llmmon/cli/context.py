"""What every verb shares: where the configuration and the database are, and how results are printed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row

from llmmon.config import Config, load_config
from llmmon.embedded import home
from llmmon.errors import ConfigError, StoreUnavailableError
from llmmon.model import Window
from llmmon.pipeline.check_plugins import check_plugins
from llmmon.privacy.keys import VARIABLE
from llmmon.store.coverage import GRID
from llmmon.store.database import Database
from llmmon.store.migrate import check_schema

F = TypeVar("F", bound=Callable[..., Any])


def _nearest_config() -> Path:
    here = Path("llmmon.toml")
    return here if here.exists() else Path("dags/llmmon.toml")


def config_option(function: F) -> F:
    """Add ``--config``."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        envvar="LLMMON_CONFIG",
        show_envvar=True,
        default=_nearest_config,
        show_default="llmmon.toml here, else dags/llmmon.toml",
        help="The deployment as data.",
    )(function)


def database_option(function: F) -> F:
    """Add ``--database``."""
    return click.option(
        "--database",
        "database_url",
        envvar="LLMMON_DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="postgresql://user:password@host:port/name; without it the Postgres of `llmmon up`.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document for scripts.")(function)


def deployment_option(function: F) -> F:
    """Add ``--deployment``, once for each deployment; none means all."""
    return click.option(
        "-d", "--deployment", "deployments", multiple=True, metavar="NAME", help="Only this one; may be repeated."
    )(function)


def window_option(function: F) -> F:
    """Add a required ``--window``."""
    return click.option("-w", "--window", "window_text", required=True, metavar="START[/END]", help=WINDOW_HELP)(
        function
    )


WINDOW_HELP = "Event time, UTC: 2023-06-27T05:00 for one window, START/END for all windows between."


def open_database(url: str | None, *, checked: bool = True, login: str = "llmmon_app") -> Database:
    """Return the database of ``--database``, else the running Postgres of ``llmmon up``, there as `login`."""
    found = url or local_database(login)
    if found is None:
        raise StoreUnavailableError(
            "no database: pass --database, set LLMMON_DATABASE_URL, or start the local one with `llmmon up`"
        )
    database = Database(found)
    if checked:
        check_schema(database)
    return database


def local_database(login: str = "llmmon_app") -> str | None:
    """Return the running Postgres of ``llmmon up``, None when there is none, and use the key it was filled under."""
    found = home.database_url(login)
    if found is not None:
        use_local_key()
    return found


def use_local_key() -> None:
    """Set ``LLMMON_PRIVACY_KEY`` to the local stack's, unless somebody set another."""
    os.environ.setdefault(VARIABLE, home.secrets(home.folder())["privacy_key"])


def chosen(config: Config, deployments: Sequence[str]) -> tuple[str, ...]:
    """Return the deployments asked for, all when none was named."""
    for name in deployments:
        if name not in config.deployments:
            raise ConfigError(f"--deployment: no {name!r}; there are: {', '.join(config.deployments)}")
    return tuple(deployments) or tuple(config.deployments)


def windows(config: Config, text: str) -> tuple[Window, ...]:
    """Return the windows that ``--window`` names."""
    try:
        span = Window.parse(text, hours=config.window_hours)
    except ValueError as error:
        raise ConfigError(
            f"--window {text!r} is no window; expected 2023-06-27T05:00 for one window, or START/END with START first"
        ) from error
    for moment in (span.start, span.end):
        if (moment - GRID) % config.window_length:
            raise ConfigError(
                f"--window {text!r}: windows of {config.window_hours:g} h begin on a grid from midnight UTC; "
                f"{moment:%H:%M} is not on it"
            )
    return tuple(span.split(config.window_length))


def configuration(path: Path) -> Config:
    """Load the configuration of ``--config`` and build every plug-in that it names."""
    config = load_config(path)
    check_plugins(config)
    return config


def interactive() -> bool:
    """Return whether a person is watching, so that progress bars make sense."""
    return Console(stderr=True).is_terminal and "CI" not in os.environ


def print_json(value: Any) -> None:
    """Print `value` as one JSON document."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_json_line(value: Any) -> None:
    """Print `value` as one line of JSON lines."""
    click.echo(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows as a table; where the terminal is too narrow for its columns, as one block a row."""
    cells = [[_cell(value) for value in row] for row in rows]
    console = Console()
    if not cells:
        click.echo("no rows")
    elif console.is_terminal and console.width < 12 * len(columns):
        width = max(map(len, columns))
        for row in cells:
            click.echo("".join(f"{name:{width}}  {cell}\n" for name, cell in zip(columns, row, strict=True)))
    else:
        table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for row in cells:
            table.add_row(*row)
        # what is piped is read by a program or a pager: nothing is cut or wrapped there
        (console if console.is_terminal else Console(width=10_000)).print(table, markup=False)


def print_result(rows: Sequence[Row[Any]], *, as_json: bool, empty: str) -> None:
    """Print the rows of a statement as JSON or as a table; `empty` is said in place of an empty table."""
    if as_json:
        print_json([dict(row._mapping) for row in rows])
    elif rows:
        print_rows(tuple(rows[0]._fields), rows)
    else:
        click.echo(empty)


def plain(text: str) -> str:
    """Return text of a log for a terminal; control characters, which could drive it, become U+FFFD."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (dict, list)):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)
