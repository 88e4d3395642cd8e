"""The README's second example, as it stands there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmmon.cli import main
from tests.unit.sources.otlp import line as otlp_line
from tests.unit.sources.otlp import request_spans, span

README = Path(__file__).parents[3] / "README.md"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(folder: Path, *words: str | Path) -> dict[str, Any]:
    """Return what `llmmon run --json` prints, in an environment of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "LLMMON_DATABASE_URL"}
    environment |= {"LLMMON_HOME": str(folder / "home"), "LLMMON_POSTGRES_PORT": free_port()}
    command = [Path(sys.executable).parent / "llmmon", "run", *words, "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=folder)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_ten_lines_of_ones_own_give_measurements(tmp_path: Path) -> None:
    """Without Airflow, configuration or database, `llmmon run --source` measures the README's ten lines, once."""
    example = README.read_text("utf-8").split("<<'EOF'\n")[1].split("\nEOF")[0]
    log = tmp_path / "my-logs.jsonl"
    log.write_text(example + "\n", "utf-8")
    first, second = (run(tmp_path, "--source", log) for _ in range(2))

    assert first["run"]["ingested"][0]["n_new"] == 10
    assert second["run"]["ingested"][0]["n_in"] == 0
    values = {row["monitor"]: row["value"] for row in first["measurements"]}
    assert values["traffic"] == 10
    assert values["error-rate"] == 0.1
    assert values["accuracy"] == 0.8
    assert values["refusal-rate"] == values["personal-data"] == pytest.approx(1 / 9)
    assert first["measurements"] == second["measurements"]


def test_a_file_of_a_built_in_format_needs_no_configuration(tmp_path: Path) -> None:
    """OpenTelemetry traces are measured as they are; other spans are counted."""
    calls = [span(given.pop("attributes"), number, **given) for number, given in enumerate(request_spans().values())]
    traces = tmp_path / "day=1.json"
    traces.write_bytes(otlp_line(*calls, span({"http.request.method": "GET"}, 99)) + b"\n")
    found = run(tmp_path, "--source", traces, "--format", "otlp_json")
    (ingested,) = found["run"]["ingested"]
    assert (ingested["n_new"], ingested["passed_over"]) == (8, {"span that calls no model": 1})
    values = {row["monitor"]: row["value"] for row in found["measurements"]}
    assert (values["traffic"], values["latency-p50"]) == (8, 1500.0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--source", "x", "--format", "mapped_csv"],
            "--format: 'mapped_csv' is none; expected one of langfuse_export,",
        ),
        (["--source", "x", "--format", "otlp_json", "--config", "dags/llmmon.toml"], "leave out --format or --config"),
        (["--source", "x", "--source", "y"], "--source: several files need --config"),
    ],
)
def test_what_cannot_be_meant_is_told(monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    """Before anything is started."""
    monkeypatch.chdir(README.parent)
    result = CliRunner().invoke(main, ["run", *words])
    assert result.exit_code == 2
    assert told in result.output
