"""Says what to train: the sections and keys of a configuration, their units and legal ranges.

The presets' `base.toml` holds the value of every key and the reason for it. Loading and the checks
that need more than one key are in `configuration_file.py`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
CountOrZero = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Rate = Annotated[float, Meta(gt=0, le=100)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]


class ModelConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The shape of the transformer."""

    layers: Annotated[int, Meta(ge=1, le=1024)]
    """Number of blocks."""
    width: Annotated[int, Meta(ge=1, le=65_536)]
    """Numbers in the residual stream, per token."""
    heads: Annotated[int, Meta(ge=1, le=1024)]
    """Query heads; a multiple of `kv_heads`."""
    kv_heads: Annotated[int, Meta(ge=1, le=1024)]
    """Key and value heads, each shared by `heads` / `kv_heads` query heads."""
    head_width: Annotated[int, Meta(ge=2, le=1024, multiple_of=2)]
    """Numbers in one head; even, because rotary positions turn pairs."""
    mlp_width: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Numbers in the hidden layer of the feed-forward network."""
    context: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Tokens that one prediction may look back on."""
    rope_base: Annotated[float, Meta(gt=1, le=1e12)]
    """Base of the rotary wavelengths."""
    tied_embeddings: bool
    """Whether the output layer is the embedding table."""
    logit_softcap: Annotated[float, Meta(ge=0, le=1e6)]
    """Bound c of the logits, by c · tanh(logit / c); 0 for none."""
    vocab_size: Annotated[int, Meta(ge=0, le=16_777_216)]
    """Number of token ids; 0 to take it from the data."""


class DataConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What to train on."""

    path: str
    """Shard folder."""
    shuffle_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the order of the windows."""


class TrainConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How long, how much at once, and on what."""

    steps: Annotated[int, Meta(ge=1, le=99_999_999)]
    """Optimiser steps."""
    batch: Count
    """Sequences per step."""
    micro_batch: Count
    """Sequences per forward pass; divides `batch`; smaller needs less memory."""
    clip: Annotated[float, Meta(ge=0, le=1e6)]
    """Largest norm of the gradient; 0 for no clipping."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Seed of the initial weights."""
    device: Literal["auto", "cpu", "cuda"]
    """`auto` takes a CUDA device where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Type of matrix products; `auto` is bfloat16 on CUDA devices that know it, else float32."""
    threads: Annotated[int, Meta(ge=0, le=4096)]
    """CPU threads; 0 for one per available core."""
    compile: bool
    """Whether torch.compile is used: a slow first step, faster ones after it."""
    log_every: Count
    """Steps from one line of metrics to the next."""


class OptimizerConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which update rule moves which tensors, and how far."""

    muon: bool
    """Whether the matrices of the blocks are trained by Muon; AdamW trains the rest."""
    muon_learning_rate: Rate
    """Length of a step, per matrix, in units of its spectral norm."""
    muon_momentum: BelowOne
    """Share of the old direction that is kept at each step."""
    muon_weight_decay: Fraction
    """Share of a matrix removed per step, times the learning rate."""
    adamw_learning_rate: Rate
    """Length of a step, per number."""
    adamw_betas: tuple[BelowOne, BelowOne]
    """Shares of the old mean and the old mean square of the gradient kept at each step."""
    adamw_weight_decay: Fraction
    """The same as `muon_weight_decay`, for matrices and tables that AdamW trains."""


class ScheduleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How the learning rates rise, stay and fall."""

    warmup_fraction: Fraction
    """Share of the steps in which the rates rise from zero."""
    decay_fraction: Fraction
    """Share of the steps, the last ones, in which the rates fall."""
    final_ratio: Fraction
    """What the rates fall to, as a share of their full height."""


class ValidationConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How often held-out text is scored."""

    every: CountOrZero
    """Steps between validations; 0 for the last step only."""
    windows: CountOrZero
    """Windows of `context` + 1 tokens to score; 0 for no validation."""


class SampleConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How often the model writes something."""

    every: CountOrZero
    """Steps between samples; 0 for none."""
    prompt: str
    """Text to go on from."""
    tokens: Count
    """Tokens to write."""


class CheckpointConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How often the run is made safe. The last step always is."""

    every: Count
    """Steps between checkpoints."""
    keep: Count
    """Newest checkpoints to keep."""


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A complete configuration; one attribute per section of the file."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    validation: ValidationConfig
    sample: SampleConfig
    checkpoint: CheckpointConfig
