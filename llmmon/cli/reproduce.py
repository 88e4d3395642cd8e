"""``llmmon reproduce ALERT``: compute an alert's numbers again and compare them to the last bit."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ReproductionError
from llmmon.pipeline import reproduce as reproduce_stage
from llmmon.pipeline.reproduce import Check, Reproduction

_NAMES = {
    "reference": "the summary of the reference windows, from their rows",
    "measurement": "the measurement, from the rows of the window",
    "evidence": "the evidence, from the stored measurements",
    "threshold": "what an alert needed, from the evidence of all streams",
}
_SHOWN = ("value", "low", "high", "n", "e_value", "reference_value", "effect", "threshold_e", "is_rejected")


@click.command()
@click.argument("alert_id", type=int, metavar="ALERT")
@context.config_option
@context.database_option
@context.json_option
def reproduce(alert_id: int, config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Compute an alert's numbers again from the stored windows, and say whether they are bit by bit the same.

    Exit code 0 when they are, or when what differs has a cause that is named: rows that came later, texts that were
    erased or are past retention, another code version or configuration. Exit code 11 when they differ without a cause.
    """
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    found = reproduce_stage.reproduce(database, config, alert_id)
    if as_json:
        context.print_json(_document(found))
    else:
        _print(found)
    if not found.is_accounted_for:
        click.get_current_context().exit(ReproductionError.exit_code)


def _print(found: Reproduction) -> None:
    click.echo(f"Alert {found.alert_id}: {context.plain(found.sentence)}\n")
    for check in found.checks:
        click.echo(f"{_verdict(check)}: {_NAMES[check.name]}")
        shown = [name for name in (*_SHOWN, *check.differs) if name in check.stored]
        rows = [
            (name, check.stored[name], "-" if check.computed is None else check.computed.get(name))
            for name in dict.fromkeys(shown)
        ]
        if rows:
            exact = [
                (name, *(repr(value) if isinstance(value, float) else value for value in pair)) for name, *pair in rows
            ]
            context.print_rows(("", "stored", "computed again"), exact)
        if not check.is_equal:
            for reason in check.reasons:
                click.echo(f"- {context.plain(reason)}")
            if not check.reasons:
                click.echo("- nothing stored says why")
        click.echo("")
    if found.is_equal:
        click.echo("All numbers are bit by bit the same.")
    elif found.is_accounted_for:
        click.echo("Not all numbers come out again; what differs has a named cause.")
    else:
        click.echo(
            "Numbers differ and nothing stored says why: do not rely on this alert before somebody looked into it."
        )


def _verdict(check: Check) -> str:
    if check.is_equal:
        return "EQUAL"
    return "DIFFERS" if check.computed is not None else "CANNOT BE COMPUTED"


def _document(found: Reproduction) -> dict[str, object]:
    return {
        "alert_id": found.alert_id,
        "is_equal": found.is_equal,
        "is_accounted_for": found.is_accounted_for,
        "checks": [
            {
                "name": check.name,
                "is_equal": check.is_equal,
                "differs": check.differs,
                "stored": check.stored,
                "computed": check.computed,
                "reasons": check.reasons,
            }
            for check in found.checks
        ],
    }
