"""Holds the parts of transformers; each knows tensors and plain numbers, not configurations.

Letters in shapes: B batch, T time, D width, H query heads, G key and value heads, K head width,
V vocabulary, M memory tokens.
"""

from .ahead_heads import IGNORED, AheadHeads, ahead_targets
from .attention import Attention
from .bigram_hash import BigramHash, bigram_rows
from .depth_scale import depth_scale, scaled_norm
from .exclusive_attention import exclude_own_value
from .feed_forward import FeedForward
from .leaky_square import LeakySquare
from .memory_tokens import MemoryTokens
from .partial_rotary import rotate_part, stretched_base
from .qk_norm import qk_norm
from .recurrence import layer_order
from .residual_branches import ResidualBranches
from .residual_mix import ResidualMix
from .rotary import rotary_tables, rotate
from .skips import Skips
from .smear_gate import SmearGate
from .softcap import softcap
from .value_embedding import ValueEmbedding
from .value_residual import ValueResidual

__all__ = [
    "IGNORED",
    "AheadHeads",
    "Attention",
    "BigramHash",
    "FeedForward",
    "LeakySquare",
    "MemoryTokens",
    "ResidualBranches",
    "ResidualMix",
    "Skips",
    "SmearGate",
    "ValueEmbedding",
    "ValueResidual",
    "ahead_targets",
    "bigram_rows",
    "depth_scale",
    "exclude_own_value",
    "layer_order",
    "qk_norm",
    "rotary_tables",
    "rotate",
    "rotate_part",
    "scaled_norm",
    "softcap",
    "stretched_base",
]
