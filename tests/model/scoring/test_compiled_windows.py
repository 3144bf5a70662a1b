import numpy as np
import pytest

from spike_lm.model.families.build import build_model
from spike_lm.model.scoring.bits_per_byte import score_documents
from spike_lm.model.scoring.compiled_windows import compile_full_windows
from spike_lm.model.scoring.sliding_windows import WindowConfig
from tests.model.tiny import VOCAB, golf_config, shaken

WINDOWS = WindowConfig(context=12, stride=5, batch_windows=3)


def test_only_full_windows_are_compiled_and_one_graph_is_made(monkeypatch):
    graphs = []

    def compiled(function, **_):
        return lambda ids, *rest, **options: (
            graphs.append((*ids.shape, options["logits_to_keep"]))
            or function(ids, *rest, **options)
        )

    monkeypatch.setattr("torch.compile", compiled)
    model = shaken(build_model(golf_config(), VOCAB, eos_id=3, seed=1)).double()
    pairs = [(np.arange(n) % VOCAB, n) for n in (3, 80, 20)]
    plain = score_documents(model, pairs, WINDOWS, eos_id=3)
    compile_full_windows(model, WINDOWS)
    assert score_documents(model, pairs, WINDOWS, eos_id=3) == plain
    assert len(graphs) > 2
    assert len(set(graphs)) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_windows_score_the_same():
    model = shaken(build_model(golf_config(), VOCAB, eos_id=3, seed=1)).double()
    pairs = [(np.arange(80) % VOCAB, 80)]
    plain = score_documents(model, pairs, WINDOWS, eos_id=3)
    compile_full_windows(model, WINDOWS)
    assert score_documents(model, pairs, WINDOWS, eos_id=3).nats == pytest.approx(
        plain.nats, rel=1e-9
    )
