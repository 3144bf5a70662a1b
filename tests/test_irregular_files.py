"""Files that are read out of folders are regular ones of a size that fits their kind.

A table of readers meets a table of what may be in a file's place. Each is refused in one line that
names the file, at once and in little memory.
"""

import os
import resource
import shutil
import signal
import socket
from pathlib import Path

import pytest

from cli import run
from datapipe import open_stream, write_shards
from datapipe.shards.commit_records import read_block_record, read_unit_record
from datapipe.shards.manifest import read_manifest
from datapipe.shards.schema import open_shard
from datapipe.shards.settings import ShardSettings
from datapipe.shards.verify import verify_folder
from datapipe.sources.files import find_sources
from spike_commands.tokenizer.open import open_any
from spike_lm.model.artifact.open import open_run, unpack_artifact
from spike_lm.model.config.loader import load_config
from spike_lm.model.huggingface.import_ import import_model
from spike_lm.model.runs.checkpoint import read_state
from spike_lm.model.runs.folder import load_run
from spike_lm.model.runs.lineage import read_lineage
from spike_lm.model.runs.metrics import append_metrics, cut_back_metrics, last_metrics
from spike_lm.model.runs.tensor_files import load_tensors
from spiketok import BeseVocabulary, Tokenizer
from spiketok.errors import SpikeError

SPARSE_BYTES = 50 << 30
MEMORY_BYTES = 1 << 30
SECONDS = 20


def a_pipe(path):
    os.mkfifo(path)


def a_device(path):
    path.symlink_to("/dev/zero")


def a_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_folder(path):
    path.mkdir()


def a_link_to_nothing(path):
    path.symlink_to("nowhere")


def a_link_to_itself(path):
    path.symlink_to(path.name)


def a_sparse_file(path):
    with path.open("wb") as file:
        file.truncate(SPARSE_BYTES)


OBSTACLES = [
    *(a_pipe, a_device, a_socket, a_folder, a_link_to_nothing, a_link_to_itself, a_sparse_file)
]


def run_folder(path):
    return load_run(next(up for up in path.parents if up.parent.name == "runs"))


def imported(path):
    import_model(path.parent, path.parent.with_name("imported"))


def sharded_on(path):
    data = path.parent if path.parent.name != "records" else path.parent.parent
    sources = find_sources([data.parent / "texts.txt"])[0]
    settings = ShardSettings(validation=0)
    write_shards(sources, data.parent / "tokenizer.json", data, settings)


def shard(path):
    open_shard(path, read_manifest(path.parent).tokenizer)


def verified(path):
    data = path.parent if path.parent.name != "records" else path.parent.parent
    if damages := verify_folder(data):
        raise SpikeError(damages[0])


SHARD = "data/train-000000-000.arrow"
STEP = "runs/base/checkpoints/step-00000004"
# File of the project → what reads it.
READERS = {
    "tokenizer.json": Tokenizer.load,
    "bese.json": BeseVocabulary.read,
    "hf.json": open_any,
    "pieces.model": open_any,
    "base.toml": lambda path: load_config(str(path)),
    "base.spike": open_run,
    "data/manifest.json": lambda path: read_manifest(path.parent),
    "data/plan.json": verified,
    "data/tokenizer.json": verified,
    SHARD: verified,
    "data/records/unit-000000.json": read_unit_record,
    "data/records/train-000000-000.json": read_block_record,
    "runs/base/run.json": lambda path: read_lineage(path.parent),
    "runs/base/config.toml": run_folder,
    "runs/base/tokenizer.json": run_folder,
    "runs/base/metrics.jsonl": lambda path: last_metrics(path, 10),
    f"{STEP}/state.json": lambda path: read_state(path.parent),
    f"{STEP}/model.safetensors": run_folder,
    f"{STEP}/training.safetensors": run_folder,
    "export/config.json": imported,
    "export/generation_config.json": imported,
    "export/spike_config.toml": imported,
    "export/spike_run.json": imported,
    "export/spike_tokenizer.json": imported,
    "export/model.safetensors": imported,
}
# Other ways to the same files.
WAYS = {
    "training": (SHARD, lambda path: open_stream(path.parent, "train")),
    "a shard alone": (SHARD, shard),
    "sharding again": ("data/plan.json", sharded_on),
    "unpacking": ("base.spike", lambda path: unpack_artifact(path, path.with_name("unpacked"))),
    "tensors": (f"{STEP}/model.safetensors", load_tensors),
    "cutting back": ("runs/base/metrics.jsonl", lambda path: cut_back_metrics(path, 10)),
    "appending": ("runs/base/metrics.jsonl", lambda path: append_metrics(path, {"step": 1})),
}


@pytest.fixture(scope="module")
def project(folder, tmp_path_factory):
    """A folder with one of each kind of file."""
    made = tmp_path_factory.mktemp("irregular") / "project"
    shutil.copytree(folder, made)
    base = str(made / "runs/base")
    packed, export = str(made / "base.spike"), str(made / "export")
    assert run(["pack", base, "--method", "rtn", "--out", packed, "-q"]) == 0
    assert run(["export", "model", base, "--to", export, "-q"]) == 0
    for name in ("texts.txt", "bese.json", "pieces.model", "base.toml"):
        (made / name).write_text("a\n")
    return made


@pytest.fixture
def bounds():
    """Fail a test that waits, and refuse it memory."""

    def late(*_):
        raise AssertionError("it waits")

    before, limits = signal.signal(signal.SIGALRM, late), resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text()
    taken = int(next(line.split()[1] for line in status.splitlines() if "VmData" in line)) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (taken + MEMORY_BYTES, limits[1]))
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_DATA, limits)


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("way", [*READERS, *WAYS])
def test_what_is_no_regular_file_is_refused(project, way, obstacle):
    file, read = WAYS[way] if way in WAYS else (way, READERS[way])
    path, kept = project / file, project / "kept"
    if (way, obstacle) == ("appending", a_sparse_file):
        pytest.skip("a long file may become longer")
    path.rename(kept)
    try:
        obstacle(path)
        with pytest.raises((SpikeError, OSError)) as refused:
            read(path)
        line = str(refused.value)
        assert len(line.splitlines()) == 1
        assert str(path) in line or str(path.parent) in line or path.suffix == ".toml"
        assert "/proc/" not in line
    finally:
        path.rmdir() if obstacle is a_folder else path.unlink(missing_ok=True)
        kept.rename(path)
        for made in ("imported", "unpacked"):
            shutil.rmtree(project / made, ignore_errors=True)
