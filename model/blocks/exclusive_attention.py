"""Takes out of what a head gathered the part that its own token said already.

Exclusive self-attention (XSA): the residual stream carries a token's own value anyway, so
attention may spend itself on the others. No parameters. openai/parameter-golf, used in the last 4
layers by PR #1666 and in all 11 by PR #851.
"""

from torch import Tensor
from torch.nn import functional


def exclude_own_value(gathered: Tensor, value: Tensor) -> Tensor:
    """Return y − (y · v̂) v̂ for y in gathered [B, H, T, K] and v̂ = v / |v| of the same token.

    Values are [B, G, T, K]; each serves a group of H / G query heads.
    """
    batch, groups, time, head_width = value.shape
    heads = gathered.reshape(batch, groups, -1, time, head_width)
    own = functional.normalize(value, dim=-1).unsqueeze(2)
    left = heads - (heads * own).sum(dim=-1, keepdim=True) * own
    return left.view(gathered.shape)
