"""Export of a run as a folder that `AutoModelForCausalLM` of `transformers` loads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from spiketok import Tokenizer, Vocabulary
from spiketok.atomic_files import durable_folder
from spiketok.chat.chatml import END, MARKERS
from spiketok.errors import SpikeError
from spiketok.huggingface import VOCABULARY_FILE, write_tokenizer

from ..config.loader import dump_config
from ..config.schema import Config
from ..families.parameter_roles import exported_state, training_only_modules
from ..families.sections import without_training_only
from ..runs.checkpoint import read_state
from ..runs.checkpoint_folders import newest_checkpoint
from ..runs.folder import Run, load_run
from ..runs.metrics import METRICS, last_metrics
from ..runs.tensor_files import file_sha256, save_tensors
from ..runs.trained_ids import TrainedIds, unseen_ids
from .bundle import generate
from .config_json import CLASS, MODULE, spike_fields
from .model_card import model_card
from .provenance import CONFIG, FORMAT, RECORD, WEIGHTS, Record
from .qwen3 import CLASS as STOCK_CLASS
from .qwen3 import keys_beyond_stock, stock_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Exported folder: its files, its class and the modules left out."""

    files: list[str]
    model_class: str
    """Class that loads the folder."""
    beyond_stock: list[str]
    """Sections and keys that `Qwen3ForCausalLM` does not support."""
    left_out: list[str]
    """Modules for training only."""


def run_card(run_folder: Path, scores: str = "") -> str:
    """Return the model card of a run, as `export_model` writes it.

    Args:
        run_folder: of the run.
        scores: Markdown of its task scores.

    Raises:
        SpikeError: the run cannot be opened.
    """
    run = load_run(run_folder)
    record = _record(run_folder, run, training_only_modules(run.model), "")
    metrics = last_metrics(run_folder / METRICS, record.step)
    stock = not keys_beyond_stock(run.config)
    return model_card(run, record, metrics, run_folder.resolve().name, stock=stock, scores=scores)


def export_model(
    run_folder: Path, folder: Path, scores: str = "", beside: Mapping[str, str] | None = None
) -> Exported:
    """Write the model of a run, with its tokenizer, as a new folder, whole or not at all.

    Args:
        run_folder: of the run.
        folder: where to write.
        scores: Markdown of the run's task scores, for the model card.
        beside: further files, content by path in the folder.

    Raises:
        SpikeError: the run cannot be opened, or the folder exists.
    """
    run = load_run(run_folder)
    beyond = keys_beyond_stock(run.config)
    left_out = training_only_modules(run.model)
    config = without_training_only(run.config)
    weights = exported_state(run.model)
    try:
        with durable_folder(folder) as unfinished:
            write_model(unfinished, config, weights, run.tokenizer, stock=not beyond)
            record = _write_records(unfinished, run_folder, run, config, left_out)
            metrics = last_metrics(run_folder / METRICS, record.step)
            replies = any(key.startswith("reply_") for key in metrics)
            generation = generation_fields(run.tokenizer, run.trained_ids, replies=replies)
            _write_json(unfinished / "generation_config.json", generation)
            stock = not beyond
            card = model_card(run, record, metrics, folder.name, stock=stock, scores=scores)
            (unfinished / "README.md").write_text(card, encoding="utf-8")
            for name, content in (beside or {}).items():
                (unfinished / name).parent.mkdir(exist_ok=True)
                (unfinished / name).write_text(content, encoding="utf-8")
            files = sorted(path.name for path in unfinished.iterdir())
    except FileExistsError:
        raise SpikeError(f"{folder}: exists already; remove it or choose another name") from None
    model_class = CLASS if beyond else STOCK_CLASS
    return Exported(files=files, model_class=model_class, beyond_stock=beyond, left_out=left_out)


def write_model(
    folder: Path,
    config: Config,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    *,
    stock: bool,
) -> None:
    """Write configuration, weights, code and tokenizer into an existing folder.

    Args:
        folder: where to write.
        config: of the model, without modules for training only.
        weights: state dict; the embedding, for example, is [V, D].
        tokenizer: of the model.
        stock: whether the class is `Qwen3ForCausalLM`, which needs no code in the folder.
    """
    vocab_size, eos_id = tokenizer.vocab_size, tokenizer.eos_id
    if stock:
        fields = stock_fields(config.model, vocab_size)
    else:
        fields = spike_fields(config, vocab_size, eos_id)
        (folder / f"{MODULE}.py").write_text(generate(), encoding="utf-8")
    roles = {
        "bos_token_id": eos_id,
        "eos_token_id": eos_id,
        "pad_token_id": tokenizer.special_ids.get("<pad>"),
    }
    _write_json(folder / "config.json", {**fields, **roles, "dtype": "float32", "use_cache": True})
    contiguous = {name: weight.contiguous() for name, weight in weights.items()}
    save_tensors(contiguous, folder / WEIGHTS, {"format": "pt"})
    vocabulary = tokenizer.vocabulary
    if isinstance(vocabulary, Vocabulary):
        write_tokenizer(vocabulary, folder)
    else:
        replace(vocabulary, inputs=()).write(folder / VOCABULARY_FILE)


def generation_fields(
    tokenizer: Tokenizer, trained_ids: TrainedIds, *, replies: bool
) -> dict[str, Any]:
    """Return the fields of generation_config.json that make `generate` act as `spike generate`.

    They are the first and last ids and those never sampled. A model trained on replies may also
    sample markers, and ends with a message.
    """
    special, eos_id = tokenizer.special_ids, tokenizer.eos_id
    markers = {special[name] for name in MARKERS if name in special} if replies else set()
    unused = {*special.values(), *tokenizer.vocabulary.reserved_ids} - {eos_id, *markers}
    return {
        "bos_token_id": eos_id,
        "eos_token_id": [eos_id, special[END]] if replies else eos_id,
        "pad_token_id": special.get("<pad>"),
        "suppress_tokens": sorted(unused | unseen_ids(trained_ids)) or None,
        # From all ids: by default `transformers` samples from the 50 likeliest.
        # A configuration with top_k and without do_sample cannot be saved again.
        "do_sample": True,
        "top_k": 0,
    }


def _write_records(
    folder: Path, run_folder: Path, run: Run, config: Config, left_out: list[str]
) -> Record:
    """Write the configuration and the provenance of a run next to the weights."""
    (folder / CONFIG).write_text(dump_config(_without_places(config)), encoding="utf-8")
    record = _record(run_folder, run, left_out, file_sha256(folder / WEIGHTS))
    _write_json(folder / RECORD, msgspec.to_builtins(record))
    return record


def _record(run_folder: Path, run: Run, left_out: list[str], sha256: str) -> Record:
    """Return the provenance of a run's weights, whose file has a sha256."""
    checkpoint = newest_checkpoint(run_folder)
    if checkpoint is None:
        raise SpikeError(f"{run_folder}: its checkpoint was removed; export again")
    state = read_state(checkpoint)
    return Record(
        format=FORMAT,
        spike=version("spike-lm"),
        step=state.step,
        samples=state.samples,
        tokens=state.tokens,
        fingerprints=run.fingerprints,
        left_out=left_out,
        sha256=sha256,
    )


def _without_places(config: Config) -> Config:
    """Return the configuration without the paths of data and teachers."""
    replace_in = msgspec.structs.replace
    config = replace_in(config, data=replace_in(config.data, path=""))
    if config.distill is None:
        return config
    numbers = range(1, len(config.distill.teachers) + 1)
    teachers = tuple(f"teacher-{number}" for number in numbers)
    return replace_in(config, distill=replace_in(config.distill, teachers=teachers))


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
