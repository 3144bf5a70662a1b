import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.text_compression.arithmetic_coder import (
    TOTAL,
    Decoder,
    Encoder,
    cumulative_frequencies,
    most_choices,
)
from spiketok.errors import SpikeError

weights = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-12, 1), st.just(1e9)), min_size=1, max_size=9
).filter(any)


@given(
    st.lists(st.tuples(weights, st.integers(0, 8)), max_size=60),
    st.integers(1, 40),
)
def test_gives_back_what_was_encoded(steps, times):
    chosen = [(shares(ws), place % len(ws)) for ws, place in steps] * times
    encoder = Encoder()
    for borders, place in chosen:
        encoder.encode(int(borders[place]), int(borders[place + 1]))
    data = encoder.finish()
    decoder = Decoder(data)
    assert [decoder.decode(borders) for borders, _ in chosen] == [place for _, place in chosen]
    bits = sum(math.log2(TOTAL / int(np.diff(borders)[place])) for borders, place in chosen)
    assert len(data) <= bits / 8 * 1.000001 + 1


def shares(ws):
    return cumulative_frequencies(np.array(ws) / sum(ws))


def test_a_carry_runs_through_bytes_already_written():
    top = np.array([0, TOTAL - 2, TOTAL - 1, TOTAL])
    for places in ([2] * 50 + [0], [1] * 50 + [2] * 50, [2] * 9 + [1] * 3 + [0] * 2000):
        encoder = Encoder()
        for place in places:
            encoder.encode(int(top[place]), int(top[place + 1]))
        decoder = Decoder(encoder.finish())
        assert [decoder.decode(top) for _ in places] == places


@given(st.binary(max_size=40))
def test_any_bytes_decode_or_are_refused(data):
    decoder = Decoder(data)
    borders = shares([1.0, 0.0, 2.0, 1e-9])
    try:
        for _ in range(50):
            assert 0 <= decoder.decode(borders) < 4
    except SpikeError:
        pass


@given(weights)
def test_shares_are_near_their_probabilities(ws):
    borders = shares(ws)
    assert borders[-1] <= TOTAL
    assert (np.diff(borders) >= 1).all()
    np.testing.assert_allclose(np.diff(borders) / TOTAL, np.array(ws) / sum(ws), atol=1e-8)


@pytest.mark.parametrize("wrong", [[0.5, 0.6], [-0.1, 1.1], [math.nan, 1.0], [math.inf, 0.0]])
def test_what_is_no_distribution_is_refused(wrong):
    with pytest.raises(SpikeError, match="not a distribution"):
        cumulative_frequencies(np.array(wrong))


@pytest.mark.parametrize("count", [260, 70_000, 1 << 20])
@pytest.mark.parametrize("times", [0, 1, 3000, 60_000])
def test_no_text_has_more_choices_than_its_bytes_can_hold(count, times):
    """The surest choices that there are, and not the first, which costs no digits."""
    sure = np.zeros(count)
    sure[-1] = 1.0
    start, stop = cumulative_frequencies(sure)[-2:].tolist()
    encoder = Encoder()
    for _ in range(times):
        encoder.encode(start, stop)
    assert times <= most_choices(len(encoder.finish()), count)
    assert most_choices(0, count) < most_choices(1, count) < 9 * TOTAL
