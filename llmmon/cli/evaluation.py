"""The verb that checks an instrument against people."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline import evaluate as evaluate_scorer
from llmmon.scorers.base import scorers


@click.command()
@click.option("--scorer", "scorer_name", required=True, metavar="NAME", help="A name of `llmmon plugins`.")
@click.option(
    "--labels", required=True, type=click.Path(path_type=Path), help="JSON lines: prompt, context, response, label 0|1."
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


def _number_or_text(text: str) -> float | int | bool | str:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
