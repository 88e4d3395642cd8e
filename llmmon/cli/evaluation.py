"""The verb that checks an instrument against people."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline import evaluate as evaluate_scorer
from llmmon.pipeline.evaluate_spans import SpanEvaluation, SpanFigures, evaluate_spans, has_spans
from llmmon.scorers.base import scorers


@click.command()
@click.option("--scorer", "scorer_name", required=True, metavar="NAME", help="A name of `llmmon plugins`.")
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path),
    help="JSON lines: prompt, context, response and label 0|1; or response and spans, compared by type.",
)
@click.option("--parameter", "parameters", multiple=True, metavar="KEY=VALUE", help="A parameter of the scorer.")
@click.option("--threshold", type=float, help="Risk from which a response counts as found.")
@context.json_option
def evaluate(
    scorer_name: str, labels: Path, parameters: tuple[str, ...], threshold: float | None, as_json: bool
) -> None:
    """Compare a scorer with labels that people gave."""
    given = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if not equals:
            raise ConfigError(f"--parameter {parameter!r}: expected KEY=VALUE")
        given[key] = _number_or_text(value)
    scorer = scorers.create(scorer_name, given, where="--scorer")
    if has_spans(labels):
        by_type = evaluate_spans(scorer, labels)
        context.print_json(by_type) if as_json else _show_spans(by_type)
        return
    result = evaluate_scorer.evaluate(scorer, labels, threshold=threshold)
    if as_json:
        context.print_json(result)
        return
    click.echo(
        f"{result.scorer}: n {result.n}, without a value {result.n_absent}, prevalence "
        f"{'-' if result.prevalence is None else f'{result.prevalence:.3f}'}, {result.rows_per_s:,.0f} rows/s"
    )
    context.print_rows(
        ("figure", "value", "95% low", "95% high"),
        [(name, value, *result.intervals.get(name, (None, None))) for name, value in result.figures.items()],
    )


def _show_spans(result: SpanEvaluation) -> None:
    click.echo(f"{result.scorer}: {result.n} texts, without a value {result.n_absent}, {result.rows_per_s:,.0f} rows/s")
    context.print_rows(
        ("type", "marked", "recall", "95% interval", "finds", "precision", "95% interval"),
        [
            (name, row.n, row.recall, _interval(row, "recall"), row.n_finds, row.precision, _interval(row, "precision"))
            for name, row in (*result.types.items(), ("overall", result.overall))
        ],
    )
    left_out = ", ".join(f"{name} {n}" for name, n in result.not_looked_for.items())
    click.echo(f"marked, not looked for: {left_out or 'nothing'}")


def _interval(figures: SpanFigures, name: str) -> str | None:
    bounds = figures.intervals.get(name)
    return None if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _number_or_text(text: str) -> float | int | bool | str:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
