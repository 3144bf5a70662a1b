"""Model card (README.md), from the records of a run alone."""

from collections.abc import Mapping

from ..families.parameter_roles import exported_parameters
from ..families.sections import family_sections
from ..runs.folder import Run
from .provenance import CONFIG, RECORD, Record

FAMILIES = {"golf": "a model of the golf family", "spikewhale": "a SpikeWhaleLM"}
# Key of metrics.jsonl → its name in the card.
SCORES = {
    "train_bits_per_byte": "training loss, bits per byte",
    "train_pseudo_bits_per_byte": "training loss, pseudo bits per byte (tokens lose text)",
    "train_reply_bits_per_byte": "training loss, bits per byte of replies",
    "validation_bits_per_byte": "validation, bits per byte",
    "validation_pseudo_bits_per_byte": "validation, pseudo bits per byte (tokens lose text)",
    "validation_reply_bits_per_byte": "validation, bits per byte of replies",
}
CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [spike]
---

# {name}

A causal language model, {family}, exported by spike {spike}. {code}

```python
from transformers import AutoModelForCausalLM{imported}

model = AutoModelForCausalLM.from_pretrained("{name}"{trust})
{loading}```

Documents begin after the separator, id {eos_id}, and end with it. {tokens}

## Results of the run

| | |
| --- | --- |
{rows}

Numbers are those of `metrics.jsonl` at step {step}{averaged}.{scores}

## Provenance

| fingerprint | sha256 |
| --- | --- |
{fingerprints}

`{config}` is the configuration of the run, `{record}` its record; `spike import` restores the run
folder from this one.{left_out}
"""


Metrics = Mapping[str, int | float]


def model_card(
    run: Run, record: Record, metrics: Metrics, name: str, *, stock: bool, scores: str = ""
) -> str:
    """Return the text of the model card.

    Args:
        run: with the exported weights.
        record: of the exported weights.
        metrics: the last ones of the run.
        name: of the exported folder.
        stock: whether the folder's class is one of `transformers` itself.
        scores: Markdown of task scores; empty without any.
    """
    families = [FAMILIES[name] for name in family_sections(run.config)]
    exported = run.config.averaging.use if run.config.averaging else "weights"
    averaged = "" if exported == "weights" else f"; the weights are the mean `{exported}`"
    coded = hasattr(run.tokenizer.vocabulary, "entries")
    trust = ", trust_remote_code=True"
    return CARD.format(
        name=name,
        family=families[0] if families else "shaped as Qwen3",
        spike=record.spike,
        code="`transformers` has its class."
        if stock
        else "Its code is in `spike_model.py`, generated, and needs torch and transformers alone.",
        imported=", AutoTokenizer" if coded else "",
        trust="" if stock else trust,
        loading=f'tokenizer = AutoTokenizer.from_pretrained("{name}"{trust})\n' if coded else "",
        eos_id=run.tokenizer.eos_id,
        tokens="" if coded else "Only spike reads its BESE tokenizer.",
        rows="\n".join(f"| {name} | {value} |" for name, value in _facts(run, record, metrics)),
        step=f"{record.step:,}",
        averaged=averaged,
        scores=f"\n\n{scores.rstrip()}" if scores else " Nothing else was measured.",
        fingerprints="\n".join(f"| {k} | `{v}` |" for k, v in sorted(record.fingerprints.items())),
        config=CONFIG,
        record=RECORD,
        left_out=f" Left out, because only training uses them: {', '.join(record.left_out)}."
        if record.left_out
        else "",
    )


def _facts(run: Run, record: Record, metrics: Metrics) -> list[tuple[str, str]]:
    """Return the facts of the card, by name."""
    scores = [(name, f"{metrics[key]:.4f}") for key, name in SCORES.items() if key in metrics]
    return [
        ("parameters", f"{exported_parameters(run.model):,}"),
        ("vocabulary", f"{run.tokenizer.vocab_size:,}"),
        ("context, tokens", f"{run.config.model.context:,}"),
        ("steps", f"{record.step:,}"),
        ("tokens trained on", f"{record.tokens:,}"),
        *scores,
    ]
