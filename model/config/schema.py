"""Schema of the configuration: sections and keys, their units and legal ranges.

The preset `base.toml` gives the value of every key and the reason for it. Not every configuration
has all sections: `bese-golf.toml` explains `[golf]` and `[averaging]`, `escarda-86m-base.toml`
`[spikewhale]`, the end of `base.toml` `[distill]`, and docs/formats.md `[quantize]`. Loading and
the checks that need more than one key are in `loader.py`.

A key that has a default here came later than the others. Its default is the behaviour before, and
it is written only where it differs, so that fingerprints of older configurations stay.
"""

from typing import Annotated, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from .distillation import DistillConfig
from .quantization import QuantizeConfig
from .ranges import BelowOne, Count, CountOrZero, Fraction, Rate
from .spikewhale import SpikeWhaleConfig


class ModelConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Shape of the transformer."""

    layers: Annotated[int, Meta(ge=1, le=1024), "blocks"]
    """Number of blocks."""
    dim: Annotated[int, Meta(ge=1, le=65_536), "numbers"]
    """Numbers in the residual stream, per token."""
    heads: Annotated[int, Meta(ge=1, le=1024), "heads"]
    """Query heads; a multiple of `kv_heads`."""
    kv_heads: Annotated[int, Meta(ge=1, le=1024), "heads"]
    """Key and value heads, each shared by `heads` / `kv_heads` query heads."""
    head_dim: Annotated[int, Meta(ge=2, le=1024, multiple_of=2), "numbers"]
    """Numbers in one head; even, because rotary positions turn pairs."""
    ffn_dim: Annotated[int, Meta(ge=1, le=1_000_000), "numbers"]
    """Numbers in the hidden layer of the feed-forward network."""
    context: Annotated[int, Meta(ge=1, le=1_000_000), "tokens"]
    """Tokens that one prediction may look back on."""
    rope_base: Annotated[float, Meta(gt=1, le=1e12)]
    """Base of the rotary wavelengths."""
    tie_embeddings: bool
    """Whether the output layer is the embedding table."""
    logit_softcap: Annotated[float, Meta(ge=0, le=1e6), "nats"]
    """Bound c of the logits, by c · tanh(logit / c); 0 for none."""
    vocab_size: Annotated[int, Meta(ge=0, le=16_777_216), "ids"]
    """Number of token ids; 0 to take it from the data."""


class GolfConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Additions of the golf family to the shape of the transformer; every default is off."""

    qk_gain_init: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    """Factor of the queries at the start, which each head then learns."""
    rope_dims: Annotated[int, Meta(ge=0, le=1024, multiple_of=2), "numbers"] = 0
    """Numbers of a head that turn with the position; 0 for all."""
    original_context: Annotated[CountOrZero, "tokens"] = 0
    """Tokens that `model.rope_base` is meant for; longer contexts enlarge it. 0 for any."""
    xsa_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Layers, the last ones, whose attention leaves out a token's own value."""
    leaky_relu_slope: Fraction = 0.0
    """Slope of the activation below zero, before it is squared."""
    ln_scale: bool = False
    """Whether layer i (from 0) reads its norms times 1 / √(i + 1)."""
    x0_mix: bool = False
    """Whether each layer mixes the first embedding in."""
    unet_skips: bool = False
    """Whether late layers read the outputs of early ones, in reverse."""
    parallel_residual_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Layers, the last ones, with attention and feed-forward network side by side."""
    recur_layers: tuple[CountOrZero, ...] = ()
    """Layers, one after the other, that run several times; counted from 0."""
    num_loops: Annotated[int, Meta(ge=1, le=100)] = 1
    """Number of times they run."""
    recur_start: Annotated[Fraction, "share of the run"] = 0.0
    """Share of the training after which they do; before it they run once."""
    bigram_vocab_size: Annotated[int, Meta(ge=0, le=1_000_000_000), "rows"] = 0
    """Rows of the table of hashed pairs of tokens; 0 for none, else at least 2."""
    bigram_dim: Annotated[Count, "numbers"] = 128
    """Numbers in a row of that table."""
    smear_gate: bool = False
    """Whether embeddings are blended with the one before."""
    ve_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Layers, the last ones, whose values get an embedding of the token."""
    ve_dim: Annotated[Count, "numbers"] = 128
    """Numbers in a row of that embedding's table."""
    value_residual: bool = False
    """Whether the first layer's values are mixed into those of the others."""
    memory_tokens: Annotated[CountOrZero, "tokens"] = 0
    """Learned rows before the text; in training they take the place of as many tokens."""
    mtp_num_heads: Annotated[int, Meta(ge=0, le=16), "heads"] = 0
    """Heads that predict tokens further ahead, for training only."""
    mtp_loss_weight: Annotated[float, Meta(ge=0, le=100)] = 0.2
    """Weight of their mean loss; it falls with the learning rates."""
    projection_gain: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Initial scale of the projections after the narrow tables."""


class DataConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Training data."""

    path: str
    """Shard folder."""
    shuffle_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the order of the windows."""


class TrainConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Length of the run, batch sizes, device and precision."""

    steps: Annotated[int, Meta(ge=1, le=99_999_999), "steps"]
    """Optimiser steps."""
    batch_size: Annotated[Count, "sequences"]
    """Sequences per step."""
    micro_batch_size: Annotated[Count, "sequences"]
    """Sequences per forward pass; divides `batch_size`; smaller needs less memory."""
    grad_clip: Annotated[float, Meta(ge=0, le=1e6), "gradient norm"]
    """Largest norm of the gradient; 0 for no clipping."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the initial weights."""
    device: Literal["auto", "cpu", "cuda"]
    """`auto` takes a CUDA device where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Type of matrix products; `auto` is bfloat16 on CUDA devices that know it, else float32."""
    threads: Annotated[int, Meta(ge=0, le=4096), "threads"]
    """CPU threads; 0 for one per available core."""
    compile: bool
    """Whether torch.compile is used: a slow first step, faster ones after it."""
    log_every: Annotated[Count, "steps"]
    """Steps from one line of metrics to the next."""
    activation_checkpointing: bool = False
    """Whether the backward pass computes blocks again instead of keeping what they made."""


class OptimizerConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Update rules of the tensors, and their learning rates."""

    muon: bool
    """Whether the matrices of the blocks are trained by Muon; AdamW trains the rest."""
    muon_learning_rate: Annotated[Rate, "spectral norm per step"]
    """Length of a step, per matrix, in units of its spectral norm."""
    muon_momentum: Annotated[BelowOne, "share per step"]
    """Share of the old direction that is kept at each step."""
    muon_weight_decay: Annotated[Fraction, "× rate, per step"]
    """Share of a matrix removed per step, times the learning rate."""
    adamw_learning_rate: Annotated[Rate, "per number and step"]
    """Length of a step, per number."""
    adamw_betas: Annotated[tuple[BelowOne, BelowOne], "share per step"]
    """Shares of the old mean and the old mean square of the gradient kept at each step."""
    adamw_weight_decay: Annotated[Fraction, "× rate, per step"]
    """The same as `muon_weight_decay`, for matrices and tables that AdamW trains."""
    muon_momentum_start: Annotated[BelowOne, "share per step"] = 0.0
    """Momentum of the first step, where `muon_momentum_warmup` is not 0."""
    muon_momentum_warmup: Annotated[CountOrZero, "steps"] = 0
    """Steps in which the momentum goes from its start to its height."""
    vector_learning_rate: Annotated[float, Meta(ge=0, le=100), "per number and step"] = 0.0
    """The same as `adamw_learning_rate`, for vectors and small projections; 0 for the same."""
    vector_weight_decay: Annotated[Fraction, "× rate, per step"] = 0.0
    """The same as `adamw_weight_decay`, for vectors and small projections."""
    mtp_learning_rate: Annotated[float, Meta(ge=0, le=100), "per number and step"] = 0.0
    """The same as `adamw_learning_rate`, for the heads that look ahead; 0 for the same."""


class ScheduleConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Warmup, plateau and decay of the learning rates."""

    warmup_fraction: Annotated[Fraction, "share of the run"]
    """Share of the training in which the rates rise from zero."""
    decay_fraction: Annotated[Fraction, "share of the run"]
    """Share of the training, its end, in which the rates fall."""
    min_lr_ratio: Annotated[Fraction, "share of the rate"]
    """Final rates, as a share of the full ones."""
    seconds: Annotated[float, Meta(ge=0, le=1e9), "seconds"] = 0.0
    """Seconds of training, validation apart, after which it ends; 0 to count steps alone."""
    decay_steps: Annotated[CountOrZero, "steps"] = 0
    """Length of the decay in steps, or in mean step times; 0 to use `decay_fraction`."""
    decay_shape: Literal["linear", "cosine", "adaptive-cosine"] = "linear"
    """Shape of the decay; `adaptive-cosine` first raises the rates to `adaptive_peak` times."""
    adaptive_peak: Annotated[float, Meta(ge=1, le=100), "× rate"] = 3.0
    """Factor of the rates in `adaptive-cosine` after 0.3 of the decay."""


class AveragingConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Means of the weights over the steps, and the weights for export."""

    ema_decay: Annotated[BelowOne, "share per update"] = 0.0
    """Share of the old mean kept by the exponential mean at each update; 0 for none."""
    ema_every: Annotated[Count, "steps"] = 1
    """Steps from one update to the next."""
    swa_every: Annotated[CountOrZero, "steps"] = 0
    """Steps between the snapshots of the plain mean; 0 for none."""
    swa_start_lr_ratio: Annotated[Fraction, "share of the rate"] = 1.0
    """Share of the full learning rates at which snapshots begin; 1 for all (Polyak's mean)."""
    use: Literal["weights", "ema", "swa"] = "weights"
    """Weights that are validated, sampled, scored and exported."""


class ValidationConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Scoring of held-out text."""

    every: Annotated[CountOrZero, "steps"]
    """Steps between validations; 0 for the last step only."""
    windows: Annotated[CountOrZero, "windows"]
    """Windows of `context` + 1 tokens to score; 0 for no validation."""


class SampleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Sampling of text during training."""

    every: Annotated[CountOrZero, "steps"]
    """Steps between samples; 0 for none."""
    prompt: str
    """Text to continue; with a loss mask a question, else one of the validation split."""
    tokens: Annotated[Count, "tokens"]
    """Tokens to sample."""


class CheckpointConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Checkpoints of the run; the last step always has one."""

    every: Annotated[Count, "steps"]
    """Steps between checkpoints."""
    keep: Annotated[Count, "checkpoints"]
    """Newest checkpoints to keep."""


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A complete configuration; one attribute per section of the file.

    With a section `[golf]` the model is of the golf family, with `[spikewhale]` it is a
    SpikeWhaleLM, else it is the plain transformer.
    """

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    validation: ValidationConfig
    sample: SampleConfig
    checkpoint: CheckpointConfig
    averaging: AveragingConfig | None = None
    golf: GolfConfig | None = None
    spikewhale: SpikeWhaleConfig | None = None
    quantize: QuantizeConfig | None = None
    distill: DistillConfig | None = None


def keys_of(section: str) -> tuple[str, ...]:
    """Return the keys of a section.

    >>> keys_of("checkpoint")
    ('every', 'keep')
    """
    fields: tuple[str, ...] = struct_of(section).__struct_fields__
    return fields


def choices_of(section: str, key: str) -> tuple[str, ...]:
    """Return the words that a key accepts; none where it accepts other values.

    >>> choices_of("train", "device")
    ('auto', 'cpu', 'cuda')
    """
    kind = get_type_hints(struct_of(section)).get(key)
    return get_args(kind) if get_origin(kind) is Literal else ()


def struct_of(section: str) -> type[Struct]:
    """Return the class of a section."""
    hint = get_type_hints(Config)[section]
    kinds = (hint, *get_args(hint))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Struct))
