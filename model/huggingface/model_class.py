"""The models as classes of `transformers`; `generate.py` makes them a file that needs no spike.

Part of the generated file; spike itself never imports it.
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from ..config import GolfConfig, ModelConfig
from ..decoding_cache import window_start
from ..golf import GolfTransformer, initialise_golf
from ..spikewhale import SpikeWhale, initialise_spikewhale
from ..spikewhale_config import SpikeWhaleConfig
from ..transformer import Transformer, initialise
from .kept_tokens import SpikeCache

Trunk: TypeAlias = Transformer | GolfTransformer | SpikeWhale


class SpikeConfig(PreTrainedConfig):
    """The shape of a model: the sections of a configuration of spike that say it.

    Attributes:
        sections: `model`, and `golf` or `spikewhale` where the model is of that family.
        separator: the id between documents, over which nothing looks back.
        vocab_size: number of ids.
    """

    model_type = "spike"
    keys_to_ignore_at_inference = ("past_key_values",)
    sections: dict[str, dict[str, Any]] | None = None
    separator: int = 3
    vocab_size: int = 0

    def _shape(self, key: str) -> Any:
        return (self.sections or {}).get("model", {}).get(key)

    @property
    def hidden_size(self) -> Any:
        """Numbers in the residual stream."""
        return self._shape("width")

    @property
    def num_hidden_layers(self) -> Any:
        """Layers."""
        return self._shape("layers")

    @property
    def num_attention_heads(self) -> Any:
        """Query heads."""
        return self._shape("heads")

    @property
    def num_key_value_heads(self) -> Any:
        """Key and value heads."""
        return self._shape("kv_heads")

    @property
    def head_dim(self) -> Any:
        """Numbers in one head."""
        return self._shape("head_width")

    @property
    def max_position_embeddings(self) -> Any:
        """Tokens that one prediction may look back on."""
        return self._shape("context")


def build_trunk(config: SpikeConfig) -> Trunk:
    """Return the model that a configuration describes."""
    sections = config.sections or {}
    shape = ModelConfig(**sections["model"])
    if "golf" in sections:
        golf = GolfConfig(**sections["golf"])
        return GolfTransformer(shape, golf, config.vocab_size, config.separator)
    if "spikewhale" in sections:
        whale = SpikeWhaleConfig(**sections["spikewhale"])
        return SpikeWhale(shape, whale, config.vocab_size, config.separator)
    return Transformer(shape, config.vocab_size)


class SpikeForCausalLM(PreTrainedModel, GenerationMixin):
    """Token ids in, logits of the next token out.

    Once the context is full, the window moves on by half of it, and what is left is read anew.
    Heads that only practise are not here, and so are their losses: `labels` give the mean loss of
    the next token alone.
    """

    config_class = SpikeConfig
    base_model_prefix = "model"
    _no_split_modules = ("Block", "GolfBlock", "WhaleBlock")
    _skip_keys_device_placement = ("past_key_values",)

    def __init__(self, config: SpikeConfig) -> None:
        super().__init__(config)
        self.model = build_trunk(config)
        self.model.training = False
        self.frozen = [n for n, weight in self.model.named_parameters() if not weight.requires_grad]
        self.post_init()

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Let `generate` leave it to `forward` to make a cache."""
        return False

    def train(self, mode: bool = True) -> "SpikeForCausalLM":
        """Set the mode of all parts, but train the model as it is used.

        In a training mode of its own a golf model has memory in place of its first tokens.
        """
        super().train(mode)
        self.model.training = False
        return self

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of embeddings."""
        return self.model.embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Take another table of embeddings."""
        self.model.embedding = value

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the output layer; None where the table of embeddings serves."""
        return getattr(self.model, "head", None)

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Take another output layer."""
        self.model.head = new_embeddings

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Fill what a file of weights does not hold: the rotary tables, or all of a new model.

        What is never trained is frozen again, for loading makes new parameters.
        """
        trunk = self.model
        if module is not trunk:
            return
        for name in self.frozen:
            trunk.get_parameter(name).requires_grad_(False)
        for name, table in trunk.rotary().items():
            getattr(trunk, name).copy_(table)
        if any(getattr(weight, "_is_hf_initialized", False) for weight in trunk.parameters()):
            return
        seed = int(torch.randint(2**53, ()))
        if isinstance(trunk, GolfTransformer):
            initialise_golf(trunk, seed)
        elif isinstance(trunk, SpikeWhale):
            initialise_spikewhale(trunk, seed)
        else:
            initialise(trunk, seed)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
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
            past_key_values: what was read before; takes in what is read now.
            labels: ids [B, T], −100 for those that do not count; row t is judged by label t + 1.
            use_cache: whether a cache is made where none is given; not while training.
            logits_to_keep: how many of the last rows, or which rows; 0 for all.
            options: for the loss; positions, which follow from the mask, are ignored.

        Raises:
            ValueError: there are no ids, or more rows are wanted than the context has.
        """
        if input_ids is None or options.pop("inputs_embeds", None) is not None:
            raise ValueError("input_ids: needed; spike's models look up ids, not embeddings")
        if attention_mask is not None and attention_mask.ndim != 2:
            raise ValueError(
                "attention_mask: has to be [B, T]; who sees whom is the model's to say"
            )
        real = None if attention_mask is None else attention_mask[:, -input_ids.shape[1] :].bool()
        cache = past_key_values
        if use_cache and cache is None and not self.training:
            cache = SpikeCache(self.model.empty_cache(len(input_ids)))
        stream = self._read(input_ids, real, cache)
        logits = self.model.logits(_kept(stream, logits_to_keep, input_ids.shape[1]))
        loss = None
        if labels is not None:
            options.pop("position_ids", None)
            loss = self.loss_function(logits, labels, self.config.vocab_size, **options)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=cache)

    def _read(self, ids: Tensor, real: Tensor | None, cache: SpikeCache | None) -> Tensor:
        """Return the rows [B, T, D] of ids, or those of the last ids, which are in the window."""
        seen, seen_real, time = ids, real, ids.shape[1]
        if cache is not None:
            cache.append(ids, real)
            seen, seen_real = cache.ids, cache.real
        start = window_start(seen.shape[1], self.model.config.context)
        unread = slice(start, None) if cache is None else cache.unread(start)
        before = None
        if unread.start == start and start and self.model.look_back:
            window = slice(max(0, start - self.model.look_back), start)
            before = seen[:, window]
            if seen_real is not None:
                # What is before a text is taken for text, unless a separator stands there.
                before = before.masked_fill(~seen_real[:, window], self.config.separator)
        new_real = None if seen_real is None else seen_real[:, unread]
        decoding = None if cache is None else cache.decoding
        rows = self.model.trunk(seen[:, unread], before, real=new_real, cache=decoding)
        return rows[:, -time:]


def _kept(rows: Tensor, wanted: int | Tensor, time: int) -> Tensor:
    """Return the rows to keep of the last ones of `time`; 0 for all."""
    if isinstance(wanted, Tensor):
        return rows[:, wanted]
    if (wanted or time) > rows.shape[1]:
        raise ValueError(
            f"input_ids: {time} tokens are more than the context; pass less, or a logits_to_keep "
            f"up to {rows.shape[1]}"
        )
    return rows[:, -wanted:]
