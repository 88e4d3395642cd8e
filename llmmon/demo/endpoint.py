"""The demo model behind an OpenAI-compatible server on loopback, without a network."""

from __future__ import annotations

import sys
from typing import Final

from llmmon.demo.paths import model_folder
from llmmon.errors import ModelNotFoundError

HOST: Final = "127.0.0.1"
MODEL_NAME: Final = "demo"
"""What requests must give as ``model``."""


def endpoint_command(port: int) -> list[str]:
    """Return the command that serves the demo model at ``http://127.0.0.1:<port>/v1``.

    ``GET /health`` answers 200 once it is ready, which takes as long as importing torch.

    Parameters
    ----------
    port : int
        TCP port on loopback.

    Raises
    ------
    ModelNotFoundError
        When the demo model is not there.
    """
    folder = model_folder()
    if not (folder / "model.safetensors").is_file():
        raise ModelNotFoundError(
            f"No model.safetensors in {folder}; expected the demo model. "
            "Make it with python -m llmmon.demo.train_model, or check out the repository again."
        )
    return [sys.executable, "-m", "llmmon.demo.serve_model", "--port", str(port)]


def endpoint_environment() -> dict[str, str]:
    """Return the variables to add to the server's environment: no network, no telemetry, one thread."""
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
