"""Stock models of `transformers` with a BPE tokenizer, made here in a second."""

from pathlib import Path
from typing import Any

TEXT = ["the user and the other user eat an apple", "an apple a day", "the hut is thatched"] * 9


def bpe_tokenizer(transformers: Any, texts: list[str], vocab_size: int, **special: str) -> Any:
    """Train a byte-level BPE tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def write_stock_model(transformers: Any, folder: Path, kind: str, context: int = 40) -> Path:
    """Write a folder with a random model: Llama, GPT2, Mistral with short windows, or Mamba."""
    import torch

    tokenizer = bpe_tokenizer(transformers, TEXT, 300, eos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": context}
    fields = {
        "Llama": {**shape, **heads},
        "Mistral": {**shape, **heads, "sliding_window": 8},
        "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": context},
        "Mamba": {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4},
    }[kind]
    config = getattr(transformers, f"{kind}Config")(
        **fields,
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.5,
    )
    torch.manual_seed(1)
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    getattr(transformers, f"{kind}{head}")(config).save_pretrained(folder)
    return folder
