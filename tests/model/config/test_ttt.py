import math

import pytest

from spike_lm.model.config import ttt as settings
from spiketok.errors import SpikeError


def test_words_are_read():
    found = settings.parse_ttt("chunk=8192, optimizer=sgd,rate=0.5,vectors=false,rank=8")
    assert (found.chunk, found.optimizer, found.rate, found.rank) == (8192, "sgd", 0.5, 8)
    assert not found.vectors
    assert settings.parse_ttt("") == settings.TTTConfig()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("chunks=1", "no `chunks`; known: chunk, epochs"),
        ("chunk", "chunk=: Expected `int`"),
        ("chunk=0", "chunk=0: Expected `int` >= 1"),
        ("rate=nan", "rate=nan: "),
        ("rate=-1", "rate=-1: Expected `float` > 0"),
        ("polyak=1", "polyak=1: Expected `float` < 1"),
        ("optimizer=adam", "optimizer=adam: Invalid enum value"),
        ("rank=8,rank=8", "`rank` is named twice"),
    ],
)
def test_what_is_out_of_range_is_named(text, problem):
    with pytest.raises(SpikeError) as error:
        settings.parse_ttt(text)
    assert problem in str(error.value)


@pytest.mark.parametrize("chunks", [2, 3, 10, 474])
def test_the_rate_is_the_records(chunks):
    told = settings.TTTConfig(rate=1e-4)
    rates = [settings.chunk_rate(told, chunk, chunks) for chunk in range(chunks)]
    for chunk, rate in enumerate(rates):
        cosine = 0.5 * (1 + math.cos(math.pi * chunk / (chunks - 1)))
        assert rate == pytest.approx(1e-4 * cosine * (1 + 2 * min(1, chunk / (0.3 * chunks))))
    assert rates[0] == 1e-4
    assert rates[-1] == pytest.approx(0)
    steady = settings.TTTConfig(rate=1e-4, decay="none")
    assert settings.chunk_rate(steady, chunks - 2, chunks) == 1e-4
