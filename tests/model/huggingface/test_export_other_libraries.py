"""Exported folders in the libraries that people train, adapt and score models with."""

import json
import os
import subprocess
import sys

import pytest
import torch

from spike_lm.model.runs.folder import load_run
from tests.model.huggingface.test_modeling_spike import ids_of

pytestmark = pytest.mark.slow
families = pytest.mark.parametrize("kind", ["plain", "capped", "whale", "golf"])

ALONE = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
tokenizer.padding_side = "left"
batch = tokenizer(["the and", "a"], return_tensors="pt", padding=True)
texts = model.generate(**batch, max_new_tokens=4, do_sample=False)
assert texts.shape[0] == 2
assert not [name for name in ("spiketok", "model", "datapipe") if name in sys.modules]
print(type(model).__name__)
"""
NOT_HERE = """
import sys

class NotHere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("spiketok", "model", "datapipe", "spike_commands"):
            raise ImportError(name)

sys.meta_path.insert(0, NotHere())
"""


@families
def test_no_spike_is_needed(runs, transformers, kind, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", NOT_HERE + ALONE, str(runs(kind)[1])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    wanted = "Qwen3ForCausalLM" if kind == "plain" else "SpikeForCausalLM"
    assert done.stdout.strip() == wanted


def configurations(model):
    return model.config, model.generation_config


@families
def test_trainer_takes_a_step(both, runs, kind, transformers, tmp_path):
    pytest.importorskip("accelerate")
    run, theirs = both(kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(runs(kind)[1], trust_remote_code=True)
    ends = {"bos_token_id", "eos_token_id", "pad_token_id"}
    told = [{name: getattr(c, name) for name in ends} for c in configurations(theirs)]
    row = ids_of(run, b"the and a user")
    data = [{"input_ids": row, "labels": row}] * 4
    before = {name: weight.clone() for name, weight in theirs.state_dict().items()}
    frozen = {name for name, weight in theirs.named_parameters() if not weight.requires_grad}
    options = {"max_steps": 2, "per_device_train_batch_size": 2, "learning_rate": 1e-2}
    arguments = transformers.TrainingArguments(
        str(tmp_path), report_to=[], use_cpu=True, save_strategy="no", logging_steps=1, **options
    )
    trainer = transformers.Trainer(
        theirs, arguments, train_dataset=data, processing_class=tokenizer
    )
    trainer.train()
    assert [{name: getattr(c, name) for name in ends} for c in configurations(theirs)] == told
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[1] < losses[0]
    after = theirs.state_dict()
    unchanged = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert frozen == ({"model.engram.compressor"} if kind == "whale" else set())
    assert unchanged == frozen | ({"model.engram.projections"} if kind == "whale" else set())


@families
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # of peft itself
def test_lora_learns_and_leaves_the_model_as_it_was(both, kind, tmp_path):
    peft = pytest.importorskip("peft")
    run, theirs = both(kind)
    before = {name: weight.clone() for name, weight in theirs.state_dict().items()}
    targets = {"plain": ["q_proj", "v_proj"], "whale": ["q_b_proj", "v_proj"]}
    chosen = targets.get(kind, ["q_proj", "v_proj"])
    config = peft.LoraConfig(r=2, target_modules=chosen, task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(theirs, config)
    ids = torch.tensor([ids_of(run, b"the and a user")])
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(3):
        loss = adapted(input_ids=ids, labels=ids).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    adapted.save_pretrained(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").exists()
    adapted.generate(input_ids=ids, max_new_tokens=2, do_sample=False)
    after = adapted.unload().state_dict()
    assert all(torch.equal(weight, before[name]) for name, weight in after.items())


@families
def test_lm_eval_scores_a_local_task(runs, kind, transformers, tmp_path, monkeypatch):
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    run = load_run(runs(kind)[0])
    # No entry holds a newline: lm_eval cuts the ids of both texts where those of the first end.
    questions = [("the and", ["\na", "\nthe"], 0), ("", ["\nand a", "\nan"], 1)]
    lines = [json.dumps({"q": q, "choices": c, "gold": g}) for q, c, g in questions]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    (tmp_path / "task.yaml").write_text(
        f"""\
task: spike_local
dataset_path: json
dataset_kwargs:
  data_files:
    test: {tmp_path}/questions.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: choices
doc_to_target: gold
target_delimiter: ""
metric_list:
  - metric: acc
"""
    )
    found = lm_eval.simple_evaluate(
        "hf",
        {"pretrained": str(runs(kind)[1]), "trust_remote_code": True},
        tasks=["spike_local"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        device="cpu",
        bootstrap_iters=0,
    )

    def likelihood(text, end):
        # Without a question the answer follows the separator, where texts begin.
        before = [] if text else [run.tokenizer.eos_id]
        ids = torch.tensor([[*before, *run.tokenizer.encode(text + end).tolist()]])
        start = len(before) + len(run.tokenizer.encode(text))
        with torch.no_grad():
            scores = run.model(ids).log_softmax(-1)[0]
        return sum(scores[place - 1, ids[0, place]].item() for place in range(start, ids.shape[1]))

    wanted = [[likelihood(text, end) for end in choices] for text, choices, _ in questions]
    samples = found["samples"]["spike_local"]
    scores = [[response[0] for response in sample["filtered_resps"]] for sample in samples]
    assert scores == [pytest.approx(row, abs=1e-4) for row in wanted]
    right = sum(max(row) == row[gold] for row, (_, _, gold) in zip(wanted, questions, strict=True))
    assert found["results"]["spike_local"]["acc,none"] == pytest.approx(right / 2)
