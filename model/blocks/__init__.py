"""Holds the parts of transformers; each knows tensors and plain numbers, not configurations.

Letters in shapes: B batch, T time, D width, H query heads, G key and value heads, K head width,
V vocabulary, M memory tokens, N residual streams or, in attention, tokens to be seen.
"""

from .ahead_heads import IGNORED, AheadHeads, ahead_targets
from .ahead_states import AheadStates
from .attention import Attention
from .bigram_hash import BigramHash, bigram_rows
from .depth_scale import depth_scale, scaled_norm
from .derf import derf
from .derf_attention import DerfAttention
from .documents import document_begins, document_numbers, visible_in_document
from .embedding_again import embedding_again
from .engram import ID_BITS, LARGEST, Engram
from .exclusive_attention import exclude_own_value
from .experts import Experts
from .feed_forward import FeedForward
from .hyper_connections import HyperConnections, Route, branch
from .latent_attention import LatentAttention
from .latent_prediction import LatentPrediction, latent_distance
from .leaky_square import LeakySquare
from .memory_tokens import MemoryTokens
from .partial_rotary import rotate_last, rotate_part, stretched_base
from .qk_norm import qk_norm
from .recurrence import layer_order
from .refinement import Refinement
from .residual_branches import ResidualBranches
from .residual_mix import ResidualMix
from .rotary import rotary_tables, rotate
from .sight import Keep, last_rows, sight, sight_of_last
from .skips import Skips
from .smear_gate import SmearGate
from .softcap import softcap
from .value_embedding import ValueEmbedding
from .value_residual import ValueResidual

__all__ = [
    "ID_BITS",
    "IGNORED",
    "LARGEST",
    "AheadHeads",
    "AheadStates",
    "Attention",
    "BigramHash",
    "DerfAttention",
    "Engram",
    "Experts",
    "FeedForward",
    "HyperConnections",
    "Keep",
    "LatentAttention",
    "LatentPrediction",
    "LeakySquare",
    "MemoryTokens",
    "Refinement",
    "ResidualBranches",
    "ResidualMix",
    "Route",
    "Skips",
    "SmearGate",
    "ValueEmbedding",
    "ValueResidual",
    "ahead_targets",
    "bigram_rows",
    "branch",
    "depth_scale",
    "derf",
    "document_begins",
    "document_numbers",
    "embedding_again",
    "exclude_own_value",
    "latent_distance",
    "last_rows",
    "layer_order",
    "qk_norm",
    "rotary_tables",
    "rotate",
    "rotate_last",
    "rotate_part",
    "scaled_norm",
    "sight",
    "sight_of_last",
    "softcap",
    "stretched_base",
    "visible_in_document",
]
