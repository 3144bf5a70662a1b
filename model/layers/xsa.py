"""Exclusive self-attention (XSA): removes a token's own value from the output.

The residual stream carries the token's own content anyway, so attention is left to the other
tokens. It has no parameters. From openai/parameter-golf: PR #1666 uses it in the last 4 layers,
PR #851 in all 11.
"""

import torch
from torch import Tensor

SQUARE_EPS = 1e-12


def remove_self_value(attended: Tensor, value: Tensor) -> Tensor:
    """Return y − (y · v̂) v̂ for y in attended [B, H, T, K] and v̂ = v / |v| of the same token.

    Values are [B, G, T, K]; each serves a group of H / G query heads.
    """
    batch, groups, time, head_dim = value.shape
    heads = attended.reshape(batch, groups, -1, time, head_dim)  # [B, G, H / G, T, K]
    own = value.unsqueeze(2)  # [B, G, 1, T, K]
    # Dividing the product by v · v instead of v by |v| touches one number per row, not K.
    square = own.square().sum(dim=-1, keepdim=True).clamp(min=SQUARE_EPS)
    share = (heads * own).sum(dim=-1, keepdim=True) / square
    return torch.addcmul(heads, share, own, value=-1.0).view(attended.shape)
