"""Rolling log-likelihoods: windows of a text, for spike's models and those of others."""

import pytest
import torch

from spike_lm.model.evaluation.causal_lm import open_causal_lm
from spike_lm.model.evaluation.rolling import rolling_nats
from spike_lm.model.huggingface import export_model
from spiketok.errors import SpikeError
from tests.model.huggingface.conftest import KINDS, make_run


def test_models_of_transformers_read_the_same_windows(tmp_path):
    pytest.importorskip("transformers")
    from spike_lm.model.huggingface.causal_lm import open_hugging_face

    export_model(make_run(tmp_path / "run", KINDS["plain"]), tmp_path / "exported")
    ours = open_causal_lm(tmp_path / "exported")
    theirs = open_hugging_face(tmp_path / "exported", trust_remote_code=True)
    # 24 tokens are a context: the text has less, as many, one more, and some windows.
    for length in (3, 24, 25, 26, 90):
        text = ("q the user and q" * 9)[:length].encode()
        for stride in (0, 1, 24):
            expected = rolling_nats(ours, text, stride=stride)
            assert rolling_nats(theirs, text, stride=stride) == pytest.approx(expected, abs=1e-3)
    ids = [ours.prefix_id, *ours.tokenizer.encode("the user").tolist()]
    with torch.inference_mode():
        table = ours.model(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    by_definition = -float(table[range(len(ids) - 1), ids[1:]].sum())
    assert rolling_nats(ours, b"the user") == pytest.approx(by_definition, abs=1e-4)
    for lm in (ours, theirs):
        shares = []
        rolling_nats(lm, b"the user and q" * 9, report=shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1
    with pytest.raises(SpikeError, match="the text is no UTF-8"):
        rolling_nats(theirs, b"\xff")
    for lm in (ours, theirs):
        with pytest.raises(SpikeError, match="1 ≤ stride ≤ context ≤ the model's context, 24"):
            rolling_nats(lm, b"the user", context=25)
