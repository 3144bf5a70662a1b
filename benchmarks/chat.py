"""Prepares the data of the small chat model, and counts which of its answers end in format.

    python benchmarks/chat.py data FOLDER
    python benchmarks/chat.py ask RUN FOLDER/held-out.jsonl [--questions 200] [--max-tokens 128]

`data` writes conversations.jsonl, held-out.jsonl (every 51st of each file), and for the base model
text.jsonl (what the conversations say, without markers) and books.jsonl. `ask` begins each
conversation of a file up to the first reply and lets the model write that. docs/chat.md has the
commands between the two.
"""

import argparse
import gzip
import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from corpora import SHARED

from datapipe import read_conversation
from spike_lm.model.inference.chat import add_user_turn, begin_conversation, generate_reply
from spike_lm.model.inference.reply import finish_reason
from spike_lm.model.inference.sampling import SamplingParams
from spike_lm.model.runs.folder import load_run
from spiketok import Message

WITHOUT_ANSWERS = "mt_bench"
HELD_OUT = 51
# Shorter books, so that there are many.
MAX_BOOK = 200_000


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data").add_argument("folder", type=Path)
    asking = commands.add_parser("ask")
    asking.add_argument("run", type=Path)
    asking.add_argument("conversations", type=Path)
    asking.add_argument("--questions", type=int, default=200)
    asking.add_argument("--max-tokens", type=int, default=128)
    asking.add_argument("--temperature", type=float, default=0.0)
    options = parser.parse_args()
    if options.command == "data":
        write_data(options.folder)
    else:
        print(json.dumps(asked(options), indent=2))


def write_data(folder: Path) -> None:
    """Write the files of `data`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {"conversations": [], "held-out": [], "text": [], "books": []}
    for file in sorted((SHARED / "sft_chat").iterdir()):
        if file.name.startswith(WITHOUT_ANSWERS):
            continue
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        for number, line in enumerate(content.decode().removesuffix("\n").split("\n"), 1):
            if number % HELD_OUT == 0:
                lines["held-out"].append(line)
                continue
            lines["conversations"].append(line)
            lines["text"].append(json.dumps({"text": spoken(line)}))
    books = pq.read_table(SHARED / "books_en/books-00.parquet", columns=["text"])["text"]
    short = (text for text in books.to_pylist() if len(text) <= MAX_BOOK)
    lines["books"] = [json.dumps({"text": text}) for text in short]
    for name, found in lines.items():
        (folder / f"{name}.jsonl").write_text("\n".join(found) + "\n")


def spoken(line: str) -> str:
    """Return what a conversation says, parts apart by empty lines."""
    said = read_conversation(json.loads(line), parse_markers=True)
    texts = (part.text.strip() for _, parts in said for part in parts)
    return "\n\n".join(text for text in texts if text)


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """Ask the first questions of the conversations; count how the answers end."""
    run = load_run(options.run)
    drawing = SamplingParams(temperature=options.temperature)
    ends: Counter[str] = Counter()
    tokens, skipped, started = 0, 0, time.perf_counter()
    found = (first_question(line) for line in options.conversations.open())
    for system, question in islice((pair for pair in found if pair), options.questions):
        conversation = begin_conversation(run.model, run.tokenizer, system, run.trained_ids)
        room = run.config.model.context - options.max_tokens
        if len(conversation.system) + len(run.tokenizer.encode(question)) + 16 > room:
            skipped += 1
            continue
        add_user_turn(conversation, question, options.max_tokens)
        ids = list(generate_reply(conversation, drawing, options.max_tokens))
        ends[finish_reason(conversation, options.max_tokens, ids, stopped=False)] += 1
        tokens += len(ids)
    seconds = time.perf_counter() - started
    return {"ended": dict(ends), "too long to ask": skipped, "tokens": tokens, "seconds": seconds}


def first_question(line: str) -> tuple[str, str] | None:
    """Return the system prompt and the question before the first reply."""
    said: list[Message] = list(read_conversation(json.loads(line), parse_markers=True))
    system = said.pop(0).parts[0].text if said[0].role == "system" else ""
    return (system, said[0].parts[0].text) if said[0].role == "user" else None


if __name__ == "__main__":
    main()
