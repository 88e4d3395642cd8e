"""The verbs that make the models that ship with llmmon."""

from __future__ import annotations

from pathlib import Path

import click

from llmmon.cli import context
from llmmon.errors import ConfigError


@click.group()
def train() -> None:
    """Train a model that ships with llmmon."""


@train.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder that holds halluc_ragtruth_qa.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the model.")
@context.json_option
def groundedness(data: Path, out: Path, as_json: bool) -> None:
    """Train the groundedness scorer's model; use it by the scorer's parameter `model`."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ConfigError("training needs torch: install llmmon with the extra gpu") from error
    from llmmon.training.groundedness import train as train_groundedness

    trained = train_groundedness(data, out, say=lambda line: click.echo(line, err=True))
    if as_json:
        context.print_json(trained)
        return
    click.echo(f"{out}: trained on {trained.n_training:,} answers and {trained.n_altered:,} altered copies")
    for name, figures in (("cross-validated", trained.cross_validated), ("test sources", trained.test)):
        click.echo(f"{name}: {figures.line()}")
