"""Optimisers: the optimiser of each parameter, its learning rate and its momentum.

Muon trains the matrices of the blocks. AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101) trains
vectors and tables, whose rows are looked up one at a time. Memory tokens and, unless configured,
vectors have no weight decay.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch

from ..config.schema import OptimizerConfig
from ..families.language_model import LanguageModel
from ..families.parameter_roles import role_of
from .muon import Muon


def build_optimizers(
    model: LanguageModel, config: OptimizerConfig, beside: Iterable[torch.nn.Parameter] = ()
) -> list[torch.optim.Optimizer]:
    """Return AdamW and, with `config.muon`, Muon; each trained parameter is in one of them.

    Parameters `beside` the model's own train as MTP heads do.
    """
    of_role: dict[str, list[torch.nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        role = role_of(name).param_group
        of_role["table" if role == "matrix" and not config.muon else role].append(parameter)
    of_role["mtp"] += beside
    table_rate, decay = config.adamw_learning_rate, config.adamw_weight_decay
    settings = {
        "table": (table_rate, decay),
        "memory": (table_rate, 0.0),
        "mtp": (config.mtp_learning_rate or table_rate, decay),
        "vector": (config.vector_learning_rate or table_rate, config.vector_weight_decay),
    }
    groups = [
        {"params": of_role[role], "lr": rate, "weight_decay": weight_decay}
        for role, (rate, weight_decay) in settings.items()
        if of_role[role]
    ]
    adamw = torch.optim.AdamW(groups, lr=table_rate, betas=config.adamw_betas, fused=True)
    if not of_role["matrix"]:
        return [adamw]
    muon = Muon(
        of_role["matrix"],
        lr=config.muon_learning_rate,
        weight_decay=config.muon_weight_decay,
        momentum=config.muon_momentum,
    )
    return [adamw, muon]


def scale_learning_rates(optimizers: Sequence[torch.optim.Optimizer], lr_scale: float) -> None:
    """Set every learning rate to `lr_scale` times the initial one of its group."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr_scale * group.setdefault("initial_lr", group["lr"])


def set_muon_momentum(
    optimizers: Sequence[torch.optim.Optimizer], step: int, config: OptimizerConfig
) -> None:
    """Set Muon's momentum for `step`, from 1, with linear warm-up."""
    for optimizer in optimizers:
        if isinstance(optimizer, Muon) and config.muon_momentum_warmup:
            now, before = (_momentum(s, config) for s in (step, step - 1))
            for group in optimizer.param_groups:
                group["momentum"], group["rescale"] = now, (1 - now) / (1 - before)


def _momentum(step: int, config: OptimizerConfig) -> float:
    start, full = config.muon_momentum_start, config.muon_momentum
    return start + (full - start) * min(1.0, max(0, step - 1) / config.muon_momentum_warmup)
