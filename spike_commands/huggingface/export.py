"""`spike export`: write tokenizers and models as other libraries load them."""

import json
from importlib.util import find_spec
from pathlib import Path

import click

from spiketok.errors import SpikeError

from ..console import (
    OUTPUT,
    PATH,
    callbacks,
    common_options,
    misnamed,
    remark,
    use_passive_omp_wait,
)
from ..results import print_result, result_options, some


@click.group()
def export() -> None:
    """Write tokenizers and models for Hugging Face transformers."""


@export.command(short_help="Write a tokenizer for AutoTokenizer.")
@click.argument("file", type=PATH, default=Path("tokenizer.json"))
@misnamed("--out", "--to")
@click.option("--to", "folder", type=OUTPUT, required=True, help="Output folder; empty or new.")
@click.option(
    "--fast",
    is_flag=True,
    help="Write a fast tokenizer, of the tokenizers library, without code.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["huggingface", "tiktoken"]),
    default="huggingface",
    show_default=True,
    help="tiktoken: not possible; prints the reason.",
)
@result_options
@common_options
def tokenizer(
    file: Path,
    folder: Path,
    fast: bool,
    format_: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write length-max tokenizer FILE as a folder for AutoTokenizer of transformers.

    The folder has code, so load it with trust_remote_code=True; the code does not need spike. The
    vocabulary is also in it as spike_tokenizer.json, which spike can read. docs/huggingface.md
    has the details and the limits of --fast.

    \b
    Examples:
      spike export tokenizer --to my-tokenizer/
      spike export tokenizer published.json --to my-tokenizer/ --json
      spike export tokenizer tokenizer.json --to my-fast-tokenizer/ --fast
    """
    if format_ == "tiktoken":
        raise SpikeError(
            "tiktoken: its ranks order merges of token pairs, which longest match does not have; "
            "use --format huggingface (docs/huggingface.md has an example)"
        )
    from .tokenizer_export import export_file

    found = export_file(file, folder, fast)
    rows = {
        "folder": f"{folder}, {some(len(found['files']), 'file')}",
        "vocabulary": f"{found['vocab_size']:,} ids",
        "class": "PreTrainedTokenizerFast" if fast else "SpikeTokenizer, with code in the folder",
    }
    trust = "" if fast else ", trust_remote_code=True"
    path = json.dumps(str(folder))
    code = (
        "from transformers import AutoTokenizer as T; "
        f'print(T.from_pretrained({path}{trust})("hello"))'
    )
    print_result(found, as_json, rows, ("python", "-c", code))
    remark_missing_transformers(quiet or as_json)


@export.command(short_help="Write a model for AutoModelForCausalLM.")
@click.argument("run", type=PATH)
@misnamed("--out", "--to")
@click.option("--to", "folder", type=OUTPUT, required=True, help="Output folder; empty or new.")
@result_options
@common_options
def model(run: Path, folder: Path, as_json: bool, quiet: bool) -> None:
    """Write the model of RUN as a folder for AutoModelForCausalLM of transformers.

    A plain transformer becomes a stock Qwen3 model, which needs no code. Other families, and
    options that Qwen3 lacks, come with a generated modeling file: load them with
    trust_remote_code=True; spike is not needed. `spike import` makes a run folder of the result.
    Task scores that `spike eval --save-results` saved for these weights are in its model card.

    \b
    Examples:
      spike export model runs/base --to my-model/
      spike export model runs/escarda-tiny --to my-whale/ --json
    """
    use_passive_omp_wait()
    from spike_lm.model.huggingface import export_model

    from ..tasks.card import card_scores

    scores, beside = card_scores(run, callbacks(quiet))
    done = export_model(run, folder, scores, beside)
    if done.beyond_stock:
        remark(f"not a stock Qwen3 model because of: {', '.join(done.beyond_stock)}", quiet)
    if done.left_out:
        remark(f"left out, because only training needs them: {', '.join(done.left_out)}", quiet)
    found = {
        "folder": str(folder),
        "files": done.files,
        "class": done.model_class,
        "beyond_stock": done.beyond_stock,
        "left_out": done.left_out,
    }
    code = "a stock class" if not done.beyond_stock else "its code is in the folder"
    rows = {
        "folder": f"{folder}, {some(len(done.files), 'file')}",
        "class": f"{done.model_class}, {code}",
    }
    words = (
        "from transformers import pipeline as p; "
        f'print(p("text-generation", {json.dumps(str(folder))}, trust_remote_code=True)'
        '("The", max_new_tokens=50))'
    )
    print_result(found, as_json, rows, ("python", "-c", words))
    remark_missing_transformers(quiet or as_json)


def remark_missing_transformers(quiet: bool) -> None:
    """Print a remark if the library which loads the folder is not installed."""
    if find_spec("transformers") is None:
        remark(
            "transformers is not installed; to load the folder: pip install transformers",
            quiet,
        )
