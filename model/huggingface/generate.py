"""Writes `spike_model.py`: blocks and models, joined into one module that needs no spike.

It is the same for every model, so whoever has read it once need not read it again.
"""

from pathlib import Path

from spiketok.huggingface import join_modules

PACKAGE = Path(__file__).parent.parent
# In this order: what a module imports from the others stands before it.
BLOCKS = (
    *("softcap", "rotary", "partial_rotary", "documents", "depth_scale", "derf", "qk_norm"),
    *("sight", "exclusive_attention", "derf_attention", "attention", "latent_attention"),
    *("feed_forward", "leaky_square", "experts", "engram", "bigram_hash", "embedding_again"),
    *("value_embedding", "value_residual", "smear_gate", "memory_tokens"),
    *("residual_branches", "residual_mix", "skips", "recurrence", "hyper_connections"),
    *("refinement", "ahead_heads", "ahead_states", "latent_prediction"),
)
MODULES = (
    *(f"blocks/{block}" for block in BLOCKS),
    *("huggingface/sections", "named_draws", "decoding_cache", "transformer", "golf_layer", "golf"),
    *("spikewhale_layer", "spikewhale", "huggingface/kept_tokens"),
    *("huggingface/call_arguments", "huggingface/model_class"),
)
HEADER = '''\
# SPDX-License-Identifier: Apache-2.0
"""The models of spike as classes of `transformers`.

Generated from the sources of spike by `spike export model`; change those, not this file. It needs
torch and transformers alone. docs/huggingface.md of spike tells more.
"""
'''


def generate() -> str:
    """Return the text of the module; the same for the same sources."""
    return join_modules(PACKAGE, MODULES, HEADER)
