"""The README's second example, as it stands there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[3] / "README.md"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_ten_lines_of_ones_own_give_measurements(tmp_path: Path) -> None:
    """Without Airflow, configuration or database, `llmmon run --source` measures the README's ten lines, once."""
    example = README.read_text("utf-8").split("<<'EOF'\n")[1].split("\nEOF")[0]
    log = tmp_path / "my-logs.jsonl"
    log.write_text(example + "\n", "utf-8")
    command = [Path(sys.executable).parent / "llmmon", "run", "--source", log, "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "LLMMON_DATABASE_URL"}
    environment |= {"LLMMON_HOME": str(tmp_path / "home"), "LLMMON_POSTGRES_PORT": free_port()}

    first, second = (
        json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, cwd=tmp_path).stdout)
        for _ in range(2)
    )

    assert first["run"]["ingested"][0]["n_new"] == 10
    assert second["run"]["ingested"][0]["n_in"] == 0
    values = {row["monitor"]: row["value"] for row in first["measurements"]}
    assert values["traffic"] == 10
    assert values["error-rate"] == 0.1
    assert values["accuracy"] == 0.8
    assert values["refusal-rate"] == values["personal-data"] == pytest.approx(1 / 9)
    assert first["measurements"] == second["measurements"]
