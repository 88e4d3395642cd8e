"""``llmmon explain ALERT``: which segments carry a change, what it comes from, and which requests show it best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmmon.cli import context
from llmmon.pipeline import explain as explain_stage
from llmmon.pipeline.alert_sentence import amount
from llmmon.pipeline.explanation import Explanation, label_of, name_of, range_of, signed
from llmmon.pipeline.subgroups import Carrier


@click.command()
@click.argument("alert_id", type=int, metavar="ALERT")
@context.config_option
@context.database_option
@context.json_option
def explain(alert_id: int, config_path: Path, database_url: str | None, as_json: bool) -> None:
    """Say what an alert comes from: segments, traffic or model or serving noise or judge, and requests that show it.

    Answers are judged again for it, and no model is run. Run it again when more windows have been replayed: what could
    not be told may be told then.
    """
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    found = explain_stage.explain(database, config, alert_id)
    if as_json:
        context.print_json(found)
        return
    click.echo(f"Alert {found.alert_id} ({found.state}): {context.plain(found.sentence)}\n")
    click.echo(context.plain(found.statement))
    _values(found)
    _segments(found)
    _shares(found)
    _requests(found)
    _coverage(found)
    click.echo("\nWhat to do next")
    for step in found.next_steps:
        click.echo(f"- {context.plain(step)}")


def _values(found: Explanation) -> None:
    click.echo("\nValue before and now")
    sides = (("before", found.before, found.windows["reference"]), ("in the alert's window", found.now, [found.window]))
    rows = [
        (name, _amount(side["value"], found.unit), _interval(side, found.unit), side["n"], _span(windows))
        for name, side, windows in sides
    ]
    context.print_rows(("", "value", "95% interval", "n", "windows"), rows)


def _segments(found: Explanation) -> None:
    click.echo("\nSegments that carry it")
    if found.search is None:
        click.echo("No request has a value of its own: there is nothing to cut by segment.")
        return
    if not found.search.n_candidates:
        click.echo("No segment has enough requests on both sides (20) to be looked at.")
        return
    about = (
        f"{found.reading}, {found.search.n_candidates} segments and pairs looked at, 5% error for all together (Holm)"
    )
    if not found.search.carriers:
        click.echo(f"None stands out: as far as these requests tell, it is spread evenly. ({about})")
        return
    rows = [_carrier(item, found.reading_unit) for item in found.search.carriers]
    columns = (
        "segment",
        "what changed",
        "before",
        "now",
        "95% interval of the change",
        "part of it",
        "n before",
        "n now",
        "p",
    )
    context.print_rows(columns, rows)
    click.echo(f"({about})")


def _carrier(item: Carrier, unit: str) -> tuple[Any, ...]:
    of = unit if item.how == "answers" else "share"
    what = "answers" if item.how == "answers" else "part of traffic"
    part = f"{100 * item.contribution:.0f}%"
    sizes = (item.n_reference, item.n_current, item.p_value)
    return (
        context.plain(name_of(item)),
        what,
        amount(item.before, of),
        amount(item.now, of),
        range_of(item, of),
        part,
        *sizes,
    )


def _shares(found: Explanation) -> None:
    click.echo("\nWhat it comes from")
    told = found.told
    if told.attribution is not None:
        unit = found.reading_unit
        rows = [
            (label_of(item, told), signed(item.value, unit), range_of(item, unit), item.reason or "")
            for item in (*told.attribution.shares, told.attribution.total)
        ]
        context.print_rows(("cause", "share", "95% interval", ""), rows)
        lanes = ", ".join(f"{role} {name}" for role, name in told.lanes.items() if name)
        sizes = f"{told.attribution.n_reference} requests before and {told.attribution.n_current} now"
        click.echo(f"(mean of {found.reading} over {sizes} with a value on every lane: {lanes})")
    for note in told.notes:
        click.echo(f"- {context.plain(note)}")


def _requests(found: Explanation) -> None:
    click.echo("\nRequests that show it best")
    if not found.requests:
        click.echo("None: it is about the window as a whole.")
        return
    rows = [
        (context.plain(item["request_id"]), item["source"], item["occurred_at"], item["request_key"])
        for item in found.requests
    ]
    context.print_rows(("request", "source", "at", "key"), rows)


def _coverage(found: Explanation) -> None:
    click.echo("\nWhat was looked at in these windows")
    rows = [
        ("before" if side == "reference" else "now", line["stage"], line["state"], line["n"], line["reason"])
        for side, lines in found.coverage.items()
        for line in lines
    ]
    context.print_rows(("", "stage", "requests", "n", "why"), rows)
    for side, windows in found.windows.items():
        click.echo(f"{'before' if side == 'reference' else 'now':7}{len(windows)} windows: {_span(windows)}")


def _span(windows: list[str]) -> str:
    return "none" if not windows else windows[0] if len(windows) == 1 else f"{windows[0]} to {windows[-1]}"


def _amount(value: float | None, unit: str) -> str:
    return "-" if value is None else amount(value, unit)


def _interval(side: Any, unit: str) -> str:
    return (
        "-"
        if side["low"] is None or side["high"] is None
        else f"{amount(side['low'], unit)} to {amount(side['high'], unit)}"
    )
