"""Dynamic erf (Derf): a learned gate by the error function.

x ↦ γ (erf(α x + β) + 1) / 2, all three learned. After "dynamic erf" as a replacement of
normalisation (Chen et al. 2025, arXiv:2512.10938), here in SpikeWhale's form.
"""

import torch
from torch import Tensor


def derf(x: Tensor, slope: Tensor, shift: Tensor, height: Tensor) -> Tensor:
    """Return height · (erf(slope · x + shift) + 1) / 2.

    Args:
        x: of any shape.
        slope: α, of a shape that broadcasts with x, as the others.
        shift: β.
        height: γ.

    >>> derf(*(torch.tensor(v) for v in (0.0, 1.0, 0.0, 3.0))).item()
    1.5
    """
    return height * (torch.erf(slope * x + shift) + 1) / 2
