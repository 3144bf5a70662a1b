"""Schema of the configuration: sections and keys, their units and legal ranges.

The preset `base.toml` gives the value of every key and the reason for it. Not every configuration
has all sections: `bese-golf.toml` explains `[golf]` and `[averaging]`, `escarda-86m-base.toml`
`[spikewhale]`, the end of `base.toml` `[distill]`, and docs/formats.md `[quantize]`. Loading and
the checks that need more than one key are in `loader.py`.

Keys with a default were added later. They are written only where they differ from it, so older
configurations keep their fingerprint.
"""

from typing import Annotated, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from .distillation import DistillConfig
from .log import LogConfig
from .quantization import QuantizeConfig
from .ranges import BelowOne, Count, CountOrZero, Fraction, Rate
from .spikewhale import SpikeWhaleConfig
from .tasks import TasksConfig


class ModelConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Shape of the transformer and its vocabulary size."""

    layers: Annotated[int, Meta(ge=1, le=1024), "blocks"]
    """Number of transformer blocks."""
    dim: Annotated[int, Meta(ge=1, le=65_536), "numbers"]
    """Model width (hidden size): length of the residual stream's vectors."""
    heads: Annotated[int, Meta(ge=1, le=1024), "heads"]
    """Number of query heads; a multiple of `kv_heads`."""
    kv_heads: Annotated[int, Meta(ge=1, le=1024), "heads"]
    """Number of key and value heads (GQA); each serves `heads` / `kv_heads` query heads."""
    head_dim: Annotated[int, Meta(ge=2, le=1024, multiple_of=2), "numbers"]
    """Length of a head's vectors; even, because RoPE rotates pairs."""
    ffn_dim: Annotated[int, Meta(ge=1, le=1_000_000), "numbers"]
    """Intermediate size of the feed-forward network."""
    context: Annotated[int, Meta(ge=1, le=1_000_000), "tokens"]
    """Context length: largest number of tokens that a prediction depends on."""
    rope_base: Annotated[float, Meta(gt=1, le=1e12)]
    """Base θ of RoPE's wavelengths."""
    tie_embeddings: bool
    """Whether the output layer shares the weights of the token embedding."""
    logit_softcap: Annotated[float, Meta(ge=0, le=1e6), "nats"]
    """Soft-capping of the logits: bound c of c · tanh(logit / c); 0 for none."""
    vocab_size: Annotated[int, Meta(ge=0, le=16_777_216), "ids"]
    """Vocabulary size; 0 to take it from the data."""


class GolfConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Features of the golf family on top of `[model]`; every default is off."""

    qk_gain_init: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    """Initial gain of the queries in QK-norm, learned per head."""
    rope_dims: Annotated[int, Meta(ge=0, le=1024, multiple_of=2), "numbers"] = 0
    """Partial RoPE: how many dimensions of a head are rotated; 0 for all."""
    original_context: Annotated[CountOrZero, "tokens"] = 0
    """Context that `model.rope_base` is for; a longer one scales the base (NTK). 0 for any."""
    xsa_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Number of last layers with exclusive self-attention (XSA)."""
    leaky_relu_slope: Fraction = 0.0
    """Negative slope of LeakyReLU² in the feed-forward network; 0 for ReLU²."""
    ln_scale: bool = False
    """Whether the norms of layer i (from 0) are multiplied by 1 / √(i + 1) (LN scale)."""
    x0_mix: bool = False
    """Whether each layer's input is mixed with the first embedding x₀."""
    unet_skips: bool = False
    """Whether U-Net skip connections add early layers' outputs to late layers' inputs."""
    parallel_residual_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Number of last layers that run attention and feed-forward network in parallel."""
    recur_layers: tuple[CountOrZero, ...] = ()
    """Depth recurrence: consecutive layers that run several times; counted from 0."""
    num_loops: Annotated[int, Meta(ge=1, le=100)] = 1
    """Number of passes through `recur_layers`."""
    recur_start: Annotated[Fraction, "share of the run"] = 0.0
    """Share of the training after which the recurrence starts."""
    bigram_vocab_size: Annotated[int, Meta(ge=0, le=1_000_000_000), "rows"] = 0
    """Rows of the bigram hash embedding's table; 0 for none, else at least 2."""
    bigram_dim: Annotated[Count, "numbers"] = 128
    """Width of that table."""
    smear_gate: bool = False
    """Whether a gate blends each embedding with that of the token before."""
    ve_last_n: Annotated[CountOrZero, "blocks"] = 0
    """Number of last layers with a value embedding; 0 for none."""
    ve_dim: Annotated[Count, "numbers"] = 128
    """Width of the value embedding's table."""
    value_residual: bool = False
    """Whether the first layer's values are mixed into those of the others (ResFormer)."""
    memory_tokens: Annotated[CountOrZero, "tokens"] = 0
    """Learned vectors before the text; in training they replace the sequence's first tokens."""
    mtp_num_heads: Annotated[int, Meta(ge=0, le=16), "heads"] = 0
    """Number of multi-token prediction heads (MTP), for training only."""
    mtp_loss_weight: Annotated[float, Meta(ge=0, le=100)] = 0.2
    """Weight of their mean loss; it follows the learning-rate schedule."""
    projection_gain: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Initial scale of the projections after the bigram and value embedding tables."""


class DataConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Training data."""

    path: str
    """Shard folder of the training and validation splits."""
    shuffle_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the order of the training windows."""


class TrainConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Length of the run, batch sizes, device and precision."""

    steps: Annotated[int, Meta(ge=1, le=99_999_999), "steps"]
    """Number of optimiser steps."""
    batch_size: Annotated[Count, "sequences"]
    """Sequences per optimiser step."""
    micro_batch_size: Annotated[Count, "sequences"]
    """Sequences per forward pass (gradient accumulation); divides `batch_size`."""
    grad_clip: Annotated[float, Meta(ge=0, le=1e6), "gradient norm"]
    """Gradient clipping: largest norm of the whole gradient; 0 for none."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the initial weights."""
    device: Literal["auto", "cpu", "cuda"]
    """Device of training; `auto` takes a CUDA device where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Autocast type; `auto` is bfloat16 on CUDA devices that support it, else float32."""
    threads: Annotated[int, Meta(ge=0, le=4096), "threads"]
    """CPU threads; 0 for one per available core."""
    compile: bool
    """Whether torch.compile is used: a slow first step, then faster steps."""
    log_every: Annotated[Count, "steps"]
    """Steps between lines of metrics."""
    activation_checkpointing: bool = False
    """Whether the backward pass recomputes the blocks' activations, which saves memory."""


class OptimizerConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Optimisers and learning rates of the parameter groups."""

    muon: bool
    """Whether Muon trains the matrices of the blocks; AdamW trains the rest."""
    muon_learning_rate: Annotated[Rate, "spectral norm per step"]
    """Learning rate of Muon: the spectral norm of a matrix's update."""
    muon_momentum: Annotated[BelowOne, "share per step"]
    """Momentum of Muon: share of the old direction kept per step."""
    muon_weight_decay: Annotated[Fraction, "× rate, per step"]
    """Decoupled weight decay of Muon: share removed per step, times the learning rate."""
    adamw_learning_rate: Annotated[Rate, "per number and step"]
    """Learning rate of AdamW."""
    adamw_betas: Annotated[tuple[BelowOne, BelowOne], "share per step"]
    """Coefficients β₁ and β₂ of AdamW's means of the gradient and of its square."""
    adamw_weight_decay: Annotated[Fraction, "× rate, per step"]
    """Decoupled weight decay of the matrices and tables that AdamW trains."""
    muon_momentum_start: Annotated[BelowOne, "share per step"] = 0.0
    """Momentum of the first step, where `muon_momentum_warmup` is not 0."""
    muon_momentum_warmup: Annotated[CountOrZero, "steps"] = 0
    """Steps in which Muon's momentum rises from its start to `muon_momentum`; 0 for none."""
    vector_learning_rate: Annotated[float, Meta(ge=0, le=100), "per number and step"] = 0.0
    """AdamW's learning rate of vectors and small projections; 0 for `adamw_learning_rate`."""
    vector_weight_decay: Annotated[Fraction, "× rate, per step"] = 0.0
    """Decoupled weight decay of vectors and small projections."""
    mtp_learning_rate: Annotated[float, Meta(ge=0, le=100), "per number and step"] = 0.0
    """AdamW's learning rate of the MTP heads; 0 for `adamw_learning_rate`."""


class ScheduleConfig(
    Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True
):
    """Learning-rate schedule: warm-up, stable phase, decay (WSD)."""

    warmup_fraction: Annotated[Fraction, "share of the run"]
    """Share of the training in which the learning rates rise linearly from zero."""
    decay_fraction: Annotated[Fraction, "share of the run"]
    """Share of the training, at its end, in which the learning rates fall."""
    min_lr_ratio: Annotated[Fraction, "share of the rate"]
    """Final learning rates, as a share of the full ones."""
    seconds: Annotated[float, Meta(ge=0, le=1e9), "seconds"] = 0.0
    """Time limit of the training, without validation; 0 for none: it ends by `train.steps`."""
    decay_steps: Annotated[CountOrZero, "steps"] = 0
    """Length of the decay in steps, or in mean step times; 0 for `decay_fraction`."""
    decay_shape: Literal["linear", "cosine", "adaptive-cosine"] = "linear"
    """Shape of the decay; `adaptive-cosine` first raises the rates to `adaptive_peak` times."""
    adaptive_peak: Annotated[float, Meta(ge=1, le=100), "× rate"] = 3.0
    """Multiple of the rates that `adaptive-cosine` reaches after 0.3 of the decay."""


class AveragingConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Weight averaging over the steps (EMA, SWA), and the weights for export."""

    ema_decay: Annotated[BelowOne, "share per update"] = 0.0
    """EMA decay per update; 0 disables the EMA."""
    ema_every: Annotated[Count, "steps"] = 1
    """Steps between updates of the EMA."""
    swa_every: Annotated[CountOrZero, "steps"] = 0
    """Steps between snapshots of the plain mean (SWA); 0 for none."""
    swa_start_lr_ratio: Annotated[Fraction, "share of the rate"] = 1.0
    """Share of the full learning rates below which snapshots start; 1 for the first step."""
    use: Literal["weights", "ema", "swa"] = "weights"
    """Weights for validation, samples, scores and export."""


class ValidationConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Validation on held-out text."""

    every: Annotated[CountOrZero, "steps"]
    """Steps between validations; 0 for the last step only."""
    windows: Annotated[CountOrZero, "windows"]
    """Number of windows of `context` + 1 tokens to score; 0 for no validation."""


class SampleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Sampling of text during training."""

    every: Annotated[CountOrZero, "steps"]
    """Steps between samples; 0 for none."""
    prompt: str
    """Prompt; if empty, one from the validation split. Of conversations, the user's question."""
    tokens: Annotated[Count, "tokens"]
    """Number of tokens to sample."""


class CheckpointConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Checkpoints of the run; the last step always has one."""

    every: Annotated[Count, "steps"]
    """Steps between checkpoints."""
    keep: Annotated[Count, "checkpoints"]
    """Number of newest checkpoints to keep."""


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
    tasks: TasksConfig | None = None
    log: LogConfig | None = None


def keys_of(section: str) -> tuple[str, ...]:
    """Return the keys of a section.

    >>> keys_of("checkpoint")
    ('every', 'keep')
    """
    fields: tuple[str, ...] = struct_of(section).__struct_fields__
    return fields


def choices_of(section: str, key: str) -> tuple[str, ...]:
    """Return the words that a key accepts; empty where it is no choice of words.

    >>> choices_of("train", "device")
    ('auto', 'cpu', 'cuda')
    """
    kind = get_type_hints(struct_of(section)).get(key)
    return get_args(kind) if get_origin(kind) is Literal else ()


def struct_of(section: str) -> type[Struct]:
    """Return the configuration class of a section."""
    hint = get_type_hints(Config)[section]
    kinds = (hint, *get_args(hint))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Struct))
