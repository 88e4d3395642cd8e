"""The verbs that answer a person who asks what is kept of them, or asks to be forgotten."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import click

from llmmon.cli import context
from llmmon.errors import ConfigError, SealError
from llmmon.pipeline.erase_subject import erase_subject
from llmmon.privacy.keys import VARIABLE, master_key
from llmmon.store.quarantine import rows_of_subject
from llmmon.store.subject import subject_requests, unknown_subject


@click.group()
def subject() -> None:
    """Export or erase what is kept of one user.

    REF is the user's reference, as in request_log.user_ref; --user takes the user as the log names it, and needs
    LLMMON_PRIVACY_KEY.
    """


@subject.command()
@click.argument("ref", required=False)
@click.option("--user", metavar="USER", help="The user as the log names it, in place of REF.")
@context.database_option
@click.option("--json", "as_json", is_flag=True, help="Print everything: one JSON document a line for each request.")
def export(ref: str | None, user: str | None, database_url: str | None, as_json: bool) -> None:
    """Show what is kept of a user: requests with their texts, replays, scores and alerts, and quarantined rows."""
    database = context.open_database(database_url)
    user_ref = _reference(ref, user)
    n: dict[str, Counter[str]] = defaultdict(Counter)
    spans: dict[str, list[Any]] = defaultdict(list)
    with database.transaction() as connection:
        n_requests = 0
        for request in subject_requests(connection, user_ref):
            n_requests += 1
            if as_json:
                context.print_json_line(request)
                continue
            name = request["deployment"]
            spans[name].append(request["occurred_at"])
            n[name].update(
                requests=1,
                readable="messages" in request,
                replays=len(request["replays"]),
                scores=len(request["scores"]),
                alerts=len(request["alerts"]),
            )
        quarantined = rows_of_subject(connection, user_ref)
        if not n_requests and not quarantined:
            raise unknown_subject(connection, user_ref)
    if as_json:
        for row in quarantined:
            context.print_json_line({"quarantined": row})
    else:
        columns = ("requests", "readable", "replays", "scores", "alerts")
        context.print_rows(
            ("deployment", "first", "last", *columns),
            [(name, min(spans[name]), max(spans[name]), *(n[name][key] for key in columns)) for name in sorted(n)],
            title=f"subject {user_ref}",
        )
        click.echo(f"and {len(quarantined)} quarantined rows")


@subject.command()
@click.argument("ref", required=False)
@click.option("--user", metavar="USER", help="The user as the log names it, in place of REF.")
@click.option("--because", required=True, metavar="TEXT", help="Why, for the audit trail; name nobody here.")
@click.option("--by", metavar="NAME", help="Who asked for it; otherwise who runs this.")
@context.config_option
@context.database_option
@context.json_option
def erase(
    ref: str | None,
    user: str | None,
    because: str,
    by: str | None,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Destroy a user's key: its texts become unreadable for good, and every digest still verifies.

    Needs a login that is a member of llmmon_eraser.
    """
    config = context.configuration(config_path)
    database = context.open_database(database_url, login="eraser")
    done = erase_subject(database, config, _reference(ref, user), because=because, by=by)
    if as_json:
        context.print_json(done)
    else:
        click.echo(
            f"{done.user_ref}: erased. The texts of {done.n_requests} requests, {done.n_responses} replays and "
            f"{done.n_scores} scores cannot be read any more; {done.n_quarantined} quarantined rows were removed. "
            "Backups made before now hold the key until they are gone"
        )


def _reference(ref: str | None, user: str | None) -> str:
    if (ref is None) == (user is None):
        raise ConfigError("subject: expected either REF or --user USER")
    if user is None:
        return str(ref)
    master = master_key()
    if master is None:
        raise SealError(f"--user: {VARIABLE} is not set; set the key that the log was loaded under, or give REF")
    return master.pseudonym(user)
