import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.layers.attention_mask import document_ids, document_starts
from spike_lm.model.layers.engram import MAX_HASH_FACTOR, Engram
from tests.model.layers.causality import assert_causal, noise

SEPARATOR, ROWS, WIDTH = 3, 64, 24
SHAPE = {
    "num_heads": 2,
    "max_ngram": 3,
    "compress_dim": 8,
    "dim": WIDTH,
    "gate_init_bias": -1.0,
}
IDS = torch.randint(4, 11, (2, 9), generator=torch.Generator().manual_seed(0))
IDS[0, 4] = SEPARATOR


def engram(rows=ROWS):
    block = Engram(table_size=rows, **SHAPE)
    block = block.double().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for frozen in (block.compressor, block.projections):
        frozen.random_(-MAX_HASH_FACTOR, MAX_HASH_FACTOR + 1, generator=generator)
    for parameter in (block.table.weight, *block.gate.parameters(), block.slope, block.height):
        parameter.normal_(generator=generator)
    return block


def added(block, ids, stream):
    begins = document_starts(document_ids(ids, SEPARATOR))
    return block(block.id_codes(ids), stream, begins)


@pytest.mark.parametrize("published", [False, True])
def test_equals_its_definition(published):
    block, stream = engram(), noise(2, 9, WIDTH)
    codes = block.embedding_codes(stream) if published else block.id_codes(IDS)
    found = block(codes, stream, document_starts(document_ids(IDS, SEPARATOR)))
    for b in range(2):
        for t in range(9):
            rows = []
            for order in (1, 2, 3):
                run = range(t - order + 1, t + 1)
                if run[0] < 0 or SEPARATOR in IDS[b, run[0] + 1 : t + 1].tolist():
                    continue
                first = order * (order - 1) // 2
                total = torch.zeros(2, dtype=torch.float64)
                for k, place in enumerate(run):
                    bits = [float(IDS[b, place] >> bit & 1) for bit in range(24)]
                    code = torch.tensor(bits, dtype=torch.float64) @ block.compressor[:, :24].T
                    if published:
                        code = stream[b, place] @ block.compressor.T
                    total += block.projections[first + k] @ code
                for head in range(2):
                    row = math.floor(abs(total[head])) % ROWS
                    rows.append(block.table.weight[head * ROWS + row])
            mean = torch.stack(rows).mean(0)
            opened = block.gate(torch.cat([mean, stream[b, t]]))
            bent = torch.erf(block.slope * opened + block.shift)
            expected = (block.height * bent + block.height) / 2 * mean
            torch.testing.assert_close(found[b, t], expected)


def test_what_comes_later_changes_nothing():
    block, stream = engram(), noise(2, 9, WIDTH)
    assert_causal(lambda ids: added(block, ids, stream), IDS)
    assert_causal(lambda x: added(block, IDS, x), stream)


def test_a_document_does_not_see_the_one_before():
    block, stream, changed = engram(), noise(2, 9, WIDTH), IDS.clone()
    changed[0, :4] += 1
    assert torch.equal(added(block, changed, stream)[0, 4:], added(block, IDS, stream)[0, 4:])


def test_the_gate_starts_open_by_a_thirteenth():
    block = Engram(table_size=ROWS, **SHAPE)
    torch.nn.init.ones_(block.table.weight)
    torch.nn.init.zeros_(block.gate.weight)
    torch.nn.init.zeros_(block.gate.bias)
    opened = added(block, IDS, torch.zeros(2, 9, WIDTH))
    torch.testing.assert_close(opened, torch.full_like(opened, (math.erf(-1) + 1) / 2))
    assert abs(opened[0, 0, 0].item() - 0.0786) < 1e-4


def test_rows_spread_evenly_for_runs_of_every_length():
    block = engram(rows=256)
    ids = torch.randint(4, 16512, (1, 40_000), generator=torch.Generator().manual_seed(2))
    rows, fits = block.lookup(block.id_codes(ids), document_starts(torch.zeros_like(ids)))
    assert fits[:, 2:].all()
    for order in range(3):
        for head in range(2):
            counts = torch.bincount(rows[0, :, order, head] - 256 * head, minlength=256)
            # 156 on average, in 256 rows; rows r and 256 − r share what |·| folds together.
            assert counts.min() > 60
            assert counts.max() < 400


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=8))
def test_codes_are_exact_in_any_order_and_in_bfloat16(numbers):
    block, ids = engram(), torch.tensor([numbers])
    begins = document_starts(torch.zeros_like(ids))
    whole = block.lookup(block.id_codes(ids), begins)[0]
    last = ids[:, -3:]
    alone = block.lookup(block.id_codes(last), document_starts(torch.zeros_like(last)))[0]
    assert torch.equal(whole[:, -1:], alone[:, -1:])
    half = engram().bfloat16()
    assert torch.equal(half.lookup(half.id_codes(ids), begins)[0], whole)
