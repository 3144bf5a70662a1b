"""`transformers` classes of the models; `bundle.py` makes them a file that needs no spike.

Part of the generated file; spike itself never imports it.
"""

from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from ..config.schema import GolfConfig, ModelConfig
from ..config.spikewhale import SpikeWhaleConfig
from ..families.golf.model import GolfTransformer
from ..families.language_model import LanguageModel
from ..families.qwen3.model import Qwen3
from ..families.spikewhale.model import SpikeWhaleLM
from ..layers.kv_cache import context_window_start
from .cache import CACHE, CACHE_NAMES, UNSUPPORTED, SpikeCache
from .call_arguments import given_cache, new_mask, rows_to_compute


class SpikeConfig(PreTrainedConfig):
    """Configuration of a model: the sections of spike's configuration that define its shape.

    Attributes:
        sections: `model`, and `golf` or `spikewhale` where the model is of that family.
        separator: the id between documents; embeddings do not read ids before it.
        vocab_size: number of ids.
    """

    model_type = "spike"
    keys_to_ignore_at_inference = CACHE_NAMES
    sections: dict[str, dict[str, Any]] | None = None
    separator: int = 3
    vocab_size: int = 0

    def _shape(self, key: str) -> Any:
        return (self.sections or {}).get("model", {}).get(key)

    @property
    def hidden_size(self) -> Any:
        """Model width: length of the residual stream's vectors."""
        return self._shape("dim")

    @property
    def num_hidden_layers(self) -> Any:
        """Number of layers."""
        return self._shape("layers")

    @property
    def num_attention_heads(self) -> Any:
        """Number of query heads."""
        return self._shape("heads")

    @property
    def num_key_value_heads(self) -> Any:
        """Number of key and value heads."""
        return self._shape("kv_heads")

    @property
    def head_dim(self) -> Any:
        """Length of a head's vectors."""
        return self._shape("head_dim")

    @property
    def max_position_embeddings(self) -> Any:
        """Context length in tokens."""
        return self._shape("context")


def build_language_model(config: SpikeConfig) -> LanguageModel:
    """Return the model that a configuration describes."""
    sections = config.sections or {}
    shape = ModelConfig(**sections["model"])
    if "golf" in sections:
        golf = GolfConfig(**sections["golf"])
        return GolfTransformer(shape, golf, config.vocab_size, config.separator)
    if "spikewhale" in sections:
        whale = SpikeWhaleConfig(**sections["spikewhale"])
        return SpikeWhaleLM(shape, whale, config.vocab_size, config.separator)
    return Qwen3(shape, config.vocab_size)


class SpikeForCausalLM(PreTrainedModel, GenerationMixin):
    """Causal language model: token ids in, logits of the next token out.

    Whenever the context is full, the window moves on by half of it, and the rest is read again.
    There are no auxiliary heads and losses: `labels` give the mean loss of the next token.
    """

    config_class = SpikeConfig
    base_model_prefix = "model"
    _no_split_modules = ("Qwen3Block", "GolfBlock", "WhaleBlock")
    _skip_keys_device_placement = CACHE_NAMES

    def __init__(self, config: SpikeConfig) -> None:
        super().__init__(config)
        language_model = build_language_model(config)
        # In a tuple it is no submodule: its modules are, so that weights keep their names.
        self._language_model = (language_model,)
        self.model, self.lm_head = language_model.model, language_model.lm_head
        self.model.training = False
        self.frozen = [n for n, weight in self.named_parameters() if not weight.requires_grad]
        self.post_init()

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Return False: caches of `transformers` are not supported."""
        return False

    def _prepare_cache_for_generation(
        self, generation_config: Any, model_kwargs: dict[str, Any], *others: Any, **options: Any
    ) -> None:
        """Pass `generate` an empty `SpikeCache`, if it uses a cache and has none.

        Raises:
            ValueError: a cache of another kind is requested.
        """
        kind = generation_config.cache_implementation
        if kind not in (None, "dynamic"):
            raise ValueError(
                f"cache_implementation={kind!r} is not supported: spike's models have their own "
                "cache; leave it out"
            )
        super()._prepare_cache_for_generation(generation_config, model_kwargs, *others, **options)
        if generation_config.use_cache is not False and model_kwargs.get(CACHE) is None:
            model_kwargs[CACHE] = SpikeCache()

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, *others: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the arguments of `forward` for the next step of `generate`.

        `input_ids` [B, T] are all ids so far.

        Raises:
            RuntimeError: some ids are neither in these arguments nor in their cache.
        """
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(input_ids, *others, **kwargs)
        cache = inputs.get(CACHE)
        read = cache.get_seq_length() if isinstance(cache, SpikeCache) else 0
        if read + inputs["input_ids"].shape[1] < input_ids.shape[1]:
            raise RuntimeError(UNSUPPORTED)
        return inputs

    def train(self, mode: bool = True) -> "SpikeForCausalLM":
        """Set the mode of all modules, except the backbone, which stays in evaluation mode.

        In its own training mode a golf model replaces its first tokens by memory tokens.
        """
        super().train(mode)
        self.model.training = False
        return self

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding table."""
        return self.model.embed_tokens

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Set another embedding table."""
        self.model.embed_tokens = value

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the output layer; None where it is the embedding table."""
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Set another output layer."""
        self.lm_head = self._language_model[0].lm_head = new_embeddings

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise the tensors that a file of weights lacks: RoPE tables, or all of a new model.

        Frozen parameters are frozen again, because loading makes new ones.
        """
        backbone = self.model
        if module is not backbone:
            return
        for name in self.frozen:
            self.get_parameter(name).requires_grad_(False)
        for name, table in backbone.rope_tables().items():
            getattr(backbone, name).copy_(table)
        if any(getattr(weight, "_is_hf_initialized", False) for weight in backbone.parameters()):
            return
        self._language_model[0].init_weights(int(torch.randint(2**53, ())))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cache: SpikeCache | None = None,
        past_key_values: SpikeCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **options: Any,
    ) -> CausalLMOutputWithPast:
        """Map ids [B, T] to logits [B, T, V], or to those of the rows to keep.

        Args:
            input_ids: the new ids.
            attention_mask: [B, T] or [B, cached + T]; 0 for padding, on any side.
            cache: of the ids read before; is extended by the new ones.
            past_key_values: the same, by its name before transformers 5.24.
            labels: ids [B, T], −100 for those that do not count; row t predicts label t + 1.
            use_cache: whether to make a cache if none is given; not while training.
            logits_to_keep: number of last rows, or row numbers [n]; 0 for all.
            options: for the loss; positions, which follow from the mask, are ignored.

        Raises:
            ValueError: there are no ids, a cache or mask does not fit, or `logits_to_keep` is more
                than the context.
        """
        if input_ids is None or options.pop("inputs_embeds", None) is not None:
            raise ValueError("input_ids: missing; pass ids, embeddings are not supported")
        cache = given_cache(cache, past_key_values, options)
        attention_mask = new_mask(attention_mask, input_ids.shape[1], cache)
        if use_cache and cache is None and not self.training:
            cache = SpikeCache()
        count = rows_to_compute(logits_to_keep, input_ids.shape[1], self.model.config.context)
        rows = self._read(input_ids, attention_mask, cache, count)
        logits = self._language_model[0].logits(
            rows[:, logits_to_keep] if isinstance(logits_to_keep, Tensor) else rows
        )
        loss = None
        if labels is not None:
            options.pop("position_ids", None)
            loss = self.loss_function(logits, labels, self.config.vocab_size, **options)
        return CausalLMOutputWithPast(loss=loss, logits=logits, **{CACHE: cache})

    def _read(
        self, ids: Tensor, attention_mask: Tensor | None, cache: SpikeCache | None, count: int
    ) -> Tensor:
        """Return the last `count` hidden states [B, count, D], each from its own window."""
        read = 0 if cache is None else cache.get_seq_length()
        length, context = read + ids.shape[1], self.model.config.context
        ends = range(length - count + 1, length + 1)
        rows, taken = [], 0
        for start, group in groupby(ends, lambda end: context_window_start(end, context)):
            of_window = list(group)
            until = of_window[-1] - read
            if cache is None:
                hidden_states = self._read_window(ids[:, :until], attention_mask, None, start)
            else:
                new_attention_mask = (
                    None if attention_mask is None else attention_mask[:, taken:until]
                )
                cache.append(ids[:, taken:until], new_attention_mask, self.model.new_kv_cache)
                hidden_states = self._read_window(cache.ids, cache.attention_mask, cache, start)
            rows.append(hidden_states[:, -len(of_window) :])
            taken = until
        return torch.cat(rows, 1) if len(rows) > 1 else rows[0]

    def _read_window(
        self, ids: Tensor, attention_mask: Tensor | None, cache: SpikeCache | None, start: int
    ) -> Tensor:
        """Return the hidden states of ids [B, N], from `start` on, not yet read in this window."""
        unread = slice(start, ids.shape[1]) if cache is None else cache.unread(start)
        prefix_ids = None
        if unread.start == start and start and self.model.lookback:
            window = slice(max(0, start - self.model.lookback), start)
            prefix_ids = ids[:, window]
            if attention_mask is not None:
                # Ids before a text count as text, unless they are separators.
                prefix_ids = prefix_ids.masked_fill(
                    ~attention_mask[:, window], self.config.separator
                )
        new_attention_mask = None if attention_mask is None else attention_mask[:, unread]
        kv_cache = None if cache is None else cache.kv_cache
        rows: Tensor = self.model(
            ids[:, unread], prefix_ids, attention_mask=new_attention_mask, kv_cache=kv_cache
        )
        return rows
