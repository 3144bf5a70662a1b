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
        ("chunks=1", "no `chunks`; name some of chunk, epochs"),
        ("chunk", "chunk is ''; write a whole number"),
        ("chunk=0", "chunk is '0'; write a whole number >= 1"),
        ("rate=nan", "rate is 'nan'; write a number"),
        ("rate=-1", "rate is '-1'; write a number > 0"),
        ("polyak=1", "polyak is '1'; write a number < 1"),
        ("optimizer=adam", "optimizer is 'adam'; write adamw or sgd"),
        ("rank=8,rank=8", "`rank` is named twice"),
    ],
)
def test_what_is_out_of_range_is_named(text, problem):
    with pytest.raises(SpikeError) as error:
        settings.parse_ttt(text)
    assert problem in str(error.value)


@pytest.mark.parametrize("chunks", [2, 3, 10, 474])
def test_the_rate_is_the_records(chunks):
    config = settings.TTTConfig(rate=1e-4)
    rates = [settings.ttt_lr(config, chunk, chunks) for chunk in range(chunks)]
    for chunk, rate in enumerate(rates):
        cosine = 0.5 * (1 + math.cos(math.pi * chunk / (chunks - 1)))
        assert rate == pytest.approx(1e-4 * cosine * (1 + 2 * min(1, chunk / (0.3 * chunks))))
    assert rates[0] == 1e-4
    assert rates[-1] == pytest.approx(0)
    steady = settings.TTTConfig(rate=1e-4, decay="none")
    assert settings.ttt_lr(steady, chunks - 2, chunks) == 1e-4
