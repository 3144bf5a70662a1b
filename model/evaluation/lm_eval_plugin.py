"""lm-evaluation-harness with spike's models: `--model spike --model_args path=RUN`.

    python -m spike_lm.model.evaluation.lm_eval_plugin --model spike --model_args path=RUN …

is the command `lm_eval` after the model is registered, with all its options; 0.4.13 finds no models
of other packages by itself. The entry point `lm_eval.models` is for releases that do.
"""

from pathlib import Path
from typing import Any

import torch
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import model_registry

from spiketok.errors import SpikeError

from ..inference.sampling import SamplingParams
from ..inference.text import continue_prompt, text_after, up_to_any
from .causal_lm import SpikeLM, open_causal_lm
from .items import Item, Request
from .loglikelihood import score_items
from .rolling import rolling_nats

NEW_TOKENS = 256  # where a task names no number, as in the harness


class HarnessModel(LM):
    """Model of the harness: a run folder, an artifact, or an exported folder."""

    def __init__(
        self,
        path: str,
        border: str = "lm-eval",
        device: str | None = None,
        **ignored: Any,
    ) -> None:
        """Open a model.

        Args:
            path: a run folder, an artifact, or a folder with config.json.
            border: `lm-eval`, `joint` or `exact`.
            device: of the weights; the CPU where it is None, or there is no GPU.
            ignored: options of the harness without effect, such as the batch size.
        """
        super().__init__()
        unknown = ignored.keys() - {"batch_size", "max_batch_size"}
        if unknown:
            raise SpikeError(f"--model_args: {min(unknown)} is unknown; use path, border, device")
        # The harness names cuda:0 where its user names nothing.
        found = device if device and (torch.cuda.is_available() or "cuda" not in device) else "cpu"
        self.lm, self.border = open_causal_lm(Path(path), found), border

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Return ln p of each continuation, and whether it is greedy.

        Requests of one document that follow each other are scored together.
        """
        del disable_tqdm
        items: list[Item] = []
        last = None
        for request in requests:
            pair = Request(*request.args)
            document = (request.task_name, request.doc_id)
            if document == last:
                items[-1] = Item((*items[-1].requests, pair), (), 0, items[-1].source)
            else:
                items.append(Item((pair,), (), 0, f"{request.task_name}: {request.doc_id}"))
            last = document
        scored = dict(score_items(self.lm, items, self.border))
        found = [(s.nats, s.is_greedy) for number in range(len(items)) for s in scored[number]]
        for request, answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood", request.args, answer)
        return found

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Return ln p of each text, in windows that do not overlap."""
        del disable_tqdm
        return [
            -rolling_nats(self.lm, request.args[0].encode(), stride=self.lm.context)
            for request in requests
        ]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return greedy continuations up to a stop text; only of spike's own models.

        Raises:
            SpikeError: the model is not spike's own.
        """
        del disable_tqdm
        if not isinstance(self.lm, SpikeLM):
            raise SpikeError(f"{self.lm.name}: cannot generate here; use --model hf")
        return [_continuation(self.lm, *request.args) for request in requests]


def _continuation(lm: SpikeLM, prompt: str, options: dict[str, Any]) -> str:
    stops = options.get("until") or []
    kept, rest, sampled = continue_prompt(
        lm.model,
        lm.tokenizer,
        prompt.encode(),
        options.get("max_gen_toks", NEW_TOKENS),
        SamplingParams(temperature=0),
    )
    texts = text_after(lm.tokenizer, kept, rest, sampled)
    return "".join(up_to_any(texts, [stops] if isinstance(stops, str) else stops))


if "spike" not in model_registry:
    model_registry.register("spike")(HarnessModel)

if __name__ == "__main__":
    cli_evaluate()
