"""A run keeps which ids were targets, when resumed and in runs that begin with its weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from spike_lm.model.runs.checkpoint import TRAINED_IDS, load_trained_ids
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.trained_ids import trained_from_bytes, trained_to_bytes, unseen_ids
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, golf_config, open_batches, tiny_config, train_tiny

FEW = (5, 9, 11)


def of_few_ids(samples):
    """Yield the usual batches with few ids; the first id of a row is no target."""
    for ids, _ in open_batches(samples):
        rows = np.array(FEW)[ids % len(FEW)]
        rows[:, 0] = 30
        yield rows, None


def masked(samples):
    """Yield the usual batches; only the ids below 8 are trained on."""
    for ids, _ in open_batches(samples):
        yield ids, ids < 8


def trained(folder):
    return np.flatnonzero(load_trained_ids(newest_checkpoint(folder), VOCAB)).tolist()


def test_targets_are_kept_and_inputs_alone_are_not(tmp_path):
    train_tiny(tmp_path, open_batches=of_few_ids)
    assert trained(tmp_path) == list(FEW)


def test_targets_outside_the_loss_mask_do_not_count(tmp_path):
    train_tiny(tmp_path, open_batches=masked, validation=None)
    assert trained(tmp_path) == list(range(8))


def test_targets_that_memory_tokens_replace_do_not_count(tmp_path):
    def early(samples):
        for ids, _ in open_batches(samples):
            rows = np.full_like(ids, 7)
            rows[:, 1:4] = 6
            yield rows, None

    assert golf_config().golf.memory_tokens == 3
    train_tiny(tmp_path, golf_config(), open_batches=early, validation=None)
    assert trained(tmp_path) == [7]


def test_a_resumed_run_goes_on_with_what_it_knew(tmp_path):
    def changing(samples):
        yield from (of_few_ids if samples == 0 else masked)(samples)

    stop = iter([False] * 4 + [True])
    settings = {"open_batches": changing, "validation": None}
    train_tiny(tmp_path, should_stop=lambda: next(stop), **settings)
    assert trained(tmp_path) == list(FEW)
    train_tiny(tmp_path, resume=True, **settings)
    assert trained(tmp_path) == sorted({*range(8), *FEW})


def test_a_run_that_begins_with_another_knows_the_ids_of_both(tmp_path):
    train_tiny(tmp_path / "first", open_batches=of_few_ids)
    checkpoint = newest_checkpoint(tmp_path / "first")
    weights = load_file(checkpoint / "model.safetensors")
    settings = {"open_batches": masked, "validation": None, "weights": weights}
    known = load_trained_ids(checkpoint, VOCAB)
    train_tiny(tmp_path / "both", trained_ids=known, **settings)
    assert trained(tmp_path / "both") == sorted({*range(8), *FEW})
    assert np.flatnonzero(known).tolist() == list(FEW)
    train_tiny(tmp_path / "unknown", **settings)
    assert load_trained_ids(newest_checkpoint(tmp_path / "unknown"), VOCAB) is None


def test_a_checkpoint_that_does_not_say_it_is_resumed_and_says_nothing(tmp_path):
    train_tiny(tmp_path, tiny_config("train.steps=4"))
    checkpoint = newest_checkpoint(tmp_path)
    tensors = load_file(checkpoint / "training.safetensors")
    cut = tensors.pop(TRAINED_IDS)[:-1].clone()
    save_file({**tensors, TRAINED_IDS: cut}, checkpoint / "training.safetensors")
    with pytest.raises(SpikeError, match="targets/trained"):
        load_trained_ids(checkpoint, VOCAB)
    save_file(tensors, checkpoint / "training.safetensors")
    assert load_trained_ids(checkpoint, VOCAB) is None
    assert unseen_ids(None) == frozenset()


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_bitmaps_come_back_and_others_are_refused(flags):
    data = trained_to_bytes(np.array(flags))
    found = trained_from_bytes(data, len(flags))
    assert found.tolist() == flags
    assert unseen_ids(found) == {number for number, flag in enumerate(flags) if not flag}
    wrong = [data + b"\0", data[:-1]]
    if len(flags) % 8:
        wrong.append(data[:-1] + bytes([data[-1] | 128]))
    for other in wrong:
        with pytest.raises(ValueError, match="not a bitmap"):
            trained_from_bytes(other, len(flags))
