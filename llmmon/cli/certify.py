"""The verb that tells what the monitors of an installation would notice."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline import certify as certify_stage
from llmmon.pipeline.detection_power import NOTHING, POWER, WHOLE, smallest_noticed
from llmmon.store.certification import Certification, CertificationResult


@click.command()
@click.argument("deployment")
@click.option(
    "--faults", "names", metavar="A,B", help="Only these of `llmmon plugins faults`; NAME=SIZE for a size of your own."
)
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
        return
    _show(found)


def _show(found: Certification) -> None:
    hours = found.n_watched * found.window_hours
    if not found.windows:
        click.echo(f"{found.deployment}: cannot tell yet: no quiet window is measured")
        return
    span = f"{found.windows[0].start:%Y-%m-%d %H:%M} to {found.windows[-1].end:%Y-%m-%d %H:%M} UTC"
    click.echo(f"{found.deployment}: learnt from {len(found.windows)} quiet windows, {span}")
    if found.n_missing_windows:
        click.echo(f"cannot tell yet: needs {found.n_missing_windows} more quiet windows")
        return
    click.echo(f"each size planted {found.n_runs} times and watched for {hours:g} h; alarm budget {found.alpha:g}")
    calm = next(row for row in found.results if row.fault == NOTHING)
    click.echo(f"without a fault: {calm.n_detected} of {calm.n_runs} runs alarmed (95% interval {_interval(calm)})\n")
    names = list(dict.fromkeys(row.fault for row in found.results if row.fault != NOTHING))
    context.print_rows(
        ("fault", "smallest size noticed", "runs", "95% interval", "after", "by"),
        [_fault_line(found, name) for name in names],
    )
    click.echo("")
    monitors = list(dict.fromkeys(row.monitor for row in found.results if row.monitor != WHOLE))
    context.print_rows(
        ("monitor", "smallest effect", "notices, from the size on (moved by, noticed in, after)"),
        [_monitor_line(found, name) for name in monitors],
    )
    click.echo(f"\nnoticed: in at least {POWER:.0%} of runs; `llmmon query detection_power` shows every size")


def _fault_line(found: Certification, fault: str) -> tuple[str | None, ...]:
    row = smallest_noticed(found.results, fault, WHOLE)
    if row is None:
        last = [item for item in found.results if (item.fault, item.monitor) == (fault, WHOLE)][-1]
        if last.share_detected is None:
            return fault, last.reason, None, None, None, None
        told = last.reason or f"none: {last.size:g} {last.size_unit} is not"
        return fault, told, f"{last.share_detected:.0%}", _interval(last), None, None
    by = [
        other.monitor
        for other in found.results
        if (other.fault, other.size) == (fault, row.size) and other.monitor != WHOLE and other.n_detected
    ]
    size = f"{row.size:g} {row.size_unit}"
    return fault, size, f"{row.share_detected:.0%}", _interval(row), _delay(found, row), ", ".join(by)


def _monitor_line(found: Certification, monitor: str) -> tuple[str, str, str]:
    rows = [row for row in found.results if row.monitor == monitor]
    told = []
    for fault in dict.fromkeys(row.fault for row in rows if row.fault != NOTHING):
        row = smallest_noticed(rows, fault, monitor)
        if row is not None:
            told.append(f"{fault} {row.size:g} ({_moves(row)}, {row.share_detected:.0%}, {_delay(found, row)})")
        elif (last := [item for item in rows if item.fault == fault][-1]).share_detected is not None:
            told.append(f"not {fault} {last.size:g} ({_moves(last)}, {last.share_detected:.0%})")
    waits = next((row.reason for row in rows if row.share_detected is None), None)
    return monitor, f"{rows[0].min_effect:g} {rows[0].unit}", waits or "; ".join(told) or "nothing moves it"


def _moves(row: CertificationResult) -> str:
    return "no value to move" if row.effect is None else f"{row.effect:+.3g}"


def _interval(row: CertificationResult) -> str:
    return "-" if row.low is None or row.high is None else f"{row.low:.0%} to {row.high:.0%}"


def _delay(found: Certification, row: CertificationResult) -> str:
    return "-" if row.median_delay_windows is None else f"{row.median_delay_windows * found.window_hours:g} h"
