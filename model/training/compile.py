"""Compilation of all that a run's steps need, before its clock starts."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from .distillation import Distillation
from .lr_schedule import training_progress
from .state import RunState


def step_backbone(
    run: RunState, precision: AbstractContextManager[object]
) -> Callable[[Tensor], Tensor]:
    """Return the model's backbone for training steps, compiled if `train.compile` is set.

    Teachers' backbones are compiled then, too.

    One graph is compiled for each number of passes of the loop layers, and so none once they begin
    to loop. Features that are off are not in the graphs.
    """
    model, config = run.model, run.config
    if not config.train.compile:
        return model.backbone
    backbone: Callable[[Tensor], Tensor] = torch.compile(model.backbone)
    # With the strides of inputs that steps cut out of batches: torch.compile guards strides.
    ids = torch.zeros(config.train.micro_batch_size, config.model.context + 1, dtype=torch.int64)
    inputs = ids.to(run.device)[:, :-1]
    if run.teaching is not None:
        _compile_teachers(run.teaching, inputs, precision)
    model.train()
    for progress in _phases(run):
        model.set_progress(progress, 1.0)
        with precision:
            backbone(inputs).sum().backward()  # type: ignore[no-untyped-call]
    model.eval()
    model.zero_grad(set_to_none=True)
    return backbone


def _compile_teachers(
    teaching: Distillation, inputs: Tensor, precision: AbstractContextManager[object]
) -> None:
    """Replace the teachers' backbones by compiled ones."""
    teaching.backbones[:] = [torch.compile(backbone) for backbone in teaching.backbones]
    for backbone in teaching.backbones:
        with torch.no_grad(), precision:
            backbone(inputs)


def _phases(run: RunState) -> list[float]:
    """Return a share of the training for each graph that the rest of the run needs."""
    config = run.config
    done = training_progress(run.step + 1, config.train.steps, config.schedule, run.seconds or 0.0)
    return [done, *(change for change in run.model.progress_changes() if change > done)]
