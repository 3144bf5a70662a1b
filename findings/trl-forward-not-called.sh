#!/bin/bash
# trl: SFTTrainer does not call the forward of a model's class. It multiplies the hidden states of
# the base model with the weight of the output layer, so whatever the class does to its logits is
# left out of the loss, without a word. Here: Qwen3 whose forward bounds its logits. The learning
# rate is 0, so both losses are of the same weights. Exits 1 if the two losses agree.
set -eu
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
python3 -m venv "$W/env"
"$W/env/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 trl==1.16.0 2> /dev/null
HF_HOME="$W/hf" HF_HUB_OFFLINE=1 "$W/env/bin/python" - 2> /dev/null <<'P'
import tempfile

import torch
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM


class Bounded(Qwen3ForCausalLM):
    def forward(self, *args, **options):
        out = super().forward(*args, **{**options, "labels": None})
        out.logits = torch.tanh(out.logits)
        if options.get("labels") is not None:
            out.loss = self.loss_function(out.logits, options["labels"], self.config.vocab_size)
        return out


torch.manual_seed(0)
sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
model = Bounded(Qwen3Config(**sizes, **heads, initializer_range=1.0))
words = Tokenizer(models.WordLevel({"a": 0, "<eos>": 1, "<pad>": 2}, unk_token="a"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>", pad_token="<pad>")
row = {"input_ids": [0, 4, 5, 7, 9], "labels": [0, 4, 5, 7, 9]}
ids = torch.tensor([row["input_ids"]])
own = model(input_ids=ids, labels=ids).loss.item()
settings = trl.SFTConfig(
    tempfile.mkdtemp(), max_steps=1, per_device_train_batch_size=1, learning_rate=0.0,
    logging_steps=1, report_to=[], use_cpu=True, bf16=False, save_strategy="no",
    gradient_checkpointing=False, disable_tqdm=True,
)
data = Dataset.from_list([row] * 2)
trainer = trl.SFTTrainer(model, args=settings, train_dataset=data, processing_class=tokenizer)
trainer.train()
seen = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
print(f"trl {trl.__version__}, transformers {transformers.__version__}")
print(f"loss of the model's own forward {own:.3f}, loss that SFTTrainer minimises {seen:.3f}")
raise SystemExit(abs(own - seen) < 0.1)
P
