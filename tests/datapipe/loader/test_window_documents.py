"""Documents of training windows against the loader's batches and a list of all tokens."""

from itertools import islice

import numpy as np
import pytest

from datapipe import batches, open_stream, read_manifest, read_split, window_documents
from spiketok.errors import SpikeError

SEED = 5


@pytest.mark.parametrize("length", [1, 7, 32, 5000])
def test_parts_join_to_the_windows_of_the_loader(shard, tmp_path, length):
    """Over more than an epoch, so that windows wrap around the end of the stream."""
    folder = tmp_path / "data"
    shard(folder)
    documents = [
        (one.tokens.tolist(), int(one.source[0]), int(one.row[0]))
        for batch in read_split(folder, "train")
        for one in (batch.part(number, number + 1) for number in range(len(batch)))
    ]
    sources = read_manifest(folder).sources
    stream = open_stream(folder)
    size = min(stream.tokens // length + 3, 400)
    ids = next(islice(batches(stream, length, size, SEED), 1, None))[0]
    parts = window_documents(folder, length, range(size, 2 * size), SEED)
    for sample, window in enumerate(ids.tolist(), size):
        own = [part for part in parts if part.sample == sample]
        assert [token for part in own for token in part.ids.tolist()] == window
        assert [part.start for part in own] == np.cumsum(
            [0, *(len(part.ids) for part in own[:-1])]
        ).tolist()
    for part in parts:
        tokens, source, row = documents[part.document]
        assert part.tokens.tolist() == tokens[: len(part.tokens)]
        assert (sources.index(part.source), part.row) == (source, row)


def test_too_long_windows_and_damage_are_errors(shard, tmp_path):
    folder = tmp_path / "data"
    shard(folder)
    with pytest.raises(SpikeError, match="too few for one window of 1000000"):
        window_documents(folder, 10**6, [0], SEED)
    for path in folder.glob("train-*.arrow"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(SpikeError, match="damaged"):
        window_documents(folder, 32, range(40), SEED)
