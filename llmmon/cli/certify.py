"""The verb that tells what the monitors of an installation would notice."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline import certify as certify_stage


@click.command()
@click.argument("deployment")
@click.option("--faults", "names", metavar="A,B", help="Only these of `llmmon plugins faults`.")
@click.option("--seed", default=0, show_default=True, help="Decides which windows are drawn and which rows are hit.")
@click.option(
    "--windows",
    "n_watched",
    default=certify_stage.N_WATCHED,
    show_default=True,
    help="Windows that each fault is watched for.",
)
@click.option("--runs", "n_runs", default=certify_stage.N_RUNS, show_default=True, help="Times each size is planted.")
@context.config_option
@context.database_option
@context.json_option
def certify(
    deployment: str,
    names: str | None,
    seed: int,
    n_watched: int,
    n_runs: int,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Plant faults of known size into a copy of stored windows; tell which monitors notice, and how soon.

    Nothing but the result is written: `llmmon query detection_power` shows it again.
    """
    config = context.configuration(config_path)
    (name,) = context.chosen(config, (deployment,))
    database = context.open_database(database_url)
    logging.getLogger(certify_stage.__name__).setLevel(logging.INFO)  # it takes minutes: show that it goes on
    found = certify_stage.certify(
        database,
        config,
        name,
        fault_names=tuple(filter(None, (part.strip() for part in (names or "").split(",")))),
        seed=seed,
        n_watched=n_watched,
        n_runs=n_runs,
    )
    if as_json:
        context.print_json(found)
