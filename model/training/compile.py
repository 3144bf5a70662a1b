"""Compilation of all that a run's steps need, before its clock starts."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ..families.golf.model import GolfTransformer
from .distillation import Distillation
from .lr_schedule import share_done
from .state import RunState


def step_trunk(
    run: RunState, precision: AbstractContextManager[object]
) -> Callable[[Tensor], Tensor]:
    """Return the model's trunk for training steps, compiled if `train.compile` is set.

    Teachers' trunks are compiled then, too.

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
    for looping in _phases(run):
        if isinstance(model, GolfTransformer):
            model.looping = looping
        with precision:
            backbone(inputs).sum().backward()  # type: ignore[no-untyped-call]
    model.eval()
    model.zero_grad(set_to_none=True)
    return backbone


def _compile_teachers(
    teaching: Distillation, inputs: Tensor, precision: AbstractContextManager[object]
) -> None:
    """Replace the teachers' trunks by compiled ones."""
    teaching.trunks[:] = [torch.compile(backbone) for backbone in teaching.trunks]
    for backbone in teaching.trunks:
        with torch.no_grad(), precision:
            backbone(inputs)


def _phases(run: RunState) -> list[bool]:
    """Return whether layers loop, for each remaining part of the run."""
    golf, config = run.config.golf, run.config
    done = share_done(run.step + 1, config.train.steps, config.schedule, run.seconds or 0.0)
    return [False, True] if golf and done < golf.recur_start else [True]
