"""The forward pass in numpy against the network in torch that it is a copy of."""

from __future__ import annotations

import numpy as np
import pytest

from llmmon.scorers.grounding.network import LEADING
from llmmon.training import groundedness_network as network


@pytest.mark.parametrize("n", [1, 3, 40])
def test_numpy_and_torch_agree(n: int) -> None:
    """Words' and answers' log-odds are those of torch to 1e-4, also of an answer that stands beside a longer one."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(n)
    random = np.random.default_rng(n)
    trained = network.build(7).eval()

    def example(length: int) -> network.Example:
        return network.Example(
            values=random.normal(size=(length, 7)).astype(np.float32),
            own=random.normal(size=(length, LEADING)).astype(np.float32),
            other=random.normal(size=(length, LEADING)).astype(np.float32),
            marked=np.zeros(length, dtype=np.float32),
            unsupported=0.0,
        )

    short, long = example(n), example(n + 25)
    with torch.inference_mode():
        words, whole = trained(*network.tensors([short, long])[:4])
    for index, one in enumerate((short, long)):
        log_odds, answer = network.judge(network.weights(trained), one)
        assert np.abs(log_odds - words[index, : len(log_odds)].numpy()).max() < 1e-4
        assert abs(answer - whole[index].item()) < 1e-4
