"""``python -m benchmarks`` lists the benchmarks; ``python -m benchmarks NAME [KEY=VALUE ...] [--json]`` runs one."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import pkgutil
import platform
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.result import Grid, Result


def names() -> list[str]:
    """Return the modules that are benchmarks."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return sorted(name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "SUMMARY"))


def settings(function: Any, given: list[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` arguments in the types of the function's defaults."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    found = {}
    for argument in given:
        key, equals, value = argument.partition("=")
        if not equals or key not in defaults:
            raise SystemExit(f"benchmarks: {argument!r}: expected one of {', '.join(f'{k}=...' for k in defaults)}")
        try:
            found[key] = type(defaults[key])(value)
        except ValueError:
            raise SystemExit(f"benchmarks: {key}: expected {type(defaults[key]).__name__}, got {value!r}") from None
    return found


def show(name: str, result: Result) -> None:
    """Print a result as a table of values and ratios."""
    told = ", ".join(f"{key} {value}" for key, value in result.settings.items())
    table = Table(
        "way", result.unit, f"x of {result.reference}", "note", title=f"{name} ({told})", title_justify="left"
    )
    base = next(row.value for row in result.rows if row.way == result.reference)
    for row in result.rows:
        value = "-" if row.value is None else f"{row.value:,.4g}" if row.value < 1000 else f"{row.value:,.0f}"
        ratio = "-" if not row.value or not base else f"{row.value / base:.3g}"
        table.add_row(row.way, value, ratio, row.note)
    console = Console(width=max(Console().width, 120))
    console.print(table)
    better = "higher" if result.higher_is_better else "lower"
    console.print(
        f"{better} is better; {os.cpu_count()} CPUs, Python {platform.python_version()}, one run, best of rounds"
    )


def show_grid(grid: Grid) -> None:
    """Print a table of words."""
    table = Table(title=grid.title, title_justify="left")
    for column in grid.columns:
        table.add_column(column, overflow="fold")
    for row in grid.rows:
        table.add_row(*row)
    Console(width=max(Console().width, 160)).print(table)


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    as_json = "--json" in arguments
    words = [word for word in arguments if word != "--json"]
    if not words:
        for name in names():
            print(f"{name:12} {importlib.import_module(f'benchmarks.{name}').SUMMARY}")
        return 0
    name, *given = words
    if name not in names():
        print(f"benchmarks: no {name!r}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"benchmarks.{name}")
    result = module.run(**settings(module.run, given))
    if as_json:
        body = (
            {"tables": list(map(dataclasses.asdict, result))}
            if isinstance(result, list)
            else dataclasses.asdict(result)
        )
        print(json.dumps({"benchmark": name, **body}, indent=2))
    elif isinstance(result, list):
        for grid in result:
            show_grid(grid)
    else:
        show(name, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
