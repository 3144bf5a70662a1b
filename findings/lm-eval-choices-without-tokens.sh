#!/bin/bash
# lm-eval 0.4.13 splits the joint encoding of context and choice by the number of tokens that the
# context has by itself. With a BPE tokenizer without pre-tokenizer ("superwords") a token crosses
# the border, so that number is too large, and the first tokens of the choice are not scored.
# Seen: of " red" and " old" it scores "ed" and "ld" (24 entries) or no token at all (60 entries);
# with a pre-tokenizer it scores both whole.
# Exits non-zero when that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lm_eval==0.4.13 tokenizers==0.23.3
"$folder/venv/bin/python" - <<'P'
import sys
from importlib.metadata import version

from lm_eval.api.model import TemplateLM
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

print("lm_eval", version("lm_eval"), "tokenizers", version("tokenizers"))
TEXT = ["the door is red", "the door is old", "the door was red", "the door was old"] * 50


class Encoder(TemplateLM):
    """Causal model of lm-eval that only encodes."""

    backend = "causal"
    eot_token_id = 0

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    def tok_encode(self, string, add_special_tokens=None, **options):
        return self.tokenizer.encode(string).ids

    def _loglikelihood_tokens(self, requests, **options):
        raise NotImplementedError

    loglikelihood_rolling = generate_until = _loglikelihood_tokens


def scored(entries, pre_tokenizer=None):
    """Return the text of the tokens of each choice that lm-eval scores."""
    tokenizer = Tokenizer(models.BPE())
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=entries, show_progress=False))
    model = Encoder(tokenizer)
    pairs = [model._encode_pair("the door is", choice) for choice in (" red", " old")]
    return ["".join(map(tokenizer.id_to_token, ids)) for _, ids in pairs]


few, many = scored(24), scored(60)
whole = scored(60, pre_tokenizers.ByteLevel(add_prefix_space=False))
print("no pre-tokenizer, 24 entries", few, "60 entries", many, "with pre-tokenizer", whole)
sys.exit((few, many, whole) != (["ed", "ld"], ["", ""], ["Ġred", "Ġold"]))
P
