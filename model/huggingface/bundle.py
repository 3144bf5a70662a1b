"""Bundle of `spike_model.py`: layers and models as one module that needs no spike.

It is the same for every model, so it needs to be reviewed only once.
"""

from pathlib import Path

from spiketok.huggingface import join_modules

PACKAGE = Path(__file__).parent.parent
# In this order: each module comes after those that it imports.
LAYERS = (
    *("softcap", "rope", "partial_rope", "attention_mask", "rms_norm", "derf", "qk_norm"),
    *("attention_inputs", "xsa", "derf_attention", "attention", "mla"),
    *("feed_forward", "leaky_relu_squared", "moe", "engram", "bigram_embedding"),
    *("token_reinjection", "value_embedding", "value_residual", "smear_gate", "memory_tokens"),
    *("residual", "x0_mix", "unet_skips", "depth_recurrence", "hyper_connections"),
    *("hrm", "mtp", "mtp_states", "jepa", "kv_cache"),
)
MODULES = (
    *(f"layers/{layer}" for layer in LAYERS),
    *("huggingface/configuration_spike", "families/initialization"),
    *("families/parameter_roles", "families/language_model"),
    *("families/qwen3/model", "families/golf/block", "families/golf/model"),
    *("families/spikewhale/block", "families/spikewhale/model"),
    *("huggingface/cache", "huggingface/call_arguments", "huggingface/modeling_spike"),
)
HEADER = '''\
# SPDX-License-Identifier: Apache-2.0
"""The models of spike as classes of `transformers`.

Generated from the sources of spike by `spike export model`; change those, not this file. It needs
torch and transformers alone. docs/huggingface.md of spike describes it.
"""
'''


def generate() -> str:
    """Generate the text of the module; equal sources give equal text."""
    return join_modules(PACKAGE, MODULES, HEADER)
