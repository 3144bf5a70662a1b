from itertools import pairwise

import pyarrow as pa
import pytest

from spiketok import LengthMaxSettings
from spiketok.corpus_sample import draw_sample
from spiketok.holdout import HeldOut
from spiketok.length_max import corpus as training_text_module
from spiketok.length_max.corpus import TrainingText

MEMORY = 1 << 20  # a sample of 128 KiB


def training_text(texts, settings):
    batches = [pa.record_batch({"text": pa.array(texts, pa.large_binary())})]
    drawn = draw_sample(batches, settings.sample_bytes, HeldOut(0))
    return TrainingText(drawn, lambda: batches, settings, HeldOut(0))


@pytest.mark.parametrize("documents", [100, 3000])
def test_blocks_hold_all_text_where_all_is_asked_for(documents):
    texts = sorted(f"{number} of many documents ".encode() * 10 for number in range(documents))
    text = training_text(texts, LengthMaxSettings(memory=MEMORY, held_out=0.0))
    seen, blocks = [], 0
    for data, offsets in text.blocks(1 << 40):
        bounds = offsets.tolist()
        seen += [bytes(data[start:stop]) for start, stop in pairwise(bounds)]
        blocks += 1
    assert sorted(seen) == texts
    assert (blocks > 1) == (sum(map(len, texts)) > MEMORY // 8)


@pytest.mark.parametrize("is_full", [False, True])
def test_text_of_the_corpus_is_read_again_only_where_the_disk_is_full(monkeypatch, is_full):
    texts = sorted(f"{number} of many documents ".encode() * 10 for number in range(9000))
    text = training_text(texts, LengthMaxSettings(memory=MEMORY, held_out=0.0))
    batches, reads = text.read(), []
    text.read = lambda: reads.append(1) or batches
    if is_full:
        monkeypatch.setattr(training_text_module.np, "save", fail)
    found = [[one.tolist() for one in block] for block in text.blocks(1 << 19)]
    again = [[one.tolist() for one in block] for block in text.blocks(1 << 19)]
    assert len(found) > 1
    assert found == again
    assert len(reads) == (2 if is_full else 1)


def fail(_file, _array):
    raise OSError(28, "No space left on device")


def test_a_little_comes_from_the_sample():
    texts = [f"{number} of many documents ".encode() * 10 for number in range(3000)]
    text = training_text(texts, LengthMaxSettings(memory=MEMORY, held_out=0.0))
    ((data, offsets),) = text.blocks(5000)
    assert data is text.sample[0]
    assert 5000 <= offsets[-1] < 5000 + 300
