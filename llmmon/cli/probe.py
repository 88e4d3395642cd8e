"""``llmmon probe``: send the sentinel's prompts, and say what they cost."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import track

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline.probe_endpoint import LANES, ProbeResult, probe_endpoint
from llmmon.store.probe import ProbeLane


@click.command()
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@context.window_option
@click.option("--lane", "lanes", type=click.Choice(LANES), multiple=True, help="Only this one; may be repeated.")
@context.config_option
@context.database_option
@context.json_option
def probe(
    deployments: tuple[str, ...],
    window_text: str,
    lanes: tuple[ProbeLane, ...],
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Ask an endpoint and its reference the sentinel's prompts; what is answered already is not asked again.

    Without a DEPLOYMENT: every one that has a sentinel. docs/sentinel.md says what comes of it.
    """
    config = context.configuration(config_path)
    watched = [name for name, item in config.deployments.items() if item.sentinel is not None]
    chosen = context.chosen(config, deployments) if deployments else tuple(watched)
    for name in chosen:
        if name not in watched:
            raise ConfigError(f"deployments.{name}: no [deployments.{name}.sentinel]; docs/sentinel.md shows one")
    database = context.open_database(database_url)
    jobs = [
        (name, window)
        for window in context.windows(config, window_text)
        for name in chosen
        if config.deployments[name].is_active(window)
    ]
    results = [
        {
            "deployment": name,
            "window": str(window),
            "result": probe_endpoint(database, config, name, window, lanes=lanes or LANES),
        }
        for name, window in track(jobs, description="probe", disable=not context.interactive(), transient=True)
    ]
    if as_json:
        context.print_json(results)
        return
    for row in results:
        click.echo(f"{row['deployment']} {row['window']}: {_told(row['result'])}")  # type: ignore[arg-type]


def _told(result: ProbeResult) -> str:
    if not result.n_probes:
        return f"nothing sent: {result.reason}"
    sent = f"{result.n_probes} probes: {result.n_done} answered, {result.n_failed} failed, {result.n_skipped} before"
    if result.usd_per_day is None:
        return f"{sent}; {result.tokens_per_day:,} tokens a day, {result.reason}"
    return f"{sent}; {result.tokens_per_day:,} tokens and {result.usd_per_day:.4f} USD a day"
