"""The ``llmmon`` command: the verbs of the DAGs, for people, GPU containers and tests."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click
from rich.console import Console
from rich.logging import RichHandler

from llmmon import __version__
from llmmon.cli import (
    audit,
    batch,
    certify,
    evaluation,
    explain,
    facts,
    fit_risk,
    inspection,
    power,
    probe,
    quarantine,
    reproduce,
    review,
    roll_up,
    run,
    sources,
    stack,
    stages,
    stereotypes,
    subject,
    train,
)
from llmmon.errors import LlmmonError


class _Verbs(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LlmmonError as error:
            Console(stderr=True, soft_wrap=True).print(f"llmmon: {error}", style="red", markup=False, highlight=False)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            Console(stderr=True).print("llmmon: stopped; nothing half-done stays, run it again to resume")
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the order a newcomer needs them in
        return list(self.commands)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="llmmon")
@click.option("-v", "--verbose", is_flag=True, help="Show what each step does while it runs.")
def main(verbose: bool) -> None:
    """Watch large language models in production from Airflow and Postgres.

    Exit codes: 0 done, 2 wrong configuration or arguments, 3 a log cannot be read, 4 a batch was held back, 5 Postgres,
    6 a window's account does not close, 7 replay, 8 delivery, 9 the local stack, 10 the audit trail does not hold,
    11 an alert's numbers do not come out again, 130 stopped by Ctrl-C.
    """
    level = logging.INFO if verbose else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)


for _verb in (
    *(stack.init, stack.up, stack.down, run.run),
    sources.sources,
    *stages.VERBS,
    roll_up.roll_up,
    probe.probe,
    *(batch.batch, quarantine.quarantine, review.review, subject.subject, facts.facts),
    *(
        certify.certify,
        power.power,
        explain.explain,
        reproduce.reproduce,
        evaluation.evaluate,
        stereotypes.stereotypes,
        fit_risk.fit_risk,
        train.train,
        inspection.coverage,
        inspection.query,
        inspection.plugins,
        audit.audit,
    ),
):
    main.add_command(_verb)

if __name__ == "__main__":
    sys.exit(main())
