"""The verb that tells how surely gaps between groups would be found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline.announce_power import announce_power
from llmmon.pipeline.gap_power import N_RUNS


@click.command()
@click.argument("deployment")
@click.option("--gap", type=float, help="Gap to find, in each metric's unit; without it each monitor's min_effect.")
@click.option("--windows", "n_windows", default=720, show_default=True, help="Windows that it is watched for.")
@click.option("--runs", "n_runs", default=N_RUNS, show_default=True, help="Simulated runs.")
@click.option("--seed", default=0, show_default=True, help="Of the simulation.")
@context.config_option
@context.database_option
@context.json_option
def power(
    deployment: str,
    gap: float | None,
    n_windows: int,
    n_runs: int,
    seed: int,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Tell with which probability a gap between groups would be found, from the pairs of stored windows.

    For every counterfactual_gap monitor. Nothing is written.
    """
    config = context.configuration(config_path)
    (name,) = context.chosen(config, (deployment,))
    found = announce_power(
        context.open_database(database_url), config, name, gap=gap, n_windows=n_windows, n_runs=n_runs, seed=seed
    )
    if as_json:
        context.print_json(
            [{"monitor": monitor, "segment": segment, **asdict(one)} for (monitor, segment), one in found]
        )
        return
    if not found:
        click.echo(f"{name}: no counterfactual_gap monitor has measured a window")
        return
    context.print_rows(
        ("monitor", "segment", "gap", f"pairs in {n_windows} windows", "worth", "found with", "95% interval"),
        [
            (
                monitor,
                segment,
                f"{one.gap:g}",
                f"{one.n_pairs:,.0f}",
                f"{one.n_effective:,.0f}",
                one.reason if one.probability is None else f"{one.probability:.0%}",
                None if one.low is None or one.high is None else f"{one.low:.0%} to {one.high:.0%}",
            )
            for (monitor, segment), one in found
        ],
    )
