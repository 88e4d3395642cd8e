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
        ("monitor", "smallest effect", "fault", "size", "moved by", "runs", "after"),
        [line for name in monitors for line in _monitor_lines(found, name)],
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


def _monitor_lines(found: Certification, monitor: str) -> list[tuple[str | None, ...]]:
    """Return what a monitor notices, and what it does not although it moves by the smallest effect."""
    rows = [row for row in found.results if row.monitor == monitor]
    effect = f"{rows[0].min_effect:g} {rows[0].unit}"
    waits = next((row.reason for row in rows if row.share_detected is None), None)
    if waits is not None:
        return [(monitor, effect, waits, None, None, None, None)]
    lines: list[tuple[str | None, ...]] = []
    for fault in dict.fromkeys(row.fault for row in rows if row.fault != NOTHING):
        tried = [row for row in rows if row.fault == fault]
        row = smallest_noticed(tried, fault, monitor) or tried[-1]
        is_noticed = row.n_detected >= POWER * row.n_runs
        if is_noticed or abs(row.effect or 0.0) >= (row.min_effect or 0.0):
            moved = None if row.effect is None else f"{row.effect:+.3g}"
            size = f"{row.size:g} {row.size_unit}" if is_noticed else f"not {row.size:g} {row.size_unit}"
            lines.append((monitor, effect, fault, size, moved, f"{row.share_detected:.0%}", _delay(found, row)))
    return lines or [(monitor, effect, "no fault moves it far enough", None, None, None, None)]


def _interval(row: CertificationResult) -> str:
    return "-" if row.low is None or row.high is None else f"{row.low:.0%} to {row.high:.0%}"


def _delay(found: Certification, row: CertificationResult) -> str:
    return "-" if row.median_delay_windows is None else f"{row.median_delay_windows * found.window_hours:g} h"
