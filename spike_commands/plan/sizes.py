"""Model sizes of a plan: the widths of a base configuration, everything else equal."""

from fractions import Fraction

from msgspec.structs import replace

from spike_lm.model import Config, ModelConfig
from spike_lm.model.config.loader import config_fingerprint
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_parameters
from spike_lm.model.scaling.design import ModelSize
from spiketok.errors import SpikeError

# Widths are multiples of it, which suits matrix products.
WIDTH_STEP = 16
# Narrowest and widest model over the base's width.
NARROWEST, WIDEST = Fraction(1, 8), Fraction(16)


def check_family(config: Config) -> None:
    """Check that only width, batch and length have to be chosen.

    Raises:
        SpikeError: the configuration has a section of another family, or a time limit.
    """
    for section in ("golf", "spikewhale", "distill", "quantize", "averaging"):
        if getattr(config, section) is not None:
            raise SpikeError(
                f"--config: a plan has no [{section}]; name a configuration of the plain family"
            )
    if config.schedule.seconds or config.schedule.decay_steps:
        raise SpikeError(
            "--config: schedule.seconds and schedule.decay_steps make probes of unequal schedules; "
            "leave them out"
        )


def model_of_width(base: ModelConfig, dim: int) -> ModelConfig | None:
    """Return the model of another width: the feed-forward network scales with it.

    Layers and the length of a head stay, and narrower models keep all heads: heads of less than
    16 numbers learn to attend late or never, which no law of the widths predicts. Wider models
    have more heads. None where the feed-forward network's size would be no whole number.
    """
    hidden, more = Fraction(base.ffn_dim * dim, base.dim), max(1, round(dim / base.dim))
    if hidden.denominator > 1 or not hidden:
        return None
    return replace(
        base,
        dim=dim,
        heads=base.heads * more,
        kv_heads=base.kv_heads * more,
        ffn_dim=int(hidden),
    )


def sizes_of(config: Config, vocab_size: int) -> list[ModelSize]:
    """Return the model sizes to choose from, by increasing width.

    Raises:
        SpikeError: the base's feed-forward network has too few other widths.
    """
    base, sizes = config.model, []
    first = max(WIDTH_STEP, int(base.dim * NARROWEST))
    for dim in range(first - first % WIDTH_STEP, int(base.dim * WIDEST) + 1, WIDTH_STEP):
        shape = model_of_width(base, dim)
        if shape:
            model = build_model(replace(config, model=shape), vocab_size, eos_id=0, device="meta")
            sizes.append(
                ModelSize(
                    dim=dim,
                    parameters=exported_parameters(model),
                    flops_per_token=model.flops_per_token(),
                )
            )
    if len(sizes) < 4:
        raise SpikeError(
            f"--config: model.ffn_dim {base.ffn_dim} does not scale with dim {base.dim}; set it to "
            f"a multiple of dim, such as {3 * base.dim}"
        )
    return sizes


def run_config(
    config: Config, dim: int, steps: int, batch_size: int, windows: int, *, every: int = 0
) -> Config:
    """Return the configuration of a probe, or of the planned training.

    Args:
        config: the base.
        dim: width.
        steps: of the training.
        batch_size: sequences per step.
        windows: of the validation.
        every: steps between validations, samples and checkpoints; 0: at the end alone.
    """
    shape = model_of_width(config.model, dim)
    assert shape is not None  # noqa: S101 — `sizes_of` lists no other width
    micro = min(batch_size, config.train.micro_batch_size)
    return replace(
        config,
        model=shape,
        train=replace(
            config.train,
            steps=steps,
            batch_size=batch_size,
            micro_batch_size=micro,
            log_every=max(1, min(config.train.log_every, steps // 10)),
        ),
        validation=replace(config.validation, every=every, windows=windows),
        sample=replace(config.sample, every=every and config.sample.every and every),
        checkpoint=replace(config.checkpoint, every=every or steps, keep=1),
    )


def probe_name(config: Config) -> str:
    """Return the folder's name of a probe: another configuration has another name."""
    return f"w{config.model.dim}-s{config.train.steps}-{config_fingerprint(config)[:8]}"
