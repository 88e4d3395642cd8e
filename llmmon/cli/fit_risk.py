"""The verb that turns labels into the coefficients of `hallucination_risk`."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.pipeline import fit_risk as fitting
from llmmon.scorers.hallucination_risk import PARTS


@click.command("fit-risk")
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path),
    help="JSON lines: prompt, response, siblings, label 1 (wrong) or 0; mean_logprob for token_uncertainty.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    default=("disagreement",),
    show_default=True,
    help="What is combined; may be repeated.",
)
@context.json_option
def fit_risk(labels: Path, parts: tuple[str, ...], as_json: bool) -> None:
    """Fit `hallucination_risk` to answers that people labelled, and print its line for llmmon.toml."""
    result = fitting.fit_risk(labels, parts)
    if as_json:
        context.print_json(result)
        return
    inner = ", ".join(f"{name} = {value:g}" for name, value in result.coefficients.items())
    click.echo(f'judge = {{ type = "hallucination_risk", coefficients = {{ {inner} }}, n_labels = {_n(result)} }}')
    click.echo(
        f"{_n(result)} labels, {result.prevalence:.1%} wrong, {result.n_absent} answers without a part left out. "
        f"Cross-validated: AUROC {result.auroc:.3f}, Brier {result.brier:.3f}, calibration error {result.ece:.3f}",
        err=True,
    )


def _n(result: fitting.RiskFit) -> int:
    return result.n - result.n_absent
