"""Reads a configuration from TOML, and refuses every mistake with the place and the mend.

A file says only what differs from the preset `base`; overrides come on top. What results has every
key, and that is what a run folder keeps.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from spiketok.errors import SpikeError, unreadable

from .compress_config import compress_problems, parse_qat
from .config import Config, GolfConfig, choices_of, keys_of
from .spikewhale_config import SpikeWhaleConfig

Sections = dict[str, dict[str, Any]]
# What an id's code is made of; blocks/engram.py, which needs torch, says the same.
ID_BITS = 24


def load_config(path_or_preset: str, overrides: Sequence[str] = ()) -> Config:
    """Read a file, or the preset of that name where no such file exists.

    Args:
        path_or_preset: a TOML file, or a preset's name with or without `.toml`.
        overrides: `section.key=value`, the value in TOML or a bare string.

    Raises:
        SpikeError: the file cannot be read, or a key or value is not legal.

    >>> load_config("base", ["train.steps=7"]).train.steps
    7
    """
    origin, text = _read(path_or_preset)
    sections = _parse("preset base", _preset_text("base"))
    _merge(sections, _parse(origin, text), origin)
    for override in overrides:
        _merge(sections, _parse_override(override), f"override {override}")
        _check_types(sections, f"override {override}")
    return _checked(sections, origin)


def config_of_sections(changes: Mapping[str, Any], origin: str) -> Config:
    """Return the preset `base` with these sections and keys laid over it.

    Args:
        changes: section → key → value.
        origin: where they are from, for messages.

    Raises:
        SpikeError: a key or value is not legal.

    >>> config_of_sections({"model": {"layers": 2}}, "here").model.layers
    2
    """
    sections = _parse("preset base", _preset_text("base"))
    _merge(sections, changes, origin)
    return _checked(sections, origin)


def parse_config(origin: str, text: str) -> Config:
    """Read the text of a configuration; `origin` is what messages call it.

    Raises:
        SpikeError: as `load_config`.
    """
    sections = _parse("preset base", _preset_text("base"))
    _merge(sections, _parse(origin, text), origin)
    return _checked(sections, origin)


def dump_config(config: Config) -> str:
    """Write a configuration as TOML: every key, in the order of `Config`.

    Later keys, those with a default in `config.py`, are written only where they differ from it.

    >>> dump_config(load_config("base")).startswith("[model]")
    True
    """
    return tomli_w.dumps(_written(config))


def _written(struct: msgspec.Struct) -> Sections:
    """Return a struct's keys and values without those to be left out.

    The option `omit_defaults` of msgspec knows defaults by identity; a number equal to one is one.
    """
    written = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, msgspec.Struct):
            value = _written(value)
        if field.required or not struct.__struct_config__.omit_defaults or value != field.default:
            written[field.name] = value
    return written


def config_fingerprint(config: Config) -> str:
    """Return the sha256 of the configuration's TOML; where data and teachers lie is left out.

    >>> config_fingerprint(load_config("base")) == config_fingerprint(
    ...     load_config("base", ["data.path=elsewhere"])
    ... )
    True
    """
    replace = msgspec.structs.replace
    anywhere = replace(config, data=replace(config.data, path=""))
    if config.distill:
        nameless = ("",) * len(config.distill.teachers)
        anywhere = replace(anywhere, distill=replace(config.distill, teachers=nameless))
    return hashlib.sha256(dump_config(anywhere).encode()).hexdigest()


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package, sorted."""
    folder = files(__package__) / "presets"
    names = [entry.name for entry in folder.iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _read(path_or_preset: str) -> tuple[str, str]:
    """Return what to call the source in messages, and its text."""
    path = Path(path_or_preset)
    if path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise unreadable(path, error) from None
        except UnicodeDecodeError as error:
            raise SpikeError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    name = path_or_preset.removesuffix(".toml")
    presets = preset_names()
    if name not in presets:
        raise SpikeError(
            f"{path_or_preset}: neither a file nor a preset (presets: {', '.join(presets)})"
        )
    return f"preset {name}", _preset_text(name)


def _preset_text(name: str) -> str:
    return (files(__package__) / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def _parse(origin: str, text: str) -> Sections:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpikeError(f"{origin}: not TOML: {error}") from None


def _parse_override(override: str) -> Sections:
    place, equals, text = override.partition("=")
    section, dot, key = place.strip().partition(".")
    if not (equals and dot and section and key):
        homes = [name for name in Config.__struct_fields__ if place.strip() in keys_of(name)]
        mend = f"; perhaps {homes[0]}.{override.strip()}" if equals and homes else ""
        raise SpikeError(f"override {override}: expected section.key=value{mend}")
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = {}
    value = parsed["value"] if list(parsed) == ["value"] else text.strip()
    return {section: {key: value}}


def _merge(sections: Sections, changes: Mapping[str, Any], origin: str) -> None:
    """Lay `changes` over `sections`, refusing sections and keys that do not exist."""
    for section, keys in changes.items():
        _check_known(section, Config.__struct_fields__, origin, section)
        if not isinstance(keys, dict):
            raise SpikeError(f"{origin}: {section}: expected a table, [{section}]")
        merged = sections.setdefault(section, {})
        for key, value in keys.items():
            _check_known(key, keys_of(section), origin, f"{section}.{key}")
            merged[key] = value


def _check_known(name: str, known: Iterable[str], origin: str, place: str) -> None:
    names = list(known)
    if name in names:
        return
    close = difflib.get_close_matches(name, names, n=1)
    mend = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(names)}"
    raise SpikeError(f"{origin}: {place}: no such key; {mend}")


def _check_types(sections: Sections, origin: str) -> Config:
    try:
        return msgspec.convert(sections, Config)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        place = place.strip("`").removeprefix("$.")
        what = f"{message[:1].lower()}{message[1:]}"
        section, _, key = place.partition(".")
        if section in Config.__struct_fields__ and (choices := choices_of(section, key)):
            what += f"; known here: {', '.join(choices)}"
        raise SpikeError(f"{origin}: {place}: {what}") from None


def _checked(sections: Sections, origin: str) -> Config:
    """Check types, ranges and the rules that hold between keys."""
    config = _check_types(sections, origin)
    model, train, schedule = config.model, config.train, config.schedule
    problems: dict[str, str | bool | int] = {
        "model.heads": model.heads % model.kv_heads
        and f"{model.heads} is no multiple of model.kv_heads = {model.kv_heads}",
        "train.batch": train.batch % train.micro_batch
        and f"{train.batch} is no multiple of train.micro_batch = {train.micro_batch}",
        "schedule.decay_fraction": schedule.warmup_fraction + schedule.decay_fraction > 1
        and "more than 1 together with schedule.warmup_fraction",
        "averaging.exported": _missing_mean(config),
        "distill.teachers": config.distill is not None
        and not config.distill.teachers
        and 'name at least one run folder, as ["runs/large"]',
    }
    if config.golf:
        problems |= _golf_problems(config, config.golf)
    if config.spikewhale:
        problems |= _spikewhale_problems(config, config.spikewhale)
    if config.compress:
        problems |= compress_problems(config.compress) or _unreached_rate(config)
    for place, problem in problems.items():
        if problem:
            raise SpikeError(f"{origin}: {place}: {problem}")
    return config


def _missing_mean(config: Config) -> str | bool:
    """Say that the mean to be exported is not kept."""
    kept = config.averaging
    if kept is None:
        return False
    wanted = {"ema": ("ema_decay", kept.ema_decay), "swa": ("swa_every", kept.swa_every)}
    key, value = wanted.get(kept.exported, ("", 1))
    return not value and f"{kept.exported}, but averaging.{key} is 0"


def _unreached_rate(config: Config) -> dict[str, str]:
    """Say that the learning rates never fall to where rounding is to begin."""
    start = parse_qat(config.compress.qat) if config.compress else None
    schedule = config.schedule
    lowest = 0.0 if schedule.decay_shape == "adaptive-cosine" else schedule.final_ratio
    if not (schedule.decay_fraction or schedule.decay_steps):
        lowest = 1.0
    if start is None or start.kind != "rate" or lowest < start.value:
        return {}
    return {"compress.qat": f"the learning rates never fall below {start.value}; see [schedule]"}


def _golf_problems(config: Config, golf: GolfConfig) -> dict[str, str | bool | int]:
    """Return what is wrong between the keys of a golf model, per place."""
    model, loop = config.model, golf.loop_layers
    problems: dict[str, str | bool | int] = {
        "model.tied_embeddings": not model.tied_embeddings and "the golf family ties its tables",
        "golf.rotary_width": golf.rotary_width > model.head_width
        and f"{golf.rotary_width} is more than model.head_width = {model.head_width}",
        "golf.loop_layers": any(after != layer + 1 for layer, after in pairwise(loop))
        and "layers that follow one another are needed",
        "golf.bigram_rows": golf.bigram_rows == 1 and "0 or at least 2 are needed",
        "golf.memory_tokens": golf.memory_tokens >= model.context
        and f"{golf.memory_tokens} leave nothing of model.context = {model.context}",
    }
    for key in ("exclusive_layers", "parallel_layers", "value_layers"):
        problems[f"golf.{key}"] = getattr(golf, key) > model.layers and (
            f"more than model.layers = {model.layers}"
        )
    if loop and max(loop) >= model.layers:
        problems["golf.loop_layers"] = f"{max(loop)} is past the last layer, {model.layers - 1}"
    return problems


def _spikewhale_problems(config: Config, whale: SpikeWhaleConfig) -> dict[str, str | bool | int]:
    """Return what is wrong between the keys of a SpikeWhaleLM, per place."""
    model, expert_layers = config.model, whale.expert_layers
    return {
        "spikewhale": config.golf is not None and "a model is of one family; remove [golf]",
        "model.tied_embeddings": not model.tied_embeddings and "SpikeWhaleLM ties its tables",
        "spikewhale.rotary_width": whale.rotary_width > model.head_width
        and f"{whale.rotary_width} is more than model.head_width = {model.head_width}",
        "spikewhale.engram_rows": bool(whale.engram_rows)
        and model.width < ID_BITS
        and f"an engram needs model.width ≥ {ID_BITS}",
        "spikewhale.expert_layers": max(expert_layers, default=0) >= model.layers
        and f"{max(expert_layers, default=0)} is past the last layer, {model.layers - 1}",
        "spikewhale.experts_chosen": whale.experts_chosen > whale.experts
        and f"{whale.experts_chosen} is more than spikewhale.experts = {whale.experts}",
    }
