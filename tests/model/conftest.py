"""The tiny configuration and model that most tests here use."""

import pytest

from spike_lm.model import Config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.golf.model import GolfTransformer
from spike_lm.model.families.qwen3.model import Qwen3
from tests.model.tiny import VOCAB, build_plain, golf_config, shaken, tiny_config


@pytest.fixture
def config() -> Config:
    return tiny_config()


@pytest.fixture
def model(config: Config) -> Qwen3:
    """Return a tiny model whose residual branches are not zero."""
    return shaken(build_plain(config.model, VOCAB, seed=1))


@pytest.fixture
def golf() -> GolfTransformer:
    """Return a tiny golf model with everything on, in double precision; nothing in it is zero."""
    return shaken(build_model(golf_config(), VOCAB, eos_id=3, seed=1)).double()
