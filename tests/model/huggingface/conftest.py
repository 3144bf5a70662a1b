"""Runs of each family, exported, and where `transformers` keeps the code of folders."""

from pathlib import Path

import pytest

from spike_lm.model.config.loader import config_fingerprint
from spike_lm.model.families.build import build_model
from spike_lm.model.huggingface import export_model
from spike_lm.model.runs.folder import create_run, load_run
from spike_lm.model.training.checkpoint import RunPosition, TrainingTensors, save_checkpoint
from spiketok import Tokenizer, build_vocabulary
from tests.model.tiny import GOLF, WHALE, WHALE_RARE, shaken, tiny_config

PIECES = [b"th", b"the", b"the ", b" a", b"an", b"and ", b"user", "ä".encode()]
CONTEXT = "model.context=24"
KINDS = {
    "plain": [CONTEXT],
    "untied": [CONTEXT, "model.tie_embeddings=false"],
    "capped": [CONTEXT, "model.logit_softcap=5", "model.tie_embeddings=false"],
    "whale": [CONTEXT, *WHALE],
    "rare": [CONTEXT, *WHALE, *WHALE_RARE],
    "golf": [*GOLF, CONTEXT, "averaging.use=weights"],
}


def make_run(folder: Path, overrides: list[str], averages=None, trained_ids=None) -> Path:
    """Write a run of a model whose weights are all about, as training would leave it."""
    config = tiny_config(*overrides)
    tokenizer = Tokenizer(build_vocabulary(PIECES, 400, "chatml"))
    lineage = {"tokenizer": tokenizer.fingerprint, "data": "d" * 64}
    create_run(folder, config, tokenizer, lineage)
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, seed=1)
    shaken(model)
    prints = {"config": config_fingerprint(config), **lineage}
    position = RunPosition(step=8, samples=32, tokens=768, fingerprints=prints)
    tensors = TrainingTensors(averages=averages or {}, trained_ids=trained_ids)
    save_checkpoint(folder, model, position, tensors)
    lines = [
        '{"step":4,"train_bits_per_byte":5.5,"validation_bits_per_byte":3.25}',
        '{"step":8,"train_bits_per_byte":4.5}',
    ]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"step":9,"loss":1.5}\n']))
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Return the folders of a kind: a run, and what is exported of it; made when first asked."""
    folder = tmp_path_factory.mktemp("exported-models")
    made = {}

    def of_kind(kind):
        if kind not in made:
            run = make_run(folder / f"run-{kind}", KINDS[kind])
            export_model(run, folder / kind)
            made[kind] = run, folder / kind
        return made[kind]

    return of_kind


@pytest.fixture
def transformers(tmp_path_factory):
    """The library, where it is installed; it keeps the code of folders in one of its own."""
    library = pytest.importorskip("transformers")
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("modules")
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(folder))
        yield library


@pytest.fixture
def both(runs, transformers):
    """Return our model of a kind and the one that `transformers` makes of its folder."""

    def of_kind(kind):
        run, folder = runs(kind)
        theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
        return load_run(run), theirs

    return of_kind
