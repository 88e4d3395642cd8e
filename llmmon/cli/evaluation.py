"""The verb that checks an instrument against people."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline import evaluate as evaluate_scorer
from llmmon.pipeline.evaluate import Evaluation
from llmmon.pipeline.evaluate_spans import SpanEvaluation, SpanFigures, evaluate_spans, is_by_type
from llmmon.scorers.base import scorers


@click.command()
@click.option("--scorer", "scorer_name", required=True, metavar="NAME", help="A name of `llmmon plugins`.")
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path),
    help="JSON lines: prompt, context, response, label 0|1, and perhaps spans, group; or response and typed spans.",
)
@click.option("--parameter", "parameters", multiple=True, metavar="KEY=VALUE", help="A parameter of the scorer.")
@click.option("--threshold", type=float, help="Risk from which a response counts as found; else the scorer's own.")
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
    if is_by_type(labels):
        by_type = evaluate_spans(scorer, labels)
        context.print_json(by_type) if as_json else _show_spans(by_type)
        return
    result = evaluate_scorer.evaluate(scorer, labels, threshold=threshold)
    context.print_json(result.as_json()) if as_json else _show(result)


def _show(result: Evaluation) -> None:
    whole = result.overall
    speed = "-" if result.rows_per_s is None else f"{result.rows_per_s:,.0f}"
    size = "no model" if result.model_size_bytes is None else f"a model of {result.model_size_bytes / 1e6:,.1f} MB"
    cut = "no threshold" if result.threshold is None else f"found from risk {result.threshold:.4g}"
    click.echo(
        f"{result.scorer}: {whole.n} rows, {whole.n_absent} without a value (no judgement; "
        f"{whole.n_absent_positive} of them with label 1), {cut}, {speed} rows/s, {size}"
    )
    for reason, n in result.absent_reasons.items():
        click.echo(f"without a value: {n} x {context.plain(reason)}")
    context.print_rows(
        ("figure", "value", "95% low", "95% high"),
        [
            ("prevalence", whole.prevalence, None, None),
            *((name, value, *whole.intervals.get(name, (None, None))) for name, value in whole.figures.items()),
        ],
    )
    if result.groups:
        click.echo()
        context.print_rows(
            ("group", "n", "coverage", "prevalence", *whole.figures),
            [
                (context.plain(name), part.n, part.coverage, part.prevalence, *part.figures.values())
                for name, part in result.groups.items()
            ],
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
