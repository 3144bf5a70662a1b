"""Loading of a trained model from a run folder or an artifact."""

from pathlib import Path

import torch

from spiketok.atomic_files import durable_folder
from spiketok.errors import SpikeError

from ..config.loader import config_fingerprint
from ..families.build import build_model
from ..families.parameter_roles import exported_state
from ..quantization.quantize import put_quantized
from ..quantization.quantized_matrix import QuantizedMatrix
from ..runs.folder import Run, create_run, load_run
from ..runs.stored_weights import check_weights, model_of_shapes
from ..runs.tensor_files import file_sha256
from ..training.checkpoint import RunPosition, TrainingTensors, save_checkpoint
from .artifact import read_artifact


def open_run(path: Path, device: str = "cpu") -> Run:
    """Open a run folder or an artifact.

    Raises:
        SpikeError: a part is missing, damaged or does not fit the others.
    """
    if not path.exists():
        makers = "spike train and spike pack make them"
        raise SpikeError(f"{path}: does not exist; name a run folder or a packed model ({makers})")
    return open_artifact(path, device) if path.is_file() else load_run(path, device)


def open_artifact(path: Path, device: str = "cpu") -> Run:
    """Open an artifact: build its model with the dequantized weights.

    Raises:
        SpikeError: the file is damaged, or its parts do not fit together.
    """
    artifact = read_artifact(path)
    config, tokenizer = artifact.config, artifact.tokenizer
    shapes = model_of_shapes(config, tokenizer, len(artifact.weights), str(path))
    found, needed = (
        {name: str(list(weight.shape)) for name, weight in tensors.items()}
        for tensors in (artifact.weights, exported_state(shapes))
    )
    check_weights(found, needed, str(path))
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, init_weights=False)
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


def unpack_artifact(path: Path, folder: Path) -> Run:
    """Write a run folder with the dequantized weights of an artifact, whole or not at all.

    Returns:
        The run; its tables are not in the folder.

    Raises:
        SpikeError: the artifact cannot be opened, or the folder exists already.
    """
    try:
        with durable_folder(folder) as unfinished:
            run = open_artifact(path)
            origin = {name: of for name, of in run.fingerprints.items() if name != "config"}
            create_run(unfinished, run.config, run.tokenizer, origin)
            # A checkpoint has the states of generators: those of the seed, not of this process.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(run.config.train.seed)
                save_checkpoint(
                    unfinished,
                    run.model,
                    RunPosition(
                        step=run.step,
                        fingerprints={**origin, "config": config_fingerprint(run.config)},
                    ),
                    TrainingTensors(trained_ids=run.trained_ids),
                )
    except FileExistsError:
        raise SpikeError(f"{folder}: exists already; choose another name with --to") from None
    return run
