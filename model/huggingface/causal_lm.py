"""Causal language models of `transformers` for evaluation, from local folders alone.

Weights are read from safetensors, for a pickled file runs code. They become float32.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

try:
    import transformers
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer
except ImportError as error:
    from spiketok.errors import SpikeError

    raise SpikeError(
        f"a Hugging Face model needs transformers ({error}); pip install 'spike-lm[hf]'"
    ) from None

from spiketok.errors import SpikeError

# Names of a model's cache, from transformers 5.24 on and before.
CACHE_NAMES = ("cache", "past_key_values")
# Layers of caches that can be repeated for several rows.
REPEATABLE = (DynamicLayer, DynamicSlidingWindowLayer)
# Names of the context length in configurations.
CONTEXT_NAMES = ("n_positions", "max_position_embeddings", "n_ctx")
UNLIMITED = 2048
# Characters of another library's message that are shown.
MAX_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceLM:
    """Causal language model of `transformers`, with the interface of evaluation's `CausalLM`."""

    name: str
    model: Any
    library_tokenizer: Any
    context: int
    unused_weights: tuple[str, ...] = ()
    """Names of tensors in the folder that the model does not have."""

    @property
    def tokenizer(self) -> None:
        """None: it is not spike's."""
        return

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def prefix_id(self) -> int:
        """Id that begins a text: BOS, or EOS without it, as in lm-evaluation-harness.

        Raises:
            SpikeError: the tokenizer has neither.
        """
        tokenizer = self.library_tokenizer
        for found in (tokenizer.bos_token_id, tokenizer.eos_token_id):
            if found is not None:
                return int(found)
        raise SpikeError(
            f"{self.name}: the tokenizer has neither a BOS nor an EOS token; set one of them in "
            "tokenizer_config.json"
        )

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        found: torch.device = self.model.device
        return found

    @property
    def shares_prefixes(self) -> bool:
        """Whether the model has a cache whose rows can be repeated."""
        if getattr(self.model, "_is_stateful", False) or self._cache_name is None:
            return False
        if not self.model._supports_default_dynamic_cache():
            return False
        layers = DynamicCache(config=self.model.config).layers
        return all(type(layer) in REPEATABLE for layer in layers)

    @property
    def _cache_name(self) -> str | None:
        known = signature(self.model.forward).parameters
        return next((name for name in CACHE_NAMES if name in known), None)

    def encode_batch(
        self, texts: Sequence[str], *, special: bool = True
    ) -> list[NDArray[np.int64]]:
        """Return the ids [n] of each text, by default with the tokenizer's special ids."""
        bos = self.library_tokenizer.bos_token
        result = []
        for text in texts:
            adds = special and not (bos and text.startswith(bos))
            ids = self.library_tokenizer.encode(text, add_special_tokens=adds)
            result.append(np.array(ids, np.int64))
        return result

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
        options: dict[str, Any] = {"use_cache": bool(extend or cache is not None)}
        if cache is None and extend:
            cache = DynamicCache(config=self.model.config)
        if cache is not None:
            options[str(self._cache_name)] = cache
        first = 0
        if "logits_to_keep" in signature(self.model.forward).parameters:
            first = int(rows.any(0).int().argmax())
            options["logits_to_keep"] = ids.shape[1] - first
        logits = self.model(input_ids=ids, **options).logits[rows[:, first:]].float()
        if extend and repeat > 1:
            cache.batch_repeat_interleave(repeat)
        return logits, cache if extend else None


def open_hugging_face(
    folder: Path, device: str = "cpu", *, trust_remote_code: bool = False
) -> HuggingFaceLM:
    """Open a folder that `AutoModelForCausalLM` and `AutoTokenizer` load.

    Args:
        folder: with config.json, *.safetensors and the tokenizer's files.
        device: of the weights.
        trust_remote_code: run the code in the folder.

    Raises:
        SpikeError: weights are missing or pickled, or `transformers` cannot load the folder.
    """
    if not any(folder.glob("*.safetensors")):
        pickled = next(folder.glob("*.bin"), None)
        if pickled is not None:
            raise SpikeError(
                f"{pickled}: pickled weights can run code and are not read; save the model again "
                "with save_pretrained, as safetensors"
            )
        raise SpikeError(f"{folder}: has no *.safetensors; save the model again as safetensors")
    shared = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    try:
        with _silent():
            config = transformers.AutoConfig.from_pretrained(str(folder), **shared)
            check_layers(folder, config)
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **shared)
            model, loading = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder),
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **shared,
            )
    except SpikeError:
        raise
    except Exception as error:  # noqa: BLE001: code of other libraries, and of the folder
        if not trust_remote_code and _has_code(folder):
            raise SpikeError(
                f"{folder}: the model has code of its own; read it, and pass --trust-remote-code"
            ) from None
        reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
        raise SpikeError(
            f"{folder}: transformers cannot load it ({reason}); name a folder of a causal "
            "language model"
        ) from None
    # transformers initialises missing weights at random, with a warning alone.
    absent = sorted(loading["missing_keys"])
    if absent:
        raise SpikeError(
            f"{folder}: has no weights for {absent[0]} and {len(absent) - 1} more; restore the "
            "folder, or its config.json"
        )
    model.to(device).requires_grad_(False).eval()
    return HuggingFaceLM(
        name=str(folder),
        model=model,
        library_tokenizer=tokenizer,
        context=context_of(folder, model),
        unused_weights=tuple(sorted(loading["unexpected_keys"])),
    )


def check_layers(folder: Path, config: Any) -> None:
    """Check that a configuration has as many layers as the folder's tensors allow.

    Each layer has tensors of its own; `transformers` would first build all that are named.

    Raises:
        SpikeError: it has more, or none.
    """
    layers = getattr(config.get_text_config(decoder=True), "num_hidden_layers", None)
    if layers is None:
        return
    tensors = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            tensors += len(weights.keys())
    if not isinstance(layers, int) or not 1 <= layers <= tensors:
        raise SpikeError(
            f"{folder / 'config.json'}: num_hidden_layers is {str(layers)[:MAX_REASON]}, but the "
            f"folder has {tensors:,} tensors; restore the file"
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep `transformers` from printing warnings and progress bars."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _has_code(folder: Path) -> bool:
    """Whether the configuration of the model or of the tokenizer names a class in the folder."""
    files = (folder / name for name in ("config.json", "tokenizer_config.json"))
    return any(b'"auto_map"' in file.read_bytes() for file in files if file.is_file())


def context_of(folder: Path, model: Any) -> int:
    """Return the context length of a configuration; UNLIMITED where it has none.

    Raises:
        SpikeError: it is not a positive integer.
    """
    config = model.config.get_text_config(decoder=True)
    for name in CONTEXT_NAMES:
        length = getattr(config, name, None)
        if length is None:
            continue
        if not isinstance(length, int) or length < 1:
            raise SpikeError(f"{folder / 'config.json'}: {name} is {length!r}; restore the file")
        return length
    return UNLIMITED
