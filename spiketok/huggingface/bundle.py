"""Generate `spike_tokenizer.py`: the tokenizer's modules in one file that does not import spike."""

from pathlib import Path

from .bundler import join_modules

PACKAGE = Path(__file__).parent.parent
# In this order: each module comes after those that it imports from.
MODULES = (
    *("errors", "json_values", "id_layout", "tokenizer_json", "longest_match_python"),
    *("chat/loss_mask", "chat/chatml", "chat/tool_calls", "chat/messages"),
    *("huggingface/names", "huggingface/chat_template"),
    *("huggingface/text_processing", "huggingface/tokenization_spike"),
)
HEADER = '''\
# SPDX-License-Identifier: Apache-2.0
"""A tokenizer of spike as a class of `transformers`.

Generated from the sources of spike by `spike export tokenizer`; change those, not this file. It
encodes with spike's native core where spike is installed, and otherwise in plain Python, slower and
with the same result. See docs/huggingface.md of spike.
"""
'''


def generate() -> str:
    """Return the text of the module; the same for the same sources."""
    return join_modules(PACKAGE, MODULES, HEADER)
