"""Causal language models as evaluation reads them: spike's own, and those of Hugging Face."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok import Tokenizer

from ..artifact.open import open_run
from ..families.language_model import LanguageModel
from ..huggingface.import_ import open_exported, was_exported
from ..layers.kv_cache import KVCache


class CausalLM(Protocol):
    """Causal language model: texts in, logits of chosen rows out."""

    @property
    def name(self) -> str:
        """Path that it was opened from."""

    @property
    def context(self) -> int:
        """Largest number of ids in a pass."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""

    @property
    def prefix_id(self) -> int:
        """Id that is read where a context is empty: the separator, or the id that begins a text."""

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Spike's tokenizer; None where the model has one of another library."""

    def encode_batch(
        self, texts: Sequence[str], *, special: bool = True
    ) -> list[NDArray[np.int64]]:
        """Return the ids [n] of each text.

        Args:
            texts: names of special tokens in them are plain text for spike's tokenizers.
            special: with the special ids that a tokenizer of Hugging Face adds to every text.
        """

    def read(
        self, ids: Tensor, rows: Tensor, cache: Any = None, *, extend: int = 0, repeat: int = 1
    ) -> tuple[Tensor, Any]:
        """Return the logits [n, V] of some rows of a pass, and the KV cache after it.

        Args:
            ids: int64 [B, T], the next ids; rows that are shorter are padded on the right.
            rows: bool [B, T], the rows whose logits are computed, in the order of the result.
            cache: the result of the pass before; None: the ids begin a text.
            extend: number of ids that the next pass will add; 0: no cache is made.
            repeat: number of rows B that the next pass will have, where this one has one.
        """

    @property
    def device(self) -> torch.device:
        """Device of the weights."""

    @property
    def shares_prefixes(self) -> bool:
        """Whether `read` returns a KV cache that the next pass may continue."""

    @property
    def unused_weights(self) -> tuple[str, ...]:
        """Names of stored tensors that the model does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeLM:
    """Causal language model of a run folder, an artifact or an exported folder."""

    name: str
    model: LanguageModel
    tokenizer: Tokenizer

    @property
    def context(self) -> int:
        """Largest number of ids in a pass."""
        return self.model.config.context

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.model.vocab_size

    @property
    def prefix_id(self) -> int:
        """The separator, which precedes each text in training."""
        return self.tokenizer.eos_id

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.model.device

    @property
    def shares_prefixes(self) -> bool:
        """True: all families have a KV cache."""
        return True

    @property
    def unused_weights(self) -> tuple[str, ...]:
        """None: spike's files are read strictly."""
        return ()

    def encode_batch(
        self, texts: Sequence[str], *, special: bool = True
    ) -> list[NDArray[np.int64]]:
        """Return the ids [n] of each text, without any separator."""
        del special  # no text has special ids
        ids, offsets = self.tokenizer.encode_batch(texts, threads=1)
        wide = ids.astype(np.int64)
        return [wide[start:stop] for start, stop in pairwise(offsets.tolist())]

    def read(
        self, ids: Tensor, rows: Tensor, cache: Any = None, *, extend: int = 0, repeat: int = 1
    ) -> tuple[Tensor, Any]:
        """Return the logits [n, V] of the rows marked, and the KV cache for more ids.

        Args:
            ids: int64 [B, T], the next ids; shorter rows are padded on the right.
            rows: bool [B, T], at least one.
            cache: the result of the pass before; None: the ids begin a text.
            extend: number of ids that the next pass adds; 0: no cache is made.
            repeat: number of rows B of the next pass, where this one has one row.
        """
        if cache is None and extend:
            cache = self.model.new_kv_cache(len(ids))
        # Only the last layer may drop rows, and those before the first one needed.
        first = int(rows.any(0).int().argmax())
        keep = ids.shape[1] - first
        hidden_states = self.model.backbone(ids, kv_cache=cache, logits_to_keep=keep)
        logits = self.model.logits(hidden_states[rows[:, first:]]).float()
        return logits, repeated(cache, repeat, extend) if extend else None


def repeated(cache: KVCache, rows: int, room: int) -> KVCache:
    """Return a KV cache in which `rows` texts begin with the one of `cache`.

    Args:
        cache: of one text.
        rows: number of texts, B.
        room: number of ids that can be appended.
    """
    end, ids_end = cache.memory_tokens + cache.length, cache.prefix + cache.length

    def copied(tensor: Tensor, dim: int, end: int) -> Tensor:
        shape = list(tensor.shape)
        shape[0 if dim == 1 else 1], shape[dim] = rows, end + room
        larger = tensor.new_empty(shape)
        larger.narrow(dim, 0, end).copy_(tensor.narrow(dim, 0, end))
        return larger

    return KVCache(
        keys=copied(cache.keys, 3, end),
        values=copied(cache.values, 3, end),
        ids=copied(cache.ids, 1, ids_end),
        attention_mask=copied(cache.attention_mask, 1, ids_end),
        memory_tokens=cache.memory_tokens,
        prefix=cache.prefix,
        length=cache.length,
    )


def open_causal_lm(path: Path, device: str = "cpu", *, trust_remote_code: bool = False) -> CausalLM:
    """Open a run folder, an artifact, an exported folder or any causal LM of Hugging Face.

    Nothing is downloaded. A folder that spike exported becomes spike's own model, so the code in
    it does not run.

    Args:
        path: a folder or an artifact.
        device: of the weights.
        trust_remote_code: run the code in a Hugging Face folder, if it has a class of its own.

    Raises:
        SpikeError: a part is missing or damaged, or transformers cannot load the folder.
    """
    if not (path / "config.json").is_file():
        run = open_run(path, device)
    elif was_exported(path):
        run = open_exported(path, device)
    else:
        from ..huggingface.causal_lm import open_hugging_face  # imports transformers

        return open_hugging_face(path, device, trust_remote_code=trust_remote_code)
    return SpikeLM(name=str(path), model=run.model, tokenizer=run.tokenizer)
