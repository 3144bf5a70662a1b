"""Failures to write files of tensors."""

import errno
import resource

import pytest
import torch

from spike_lm.model.runs.tensor_files import save_tensors
from spiketok.atomic_files import durable_folder


def test_a_disk_without_room_names_the_final_file_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write():
        with durable_folder(tmp_path / "run") as folder:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
            save_tensors({"weight": torch.zeros(1000)}, folder / "model.safetensors")

    try:
        with pytest.raises(OSError, match="File too large") as found:
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.value.errno == errno.EFBIG
    assert found.value.filename == str(tmp_path / "run" / "model.safetensors")
    assert list(tmp_path.iterdir()) == []
