from itertools import pairwise

import pyarrow as pa
import pytest

from spiketok import LengthMaxSettings
from spiketok.held_out import HeldOut
from spiketok.sample import draw_sample
from spiketok.training_text import TrainingText

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


def test_a_little_comes_from_the_sample():
    texts = [f"{number} of many documents ".encode() * 10 for number in range(3000)]
    text = training_text(texts, LengthMaxSettings(memory=MEMORY, held_out=0.0))
    ((data, offsets),) = text.blocks(5000)
    assert data is text.sample[0]
    assert 5000 <= offsets[-1] < 5000 + 300
