"""``llmmon stereotypes``: what a model prefers in published sets of stereotyped sentences and questions."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from llmmon.backends.local_transformers import Transformers
from llmmon.cli import context
from llmmon.errors import ConfigError
from llmmon.pipeline import probe_stereotypes as stage
from llmmon.pipeline.probe_stereotypes import PROBES, Probed


@click.command()
@click.option("--model", metavar="PATH_OR_HUB_ID", help="A folder with safetensors weights, or a hub id.")
@click.option("--revision", metavar="COMMIT", help="Of a hub id, 40 hex digits.")
@click.option("--device", default="auto", show_default=True, help="cuda, cpu or auto.")
@click.option("--probe", "name", type=click.Choice(list(PROBES)), help="Which set.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the set's files; they are not shipped.")
@click.option("--limit", type=click.IntRange(min=1), help="Questions or pairs of each category at most.")
@click.option(
    "--predictions",
    metavar="FILE|FIELD",
    help="Score answers to BBQ given before: JSON lines of category, example_id and answer, or a field of the data.",
)
@click.option(
    "--deployment", metavar="NAME", help="Run the probes that its configuration names, and store what they find."
)
@context.config_option
@context.database_option
@context.json_option
def stereotypes(
    model: str | None,
    revision: str | None,
    device: str,
    name: str | None,
    data: Path | None,
    limit: int | None,
    predictions: str | None,
    deployment: str | None,
    config_path: Path,
    database_url: str | None,
    as_json: bool,
) -> None:
    """Probe a model with BBQ, CrowS-Pairs or WinoBias, by the likelihood that it gives to answers and sentences.

    Causal models answer all three, masked ones CrowS-Pairs and WinoBias. docs/fairness.md says what the figures mean.
    """
    logging.getLogger("llmmon.backends.likelihood").setLevel(logging.INFO)  # it takes minutes: show that it goes on
    if deployment is not None:
        if any((model, name, data, predictions, limit)):
            raise ConfigError("--deployment takes model, probes, data and limit from its configuration; name it alone")
        config = context.configuration(config_path)
        (chosen,) = context.chosen(config, (deployment,))
        found = stage.probe_deployment(context.open_database(database_url), config, chosen)
    else:
        found = [_one(model, revision, device, name, data, limit, predictions)]
    if as_json:
        context.print_json(found if deployment is not None else found[0])
        return
    for probed in found:
        _show(probed)


def _one(
    model: str | None,
    revision: str | None,
    device: str,
    name: str | None,
    data: Path | None,
    limit: int | None,
    predictions: str | None,
) -> Probed:
    if data is None:
        raise ConfigError("--data: missing; expected the folder of the set's files, or name a --deployment")
    if predictions is not None:
        if name not in (None, "bbq") or model is not None:
            raise ConfigError("--predictions scores recorded answers to bbq; leave --model out")
        return stage.score_recorded(predictions, data, limit)
    if model is None or name is None:
        raise ConfigError("--model and --probe: expected both, or --predictions, or --deployment")
    try:
        backend = Transformers(model=model, revision=revision, device=device)
    except ValueError as error:
        raise ConfigError(f"--model: {error}") from error
    return stage.probe_stereotypes(backend, name, data, limit)


def _show(probed: Probed) -> None:
    what = probed.model or "recorded answers"
    click.echo(f"{probed.probe}: {what}, {probed.n:,} {'questions' if probed.probe == 'bbq' else 'pairs'}")
    context.print_rows(
        ("category", "figure", "value", "95% interval", "n", "unit", "neutral", "remark"),
        [
            (
                row.category,
                row.figure,
                None if row.estimate.value is None else f"{row.estimate.value:.1f}",
                None
                if row.estimate.low is None or row.estimate.high is None
                else f"{row.estimate.low:.1f} to {row.estimate.high:.1f}",
                row.estimate.n,
                row.unit,
                row.neutral,
                row.estimate.reason,
            )
            for row in probed.figures
        ],
    )
