"""Result rows: at most six per command, first those that a user decides by."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .results import lasted, sized, some, table_lines
from .xz_baseline import beside

# Tokens in a window of `base` and of `bese-golf-tiny`, which `spike shard` suggests.
WINDOW = 256
# Digits of a fingerprint that distinguish two artefacts for people; --verbose has all of them.
SHORT = 12
# Sections of an artifact and parts of a model that are small, and `weights`, which is its parts.
REST = {"other", "config", "lineage", "arrays", "trained-ids", "weights"}


def tokenizer_rows(file: Path, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a tokenizer, as `summary` describes it."""
    ids = f"{found['vocab_size']:,} ids, {found['special_tokens']:,} of them special"
    reserved = f", {found['reserved']:,} reserved" if found["reserved"] else ""
    lossless = "lossless" if found["lossless"] else "not lossless: texts may share their ids"
    rows = {
        "file": str(file),
        "vocabulary": ids + reserved,
        "algorithm": f"{found['algorithm']}, {lossless}",
    }
    training: dict[str, Any] = {  # a file may come from anyone, and a published one has none
        key: value for key, value in found["training"].items() if isinstance(value, int | float)
    }
    for key, text in (("held_out_bytes_per_token", "held-out"), ("bytes_per_token", "training")):
        if training.get(key):
            rows["tokens"] = f"{training[key]:.2f} bytes each, on {text} text"
            break
    if "documents" in training and "bytes" in training:
        size = f"{some(training['documents'], 'document')}, {sized(training['bytes'])}"
        sample = training.get("sampled_bytes", 0) if training.get("sampled") else 0
        rows["trained on"] = size + (f" ({sized(sample)} of it sampled)" if sample else "")
    return rows | {"fingerprint": found["fingerprint"][:SHORT]}


def shard_rows(folder: Path, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a shard folder, as `describe` describes it."""
    rows = {
        "shards": f"{folder}, {some(found['shards'], 'file')}, {sized(found['shard_bytes'])}",
    }
    for split in ("train", "validation"):
        documents = found[f"{split}_documents"]
        rows[split] = "none"
        if documents:
            tokens, size = found[f"{split}_tokens"], sized(found[f"{split}_bytes"])
            rows[split] = f"{some(documents, 'document')}, {some(tokens, 'token')}, {size} of text"
        if documents and f"{split}_trained_tokens" in found:
            rows[split] += f"; {some(found[f'{split}_trained_tokens'], 'token')} of replies"
    if found["bytes_per_token"]:
        rows["tokens"] = f"{found['bytes_per_token']:.2f} bytes each"
    if found["dropped"]:
        from datapipe.sources.bad_records import first_input

        reasons = ", ".join(f"{number:,} {why}" for why, number in found["dropped"].items())
        lost = found.get("lost_bytes")
        reasons += f"; {lost:,} bytes without records" if lost else ""
        records = some(sum(found["dropped"].values()), "record")
        if "dropped_inputs" in found:  # folders of older versions do not have it
            records += f" of {first_input(found['dropped_inputs'])}"
        rows["left out"] = f"{records}: {reasons}"
    return rows | {"fingerprint": found["fingerprint"][:SHORT]}


def training_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a training: its score, beside that of `xz -9` on the same text."""
    rows = {"run": f"{found['run']}, step {found['step']:,}"}
    for key in sorted(found):
        if key.startswith("validation_") and found[key] is not None:
            name = key.removeprefix("validation_").removeprefix("reply_").replace("_", " ")
            what = "validation replies" if "reply" in key else "validation"
            rows[what] = f"{found[key]:.4f} {name}"
    if len(rows) == 1:
        rows["validation"] = "not measured yet" if found["stopped"] else "none"
        for key, value in found.items():
            if key.startswith("train_") and value is not None:
                unit = key.removeprefix("train_").removeprefix("reply_").replace("_", " ")
                rows["reply loss" if "reply" in key else "training loss"] = f"{value:.4f} {unit}"
    elif found.get("xz_bits_per_byte") is not None:
        rows["xz -9"] = f"{beside(found['xz_bits_per_byte'], 1)}, the same text"
    if found["already_finished"]:
        return rows | {"tokens": f"{found['tokens']:,}; the run was finished already"}
    return rows | {"tokens": f"{found['tokens']:,} in {lasted(found['seconds'])}"}


def dry_run_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a training that is only planned: sizes, data, validation and costs."""
    training = f"{found['tokens']:,} tokens"
    if found["epochs"] is not None:
        training += f", {found['epochs']:.2f} epochs over the data"
    validation = {
        None: "unknown without shards of this vocabulary (--data)",
        0: "none (spike shard --validation holds text out)",
    }
    windows = found["validation_windows"]
    rows = {
        "model": f"{found['parameters']:,} parameters, {found['vocab_size']:,} ids",
        "training": training,
        "validation": validation.get(windows) or some(windows, "window"),
    }
    time, memory = lasted(found["estimated_seconds"]), sized(found["estimated_memory_bytes"])
    rows["estimate"] = f"{time} and {memory} of memory on {found['device']}"
    return rows | {"estimated from": found["estimated_from"]}


def after_tokenizer(file: Path, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command that shards a tokenizer's training text, into a new folder."""
    inputs = () if found["inputs"] else ("FILE",)  # a pipe cannot be read twice
    folder = "data" if not Path("data").exists() else f"{file.stem}-data"
    return ("spike", "shard", *inputs, "--tokenizer", str(file), "--out", folder)


def after_sharding(folder: Path, found: Mapping[str, Any], algorithm: str) -> tuple[str, ...]:
    """Return the command that trains on shards, if they have a window; chats from a run."""
    if found["train_tokens"] < WINDOW:
        return ()
    preset = "bese-golf-tiny" if algorithm == "bese" else "base"
    words = ("spike", "train", "--config", preset, "--data", str(folder))
    if not Path("runs", preset).exists():
        return words
    if "train_trained_tokens" in found:
        return (*words, "--init", "runs/base", "--out", "runs/chat")
    return (*words, "--out", f"runs/{folder.resolve().name}")


def after_training(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command that usually follows a whole training: chat or generate."""
    if found["stopped"]:
        return ()
    return ("spike", "chat" if "reply_loss" in found else "generate", found["run"])


def score_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a score, of a predictor's parts, or of a rule that is no rate."""
    if "total_instead_of_1" in found:
        return rule_rows(found)
    rows = {
        "model": f"{found['run']}, step {found['step']:,}",
        "score": "none, for the text is empty",
    }
    name = next(key for key in found if key.endswith("bits_per_byte") and "xz" not in key)
    reply = "reply_" if name.startswith("reply_") else ""
    if found[name] is not None:
        rows["score"] = f"{found[name]:.4f} {name.replace('_', ' ')}"
    if "xz_bits_per_byte" in found:
        same = ", the same bytes" if found["xz_bits_per_byte"] is not None else ""
        rows["xz -9"] = beside(found["xz_bits_per_byte"], found[f"{reply}bytes"]) + same
    what = "conversation" if reply else "document"
    texts = some(found[f"{what}s"], what)
    size, tokens = found[f"{reply}bytes"], some(found[f"{reply}tokens"], "token")
    rows["text"] = f"{texts}, {some(size, 'byte')}, {tokens}"
    if "coded_bytes" in found:
        rows["verified"] = f"compressed to {found['coded_bytes']:,} bytes, and decompressed"
    if "rungs" in found:
        rows["parts"] = parts_table(found["rungs"])
    if "checks" in found:
        rows["checks"] = checks_phrase(found["checks"])
    for column, groups in found.get("by", {}).items():
        rows[f"by {column}"] = groups_table(groups, column)
    return rows


def parts_table(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the scores of a predictor up to each of its parts as a table.

    >>> print(parts_table({"match": {"bits_per_byte": 1.5, "microseconds_per_token": 20.0}}))
    up to  bits per byte  µs per token
    match         1.5000          20.0
    """
    heading, rows = ["up to"], []
    for part, row in parts.items():
        name = next(key for key in row if key.endswith("bits_per_byte"))
        heading = ["up to", name.replace("_", " "), "µs per token"]
        score = "–" if row[name] is None else f"{row[name]:.4f}"
        cells = [part, score, f"{row['microseconds_per_token']:,.1f}"]
        if "coded_bytes" in row:
            heading, cells = [*heading, "coded bytes"], [*cells, f"{row['coded_bytes']:,}"]
        rows.append(cells)
    return "\n".join(table_lines(heading, rows))


def groups_table(groups: Sequence[Mapping[str, Any]], column: str) -> str:
    """Return the scores of files as a table, the largest files first.

    >>> print(groups_table([{"value": "a.txt", "bytes": 1200, "bits_per_byte": 1.5}], "file"))
    file   bytes  bits per byte
    a.txt  1,200         1.5000
    """
    name = next(key for key in groups[0] if key.endswith("bits_per_byte"))
    cells = [
        [row["value"], f"{row['bytes']:,}", "–" if row[name] is None else f"{row[name]:.4f}"]
        for row in groups
    ]
    return "\n".join(table_lines([column, "bytes", name.replace("_", " ")], cells))


def checks_phrase(checks: Mapping[str, float]) -> str:
    """Return the words for checks that passed: only then is there a score.

    >>> checks = {"distributions": 1056, "farthest_sum_from_1": 2e-16}
    >>> checks_phrase(checks | {"bits_of_random_tokens": 10.147, "least_possible": 10.0})
    'probabilities sum to 1; random tokens cost 10.15 ≥ 10.00 bits'
    """
    random, least = checks["bits_of_random_tokens"], checks["least_possible"]
    return f"probabilities sum to 1; random tokens cost {random:.2f} ≥ {least:.2f} bits"


def rule_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a rule whose numbers are no probabilities."""
    said = found["pseudo_bits_per_byte"]
    number = "–" if said is None else f"{said:.4f}"
    return {
        "rule": f"{number} pseudo bits per byte, which are no bits per byte",
        "sum": f"{found['total_instead_of_1']:,.1f} over all tokens, instead of 1",
        "random tokens": f"{found['pseudo_bits_per_random_token']:.4f} bits by the rule; "
        f"coding them takes {found['bits_per_random_token']:.4f}",
        "text": f"{some(found['bytes'], 'byte')}, {some(found['tokens'], 'token')}",
    }


def compression_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a compressed text."""
    rows = {
        "file": f"{found['out']}, {found['compressed_bytes']:,} of {some(found['bytes'], 'byte')}"
    }
    if found["bits_per_byte"] is not None:
        rows["score"] = f"{found['bits_per_byte']:.4f} bits per byte, header included"
    if "xz_bits_per_byte" in found:
        rows["xz -9"] = beside(found["xz_bits_per_byte"], found["bytes"])
    return rows | {"time": lasted(found["seconds"])}


def artifact_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of an artifact: its size, its parts, and its score where there is one."""
    budget = found.get("budget")
    rows = {
        "file": f"{found['file']}, {some(found['bytes'], 'byte')}"
        + (f" of a budget of {budget:,}" if budget is not None else "")
    }
    for name in ("bits_per_byte", "pseudo_bits_per_byte"):
        if found.get(name) is not None:
            before = found[f"float_{name}"]
            rows["score"] = (
                f"{found[name]:.4f} {name.replace('_', ' ')}; before packing {before:.4f}"
            )
    if found.get("xz_bits_per_byte") is not None:
        rows["xz -9"] = f"{beside(found['xz_bits_per_byte'], 1)}, the same bytes"
    if found["bits_per_weight"] is not None:
        rows["weights"] = f"{found['weights']:,} at {found['bits_per_weight']:.2f} bits each"
    return rows | {"parts": artifact_parts(found)}


def artifact_parts(found: Mapping[str, Any]) -> str:
    """Return the bytes of an artifact as a table: parts of the model, other sections.

    >>> sections = {"config": 50, "tokenizer": 200, "weights": 750}
    >>> parts = {"mlp": 740, "other": 10}
    >>> print(artifact_parts({"bytes": 1000, "parts": parts, "sections": sections}))
    part          bytes  share
    mlp             740   74 %
    tokenizer       200   20 %
    all the rest     60    6 %
    """
    shown = {**found["parts"], **found["sections"]}
    sizes = {name: size for name, size in shown.items() if name not in REST}
    sizes["all the rest"] = found["bytes"] - sum(sizes.values())
    cells = [
        [part, f"{size:,}", f"{100 * size / found['bytes']:.0f} %"] for part, size in sizes.items()
    ]
    return "\n".join(table_lines(["part", "bytes", "share"], cells))
