"""Drift of 20 numeric columns and of embeddings: llmmon beside Evidently, NannyML and scipy, each in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.result import Result, Row

SUMMARY = "drift of 20 columns and of embeddings: llmmon with stored summaries and cold, Evidently, NannyML, scipy"
_WAYS = {
    "stored": ("llmmon KS, stored summaries", "distance and interval; reads no row of the reference"),
    "stored_10x": ("llmmon KS, of 10x the reference", "the same check after a reference of ten times the rows"),
    "cold": ("llmmon KS, cold", "summarises the reference first"),
    "scipy": ("scipy ks_2samp", "on ready arrays"),
    "evidently": ("Evidently, its default", "DataDriftPreset: normed Wasserstein; import not counted"),
    "evidently_ks": ("Evidently KS", "DataDriftPreset(num_method='ks'); import not counted"),
    "nannyml_ks": ("NannyML KS", "fit and calculate; import not counted"),
    "nannyml_js": ("NannyML, its default", "Jensen-Shannon: fit and calculate; import not counted"),
    "nannyml_fitted": ("NannyML KS, kept fitted", "calculate only, with the fitted calculator in memory"),
    "embeddings_stored": ("embeddings: llmmon MMD, stored", "64 random features, MMD with interval"),
    "embeddings_evidently": ("embeddings: Evidently, its default", "classifier (SGD) and its AUROC"),
}
_NANNYML = ["nannyml==0.13.1", "statsmodels", "pandas<3"]


def run(
    rows: int = 100_000, reference_rows: int = 0, embeddings: int = 20_000, rounds: int = 1, nannyml: str = ""
) -> Result:
    """Compare the same columns in every way.

    Parameters
    ----------
    rows : int
        Rows of the window.
    reference_rows : int
        Rows of the reference; 0: as many.
    embeddings : int
        Vectors of 128 numbers of the window and of the reference.
    rounds : int
        Processes of each way; the least CPU time counts.
    nannyml : str
        Folder of a virtual environment for NannyML, made from PyPI when it is not there; empty: NannyML is left out. It
        needs XGBoost with CUDA libraries, which llmmon's environment must not have.
    """
    reference_rows = reference_rows or rows
    found: dict[str, dict[str, Any]] = {}
    rows_of: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (reference_rows, 10 * reference_rows):
            _process(sys.executable, "summarise", rows, size, folder)
        python, problem = _nannyml(nannyml)
        for way, (name, note) in _WAYS.items():
            interpreter = python if way.startswith("nannyml") else sys.executable
            if interpreter is None:
                rows_of.append(Row(way=name, value=None, note=problem))
                continue
            n, m = (embeddings, embeddings) if way.startswith("embeddings") else (rows, reference_rows)
            if way.endswith("_10x"):
                m *= 10
            runs = [_process(interpreter, way.removesuffix("_10x"), n, m, folder) for _ in range(rounds)]
            best = min(runs, key=lambda each: each["cpu"] if "cpu" in each else float("inf"))
            if "failed" in best:
                rows_of.append(Row(way=name, value=None, note=best["failed"]))
                continue
            found[way] = best
            rows_of.append(Row(way=name, value=best["cpu"], note=f"{best['peak_mib']:,.0f} MiB at its peak; {note}"))
    theirs, ours = found["scipy"]["found"], found["stored"]["found"]
    assert max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) < 0.001, "llmmon's distances are not scipy's"
    settings = {
        "rows": rows,
        "reference_rows": reference_rows,
        "columns": 20,
        "embeddings": embeddings,
        "rounds": rounds,
    }
    return Result(
        unit="CPU seconds",
        rows=rows_of,
        reference=_WAYS["stored"][0],
        settings={**settings, "seed": 0},
        higher_is_better=False,
    )


def _process(python: str, way: str, rows: int, reference_rows: int, folder: str) -> dict[str, Any]:
    settings = json.dumps({"rows": rows, "reference_rows": reference_rows, "folder": folder})
    script = str(Path(__file__).with_name("drift_ways.py"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run([python, script, way, settings], capture_output=True, text=True, env=environment)
    if ended.returncode:
        return {"failed": f"did not run here: {(ended.stderr.strip().splitlines() or ['killed'])[-1][:160]}"}
    told: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return told


def _nannyml(folder: str) -> tuple[str | None, str]:
    """Return the interpreter that has NannyML, or why there is none."""
    if not folder:
        return None, "left out; nannyml=FOLDER makes an environment for it from PyPI"
    python = Path(folder) / "bin" / "python"
    uv = [str(Path(sys.executable).with_name("uv"))]
    if not python.exists():
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as override:
            # XGBoost asks for CUDA libraries of 300 MB that no way here uses
            override.write("nvidia-nccl-cu12; sys_platform == 'never'\n")
            override.flush()
            install = ["pip", "install", "--quiet", "--python", str(python), "--override", override.name, *_NANNYML]
            for command in (["venv", "--quiet", "--python", "3.11", folder], install):
                ended = subprocess.run([*uv, *command], capture_output=True, text=True)
                if ended.returncode:
                    return None, f"{folder}: NannyML could not be installed: {ended.stderr.strip()[-160:]}"
    return str(python), ""
