"""Holds the parts of a transformer; each knows tensors and plain numbers, not configurations.

Letters in shapes: B batch, T time, D width, H query heads, G key and value heads, K head width.
"""

from .attention import Attention
from .feed_forward import FeedForward
from .rotary import rotary_tables, rotate

__all__ = ["Attention", "FeedForward", "rotary_tables", "rotate"]
