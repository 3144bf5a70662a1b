"""Decides which optimiser moves which tensor.

Matrices inside the blocks go to Muon; the tables, whose rows are used one at a time, and the
vectors go to AdamW. Weight decay leaves vectors alone.
"""

from collections.abc import Sequence

import torch

from ..config import OptimizerConfig
from ..transformer import Transformer
from .muon import Muon


def build_optimizers(model: Transformer, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Return AdamW and, where `config.muon`, Muon; between them each parameter exactly once."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2] if config.muon else []
    taken = {id(matrix) for matrix in matrices}
    rest = [p for p in model.parameters() if id(p) not in taken]
    adamw = torch.optim.AdamW(
        [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": config.adamw_weight_decay},
            {"params": [p for p in rest if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=config.adamw_learning_rate,
        betas=config.adamw_betas,
        fused=True,
    )
    if not matrices:
        return [adamw]
    muon = Muon(
        matrices,
        lr=config.muon_learning_rate,
        weight_decay=config.muon_weight_decay,
        momentum=config.muon_momentum,
    )
    return [adamw, muon]


def scale_learning_rates(optimizers: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Set every learning rate to `factor` times the configured one."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * optimizer.defaults["lr"]
