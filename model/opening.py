"""Opens a trained model, be it a run folder or an artifact."""

from pathlib import Path

import torch

from spiketok.durable import durable_folder
from spiketok.errors import SpikeError

from .assembly import build_model, check_layer_count
from .compression import QuantizedMatrix, put_quantized
from .compression.artifact import Artifact, read_artifact
from .compression.quantize import needed_tensors
from .configuration_file import config_fingerprint
from .run_folder import Run, create_run, load_run
from .training.checkpoint import file_sha256, save_checkpoint


def open_run(path: Path, device: str = "cpu") -> Run:
    """Open a run folder, or an artifact that was made of one.

    Raises:
        SpikeError: something is missing, damaged or does not fit together.
    """
    if not path.exists():
        makers = "spike train and spike pack make them"
        raise SpikeError(
            f"{path}: does not exist; this command needs a run folder or a packed model ({makers})"
        )
    return open_artifact(path, device) if path.is_file() else load_run(path, device)


def open_artifact(path: Path, device: str = "cpu") -> Run:
    """Build the model of an artifact, with its weights as they are after the round trip.

    Raises:
        SpikeError: the file is damaged, or its parts do not fit together.
    """
    artifact = read_artifact(path)
    check_weights(artifact, path)
    config, tokenizer = artifact.config, artifact.tokenizer
    model = build_model(config, tokenizer.vocab_size, separator=tokenizer.separator, drawn=False)
    weights = {
        name: weight if isinstance(weight, QuantizedMatrix) else torch.from_numpy(weight)
        for name, weight in artifact.weights.items()
    }
    put_quantized(model, weights)
    model.to(device).requires_grad_(False)
    return Run(
        config=config,
        model=model,
        tokenizer=tokenizer,
        step=artifact.step,
        fingerprints=dict(artifact.fingerprints),
        digest=file_sha256(path),
        tables=artifact.tables,
        trained_ids=artifact.trained_ids,
    )


def check_weights(artifact: Artifact, path: Path) -> None:
    """Refuse weights that are not those of the configuration, before a model takes memory."""
    config, tokenizer, weights = artifact.config, artifact.tokenizer, artifact.weights
    mend = "take the file from its source again"
    check_layer_count(config, len(weights), str(path))
    model = build_model(config, tokenizer.vocab_size, separator=tokenizer.separator, device="meta")
    wanted = needed_tensors(model)
    for name in sorted(wanted.keys() | weights.keys()):
        ours = tuple(wanted[name].shape) if name in wanted else None
        theirs = tuple(weights[name].shape) if name in weights else None
        if ours != theirs:
            raise SpikeError(
                f"{path}: {name}: shape {theirs}, and its configuration wants {ours}; {mend}"
            )


def unpack_artifact(path: Path, folder: Path) -> Run:
    """Make a run folder of an artifact, with its weights as they are after the round trip.

    The folder appears whole or not at all.

    Returns:
        The run; its tables have no place in a folder.

    Raises:
        SpikeError: the artifact cannot be opened, or the folder holds something already.
    """
    try:
        with durable_folder(folder) as unfinished:
            run = open_artifact(path)
            origin = {n: made_from for n, made_from in run.fingerprints.items() if n != "config"}
            create_run(unfinished, run.config, run.tokenizer, origin)
            save_checkpoint(
                unfinished,
                run.model,
                [],
                {},
                {},
                step=run.step,
                samples=0,
                tokens=0,
                seconds=None,
                fingerprints={**origin, "config": config_fingerprint(run.config)},
                keep=1,
                trained_ids=run.trained_ids,
            )
    except FileExistsError:
        raise SpikeError(f"{folder}: exists already; choose another name with --to") from None
    return run
