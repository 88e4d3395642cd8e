"""The devices on which tests that run a model run it: the CPU, and the GPU where torch sees one."""

from __future__ import annotations

import torch

DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
