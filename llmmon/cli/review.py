"""The verbs for people who judge responses."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from llmmon.cli import context
from llmmon.config import Config
from llmmon.errors import ConfigError, ReviewError
from llmmon.model import Window
from llmmon.pipeline.draw_review import draw_review
from llmmon.pipeline.fix_anchors import fix_anchors, fix_own_anchors
from llmmon.pipeline.keep_reviews import CANNOT_TELL, keep_reviews, reviews_of_lines
from llmmon.pipeline.rescore_anchors import rescore_anchors
from llmmon.pipeline.reviewer_agreement import agreement as agreement_of
from llmmon.store.review import ItemTexts, Review, item_texts, list_items, standing_reviews


@click.group()
def review() -> None:
    """Draw responses for people to judge, and keep what they say: rates are corrected by it."""


_scorer_option = click.option("--scorer", metavar="NAME", help="Only this scorer.")
_one_deployment = click.option("-d", "--deployment", metavar="NAME", help="Only this one.")


@review.command()
@context.window_option
@context.deployment_option
@_scorer_option
@context.config_option
@context.database_option
@context.json_option
def draw(
    window_text: str,
    deployments: Sequence[str],
    scorer: str | None,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Draw from a stretch of event time, as one draw: those that shrink the interval fastest; drawn once, it stays."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    windows = context.windows(config, window_text)
    span = Window(start=windows[0].start, end=windows[-1].end)
    rows = []
    for name, judged in _reviewed(config, context.chosen(config, deployments), scorer):
        result = draw_review(database, config, name, judged, span)
        rows.append((name, judged, result.n_responses, result.n_drawn, result.n_new, result.n_labels))
    columns = ("deployment", "scorer", "n_responses", "n_drawn", "n_new", "n_labels")
    if as_json:
        context.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        context.print_rows(columns, rows)


@review.command("list")
@_one_deployment
@_scorer_option
@click.option("--all", "everything", is_flag=True, help="Those that were judged, too.")
@click.option("--anchors", is_flag=True, help="Anchors in place of items that were drawn.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@context.database_option
@context.json_option
def list_review(
    deployment: str | None,
    scorer: str | None,
    everything: bool,
    anchors: bool,
    limit: int,
    database_url: str | None,
    as_json: bool,
) -> None:
    """List the items that wait for a person, newest first."""
    with context.open_database(database_url).transaction() as connection:
        rows = list_items(
            connection,
            deployment=deployment,
            scorer=scorer,
            purpose="anchor" if anchors else "calibration",
            only_open=not (everything or anchors),
            n_rows=limit,
        )
    context.print_result(rows, as_json=as_json, empty="no item waits for a person")


@review.command()
@click.argument("item", type=int, metavar="ITEM")
@context.database_option
def show(item: int, database_url: str | None) -> None:
    """Show one item: its request, the response, what the scorer said, and what people said."""
    with context.open_database(database_url).transaction() as connection:
        found = item_texts(connection, item)
    for line in _told(found):
        click.echo(context.plain(line))


@review.command()
@click.argument("item", type=int, metavar="ITEM")
@click.argument("answer", type=click.Choice(["yes", "no", "cannot-tell"]))
@click.option("--by", metavar="NAME", help="Who says it; otherwise who runs this.")
@click.option("--note", metavar="TEXT", help="Kept with the label; name nobody here.")
@context.config_option
@context.database_option
def label(
    item: int, answer: str, by: str | None, note: str | None, config_path: Path, database_url: str | None
) -> None:
    """Say of ITEM: yes, it has what the scorer looks for (unsupported, a refusal), no, or that you cannot tell."""
    config = context.configuration(config_path)
    said = {"yes": 1, "no": 0}.get(answer)
    given = Review(
        review_item_id=item,
        reviewer=by or getpass.getuser(),
        label=said,
        reason=CANNOT_TELL if said is None else None,
        note=note,
    )
    n = keep_reviews(context.open_database(database_url), [given], config_digest=config.digest)
    click.echo(f"item {item}: {answer}" + ("" if n else ", as said before"))


@review.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", metavar="NAME", help="Who says it, where a line does not.")
@context.config_option
@context.database_option
def import_file(file: Path, by: str | None, config_path: Path, database_url: str | None) -> None:
    """Keep the labels of a file of lines {"item": 12, "label": 1, "reviewer": "mira"}; all of them or none."""
    config = context.configuration(config_path)
    reviews = list(reviews_of_lines(_lines(file), where=str(file), reviewer=by))
    n = keep_reviews(context.open_database(database_url), reviews, config_digest=config.digest)
    click.echo(f"{len(reviews)} reviews read: {n} new, {len(reviews) - n} already there")


@review.command()
@_one_deployment
@_scorer_option
@context.database_option
def export(deployment: str | None, scorer: str | None, database_url: str | None) -> None:
    """Print the last word of each reviewer on each item, one JSON document a line, without texts of requests."""
    with context.open_database(database_url).transaction() as connection:
        for row in standing_reviews(connection, deployment, scorer):
            context.print_json_line(dict(row._mapping))


@review.command()
@_one_deployment
@_scorer_option
@context.database_option
@context.json_option
def agreement(deployment: str | None, scorer: str | None, database_url: str | None, as_json: bool) -> None:
    """Say how far reviewers agree on the items that more than one of them labelled."""
    with context.open_database(database_url).transaction() as connection:
        found = agreement_of(standing_reviews(connection, deployment, scorer))
    if as_json:
        context.print_json(found)
    else:
        columns = ("deployment", "scorer", "n_items", "n_reviewers", "n_pairs", "agreed", "low", "high", "alpha")
        context.print_rows(columns, [[getattr(row, name) for name in columns] for row in found])


@review.command()
@click.argument("deployment")
@click.argument("scorer")
@click.option("--file", type=click.Path(path_type=Path), help="Texts of your own, one JSON document a line.")
@click.option("--each", default=25, show_default=True, type=click.IntRange(1, 1000), help="Anchors of each label.")
@context.config_option
@context.database_option
def anchors(
    deployment: str, scorer: str, file: Path | None, each: int, config_path: Path, database_url: str | None
) -> None:
    """Fix anchors of SCORER, which judges them again every day: labelled items, or the rows of --file."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    if file is None:
        n = fix_anchors(database, config, deployment, scorer, n_each=each)
    else:
        n = fix_own_anchors(database, config, deployment, scorer, _lines(file), where=str(file))
    click.echo(f"{deployment} {scorer}: {n} new anchors")


@review.command()
@context.window_option
@context.deployment_option
@context.config_option
@context.database_option
def rescore(window_text: str, deployments: Sequence[str], config_path: Path, database_url: str | None) -> None:
    """Let each scorer judge its anchors again, for each window."""
    config = context.configuration(config_path)
    database = context.open_database(database_url)
    for name in context.chosen(config, deployments):
        for window in context.windows(config, window_text):
            counts = rescore_anchors(database, config, name, window)
            told = ", ".join(f"{judged} {n}" for judged, n in counts.items()) or "no anchors"
            click.echo(f"{name} {window}: {told}")


def _reviewed(config: Config, deployments: Sequence[str], scorer: str | None) -> list[tuple[str, str]]:
    found = [
        (name, judged) for name in deployments for judged in config.deployments[name].review if scorer in (None, judged)
    ]
    if not found:
        which = f"scorer {scorer!r} of " if scorer else ""
        raise ConfigError(
            f"review: {which}{', '.join(deployments)}: add [deployments.NAME.review.SCORER] to say what is asked"
        )
    return found


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReviewError(f"{file}: cannot be read: {error}") from None


def _told(item: ItemTexts) -> list[str]:
    facts, texts = item.facts, item.texts
    lines = [
        f"item {facts.review_item_id}: {facts.deployment}, {facts.scorer}, request {facts.request_id or facts.name}"
    ]
    if texts.is_gone:
        return [*lines, "its texts were erased or are past their retention: nobody can judge it any more"]
    lines += [f"\n[{turn.role}]\n{turn.content}" for turn in texts.messages]
    lines += [f"\n[document {_name(document, n)}]\n{document.content}" for n, document in enumerate(texts.documents)]
    lines += [f"\n[answer]\n{texts.response_text or ''}", f"\n{facts.scorer} said {facts.score:.4g}"]
    for span in facts.spans or ():
        lines.append(f"  {span['label']}: {(texts.response_text or '')[span['start'] : span['end']]}")
    for row in item.reviews:
        said = facts.scorer and {1: "yes", 0: "no"}.get(row.label, f"cannot tell: {row.reason}")
        lines.append(f"{row.reviewer}, {row.decided_at:%Y-%m-%d %H:%M}: {said}{f' ({row.note})' if row.note else ''}")
    return lines


def _name(document: Any, number: int) -> str:
    return str(document.document_id or number + 1)
