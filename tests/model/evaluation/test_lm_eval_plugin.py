"""lm-evaluation-harness: its `hf` model agrees item by item, and it finds spike's."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from spike_lm.model.evaluation.causal_lm import open_causal_lm
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import score_items
from spike_lm.model.huggingface import export_model
from spiketok.errors import SpikeError
from tests.model.evaluation.stock_models import write_stock_model
from tests.model.huggingface.conftest import KINDS, make_run

pytestmark = pytest.mark.slow
WORDS = "the user and an apple eat other hut day thatched is a".split()


@pytest.fixture(scope="module")
def harness():
    pytest.importorskip("transformers")
    return pytest.importorskip("lm_eval")


def pairs():
    """Contexts, empty and longer than the model's among them, and continuations."""
    contexts = ["", *(" ".join((WORDS * 3)[k : k + 2 * k + 1]) for k in range(12))]
    return [(c, f" {WORDS[n]} {word}") for n, c in enumerate(contexts[:12]) for word in WORDS]


def requests():
    return [
        SimpleNamespace(args=pair, task_name="t", doc_id=number // len(WORDS))
        for number, pair in enumerate(pairs())
    ]


@pytest.mark.parametrize("kind", ["plain", "golf", "Llama", "GPT2"])
def test_the_harness_scores_each_item_alike(harness, kind, tmp_path):
    from lm_eval.models.huggingface import HFLM

    if kind in KINDS:
        export_model(make_run(tmp_path / "run", KINDS[kind]), tmp_path / "folder")
    else:
        import transformers

        write_stock_model(transformers, tmp_path / "folder", kind)
    peer = HFLM(
        pretrained=str(tmp_path / "folder"),
        device="cpu",
        batch_size=5,
        dtype="float32",
        trust_remote_code=kind in KINDS,
    )
    expected = peer.loglikelihood(requests(), disable_tqdm=True)
    items = [Item((Request(*pair),), (), 0, "") for pair in pairs()]
    lm = open_causal_lm(tmp_path / "folder")
    crossings = 0
    for border in ("lm-eval", "joint"):
        for number, (score,) in score_items(lm, items, border):
            crossings += score.crosses
            if border == "lm-eval" or not score.crosses:
                nats, greedy = expected[number]
                assert score.nats == pytest.approx(nats, abs=1e-4)
                assert score.is_greedy == greedy
    assert crossings < len(items)


def test_spikes_model_in_the_harness(harness, tmp_path):
    from spike_lm.model.evaluation.lm_eval_plugin import HarnessModel

    run = make_run(tmp_path / "run", KINDS["plain"])
    lm = HarnessModel(str(run), device="cuda:0", batch_size=16)
    alone = [lm.loglikelihood([request])[0] for request in requests()[20:26]]
    together = lm.loglikelihood(requests())[20:26]
    assert [nats for nats, _ in together] == pytest.approx([nats for nats, _ in alone], abs=1e-4)
    (rolling,) = lm.loglikelihood_rolling([SimpleNamespace(args=("the user",))])
    ((nats, _),) = lm.loglikelihood(
        [SimpleNamespace(args=("", "the user"), task_name="t", doc_id=0)]
    )
    assert rolling == pytest.approx(nats, abs=1e-4)
    options = {"until": ["e"], "max_gen_toks": 8}
    (text,) = lm.generate_until([SimpleNamespace(args=("the user", options))])
    assert "e" not in text
    with pytest.raises(SpikeError, match="--model_args: paths is unknown; use path, border"):
        HarnessModel(str(run), paths="x")


def test_the_harnesss_command_finds_the_model(harness, tmp_path):
    run = make_run(tmp_path / "run", KINDS["plain"])
    rows = [{"q": "the", "choices": ["an", "user"], "gold": 0}] * 3
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.yaml").write_text(
        f"task: mine\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: "
        f"{tmp_path}/rows.jsonl\ntest_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: gold\n'
    )
    command = [sys.executable, "-m", "spike_lm.model.evaluation.lm_eval_plugin"]
    command += ["--model", "spike", "--model_args", f"path={run}", "--tasks", "mine"]
    done = subprocess.run(
        [*command, "--include_path", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "|mine|" in done.stdout
