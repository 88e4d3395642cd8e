"""Serve the demo model with ``transformers serve`` under a short name instead of a path of this machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from llmmon.demo.endpoint import HOST, MODEL_NAME, endpoint_environment
from llmmon.demo.paths import model_folder


def main() -> None:
    """Serve until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="python -m llmmon.demo.serve_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help=f"TCP port on {HOST}")
    port: int = parser.parse_args().port
    # Read while transformers is imported.
    os.environ.update(endpoint_environment())
    # The server names a model as it was asked to load it, and wants that name in every request.
    os.chdir(model_folder().parent.parent)
    # The name must stay a folder here, or transformers would take it for a hub id.
    assert Path(MODEL_NAME).samefile(model_folder())
    from transformers.cli.transformers import app

    options = ["--device", "cpu", "--dtype", "float32", "--log-level", "warning", "--host", HOST, "--port", str(port)]
    sys.argv = ["transformers", "serve", MODEL_NAME, *options]
    app()


if __name__ == "__main__":
    main()
