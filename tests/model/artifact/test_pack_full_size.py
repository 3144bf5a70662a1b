"""The contest's models, at full size, are packed under its 16,000,000 bytes.

Nothing is trained here: every matrix holds numbers of a normal distribution, which of all with
their deviation cost the most bytes at a given step; a trained one costs less. docs/quantization.md
has what runs of a few steps came to.
"""

import time

import numpy as np
import pytest
import torch

from spike_lm.model import load_config
from spike_lm.model.artifact.open import open_run
from spike_lm.model.artifact.pack import pack_run
from spike_lm.model.config.quantization import QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_parameters, quantizable_weights
from spike_lm.model.runs.folder import Run
from spiketok import Tokenizer
from spiketok.bese.vocabulary import BeseVocabulary

pytestmark = pytest.mark.slow
BUDGET = 16_000_000


@pytest.mark.parametrize(
    ("preset", "parameters", "bits"),
    [
        ("bese-golf", 26_522_716, "mlp=int6,attn=int6,embed=int8"),
        ("ngram-golf", 33_317_980, "mlp=int5,attn=int5,embed=int8"),
        ("memory-golf", 25_549_905, "mlp=int5,attn=int6,embed=fp16"),
    ],
)
def test_fits_and_is_read_back(preset, parameters, bits, tmp_path, record_property):
    config = load_config(preset)
    letters = Tokenizer(
        BeseVocabulary(alphabet="bese", vocab_size=config.model.vocab_size, merges=((4, 5),))
    )
    model = build_model(config, letters.vocab_size, eos_id=0, seed=1)
    assert exported_parameters(model) == parameters
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for matrix in quantizable_weights(model).values():
            matrix.normal_(0, 0.05, generator=generator)
    named = {"tokenizer": letters.fingerprint, "config": "c", "data": "d"}
    run = Run(config=config, model=model, tokenizer=letters, step=0, fingerprints=named, digest="")
    began = time.monotonic()
    settings = QuantizeConfig(bits=bits, method="rtn")
    result = pack_run(run, settings, budget=BUDGET)
    record_property("bytes", len(result.data))
    record_property("seconds", time.monotonic() - began)
    assert 0.97 * BUDGET < len(result.data) <= BUDGET
    path = tmp_path / "full.spike"
    path.write_bytes(result.data)
    state = open_run(path).model.state_dict()
    for name, weight in result.artifact.weights.items():
        expected = weight if isinstance(weight, np.ndarray) else weight.dequantize()
        assert np.array_equal(state[name].numpy(), expected.astype(np.float32)), name
