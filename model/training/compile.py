"""Compilation (torch.compile) of the graphs of a run's steps, before its clock starts."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from .distillation import Distillation
from .state import RunState


def step_backbone(
    run: RunState, precision: AbstractContextManager[object]
) -> Callable[[Tensor], Tensor]:
    """Return the model's backbone for training steps, compiled if `train.compile` is set.

    It maps ids [B, T] to hidden states [B, T, D]. Teachers' backbones are compiled, too. There is
    one graph for each number of passes of looping layers, all compiled here, none during training.
    Features that are off are not in the graphs.
    """
    model, config = run.model, run.config
    if not config.train.compile:
        return model.backbone
    backbone: Callable[[Tensor], Tensor] = torch.compile(model.backbone)
    # The inputs have the strides of slices of batches, as in a step: torch.compile guards strides.
    ids = torch.zeros(config.train.micro_batch_size, config.model.context + 1, dtype=torch.int64)
    inputs = ids.to(run.device)[:, :-1]
    if run.distillation is not None:
        _compile_teachers(run.distillation, inputs, precision)
    model.train()
    for progress in _phases(run):
        model.set_progress(progress, 1.0)
        with precision:
            backbone(inputs).sum().backward()  # type: ignore[no-untyped-call]
    model.eval()
    model.zero_grad(set_to_none=True)
    return backbone


def _compile_teachers(
    distillation: Distillation, inputs: Tensor, precision: AbstractContextManager[object]
) -> None:
    """Replace the teachers' backbones by compiled ones."""
    distillation.backbones[:] = [torch.compile(backbone) for backbone in distillation.backbones]
    for backbone in distillation.backbones:
        with torch.no_grad(), precision:
            backbone(inputs)


def _phases(run: RunState) -> list[float]:
    """Return a share of the training for each graph that the rest of the run needs."""
    return [
        run.progress,
        *(change for change in run.model.progress_changes() if change > run.progress),
    ]
