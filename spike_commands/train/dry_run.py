"""Dry run: parameters, data and costs of a training, before anything is written."""

from pathlib import Path
from typing import Any

from datapipe import Windows, open_stream, read_manifest
from spike_lm.model import Config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import count_parameters, exported_parameters
from spike_lm.model.runs.lineage import TOKENIZER, read_config
from spike_lm.model.training.distillation import active_teachers, init_distillation
from spike_lm.model.training.estimate import estimated
from spiketok import Tokenizer
from spiketok.errors import SpikeError


def dry_run_numbers(config: Config, data_folder: Path | None) -> dict[str, Any]:
    """Return parameters, work, epochs and validation of a training, and its estimated costs.

    Data that no option names is read where the configuration leaves the vocabulary to it, or has
    the data's own.

    Raises:
        SpikeError: the vocabulary size is left to data that does not exist.
    """
    vocab_size = config.model.vocab_size
    if data_folder or not vocab_size:
        configured = Path(config.data.path)
        if not data_folder and not configured.exists():
            raise SpikeError(
                f"model.vocab_size is 0, to follow the data, but data.path, {configured}, does not "
                "exist; name shards with --data, or use --set model.vocab_size=16512 (a BESE "
                "tokenizer: 288)"
            )
        data_folder = data_folder or configured
        vocab_size = checked_vocabulary(config, data_folder)
    model = build_model(config, vocab_size, eos_id=0, device="meta")
    sizes: dict[str, Any] = {
        "parameters": count_parameters(model),
        "exported_parameters": exported_parameters(model),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "tokens": config.train.steps * config.train.batch_size * config.model.context,
        "flops_per_token": model.flops_per_token(),
        "vocab_size": vocab_size,
    }
    sizes |= teaching_numbers(config, vocab_size) if config.distill else {}
    data = data_folder or Path(config.data.path)
    epochs, windows = passes_over_data(config, data, vocab_size)
    sizes |= {"epochs": epochs, "validation_windows": windows}
    flops = sizes["flops_per_token"] + sizes.get("teaching_flops_per_token", 0)
    return sizes | estimated(config, model, flops, windows)


def passes_over_data(
    config: Config, data_folder: Path, vocab_size: int
) -> tuple[float | None, int | None]:
    """Return the epochs over the training split, and the windows that a validation scores.

    Both are None where there is no data of this vocabulary, and the first where it is too short.
    """
    found = (data_folder / "manifest.json").exists()
    if not found or read_manifest(data_folder).tokenizer.vocab_size != vocab_size:
        return None, None
    train, validation = (
        Windows(open_stream(data_folder, split), config.model.context)
        for split in ("train", "validation")
    )
    sequences = config.train.steps * config.train.batch_size
    epochs = sequences / train.count if train.count else None
    return epochs, min(config.validation.windows, validation.whole)


def teaching_numbers(config: Config, vocab_size: int) -> dict[str, int]:
    """Count the costs of a student's teachers; their weights are not read.

    A teacher runs the forward pass alone, a third of its training costs; its softmax is
    not counted. The head that predicts hidden states is trained.
    """
    models = []
    for folder in map(Path, config.distill.teachers if config.distill else ()):
        theirs, known = read_config(folder), Tokenizer.load(folder / TOKENIZER)
        models.append(build_model(theirs, known.vocab_size, eos_id=0, device="meta"))
    student = build_model(config, vocab_size, eos_id=0, device="meta")
    teaching = init_distillation(config, student, models)
    head = count_parameters(teaching.head) if teaching and teaching.head else 0
    asked = active_teachers(teaching) if teaching else []
    return {
        "teacher_parameters": sum(count_parameters(model) for model in models),
        "teacher_head_parameters": head,
        "teaching_flops_per_token": sum(model.flops_per_token() for model in asked) // 3 + 6 * head,
    }


def checked_vocabulary(config: Config, data_folder: Path) -> int:
    """Return the data's vocabulary size, which must be the configured one if there is one.

    Raises:
        SpikeError: they are different.
    """
    vocab_size = read_manifest(data_folder).tokenizer.vocab_size
    if config.model.vocab_size not in (0, vocab_size):
        raise SpikeError(
            f"model.vocab_size is {config.model.vocab_size}, but {data_folder} has "
            f"{vocab_size} ids; use --set model.vocab_size={vocab_size} or another --data"
        )
    return vocab_size
