"""Configuration loader: TOML files and presets; errors name the place and the fix.

A file has only what differs from the preset `base`, or from the preset or file that it `extends`.
Overrides come last. The result has every key, and a run folder keeps it.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from spiketok.errors import SettingError, SpikeError, parse_failures, parse_fault
from spiketok.regular_files import names_file, read_regular

from .checks import problems_between_keys, type_problem
from .renamed import check_known
from .schema import Config, keys_of

Sections = dict[str, dict[str, Any]]
# Key of a file, before its sections: the preset or file that it changes.
EXTENDS = "extends"
# Characters of a file, and dots in one of its lines.
MAX_TOML, MAX_DOTS = 1 << 18, 200
# Characters of an override that a message quotes.
MAX_SHOWN = 100


def load_config(path_or_preset: str, overrides: Sequence[str] = ()) -> Config:
    """Read a file, or the preset of that name where no such file exists.

    Args:
        path_or_preset: a TOML file, or a preset's name with or without `.toml`.
        overrides: `section.key=value`, the value in TOML or a bare string.

    Raises:
        SettingError: there is no such file or preset, or an override is not legal.
        SpikeError: the file cannot be read, or a key or value of it is not legal.

    >>> load_config("base", ["train.steps=7"]).train.steps
    7
    """
    origin, sections = _extended(path_or_preset, None, ())
    if overrides:
        _check_types(sections, origin)
    changed = deepcopy(sections)
    for override in overrides:
        _override(changed, override)
    try:
        return _checked(changed, origin)
    except SpikeError as error:
        if not overrides:
            raise
        _checked(sections, origin)  # raises where the file itself is wrong
        raise SettingError("--set", str(error).removeprefix(f"{origin}: ")) from None


def config_of_sections(changes: Mapping[str, Any], origin: str) -> Config:
    """Return the preset `base`, updated with these sections and keys.

    Args:
        changes: section → key → value.
        origin: their source, for messages.

    Raises:
        SpikeError: a key or value is not legal.

    >>> config_of_sections({"model": {"layers": 2}}, "here").model.layers
    2
    """
    sections = _parse("preset base", _preset_text("base"))
    _merge(sections, changes, origin)
    return _checked(sections, origin)


def parse_config(origin: str, text: str) -> Config:
    """Read the text of a configuration; `origin` names it in messages.

    Raises:
        SpikeError: as `load_config`.
    """
    return config_of_sections(_parse(origin, text), origin)


def dump_config(config: Config) -> str:
    """Write a configuration as TOML: every key, in the order of `Config`.

    Later keys, those with a default in `schema.py`, are written only where they differ from it.

    >>> dump_config(load_config("base")).startswith("[model]")
    True
    """
    return tomli_w.dumps(_written(config))


def _written(struct: msgspec.Struct) -> Sections:
    """Return a struct's keys and values without omitted defaults.

    The option `omit_defaults` of msgspec compares by identity; here equal numbers are defaults.
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
    """Return the sha256 of the configuration's TOML but `[log]`, `[tasks]` and the paths of inputs.

    >>> config_fingerprint(load_config("base")) == config_fingerprint(
    ...     load_config("base", ["data.path=elsewhere"])
    ... )
    True
    """
    replace = msgspec.structs.replace
    anywhere = replace(config, data=replace(config.data, path=""), log=None, tasks=None)
    if config.distill:
        nameless = ("",) * len(config.distill.teachers)
        anywhere = replace(anywhere, distill=replace(config.distill, teachers=nameless))
    return hashlib.sha256(dump_config(anywhere).encode()).hexdigest()


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package, sorted."""
    folder = files(__package__) / "presets"
    names = [entry.name for entry in folder.iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _extended(
    path_or_preset: str, folder: Path | None, seen: tuple[str, ...]
) -> tuple[str, Sections]:
    """Return the name of a source for messages, and its sections merged into those it extends.

    Args:
        path_or_preset: as in `load_config`.
        folder: base of relative paths; None: the working folder.
        seen: the sources that extend this one.
    """
    origin, text = _read(path_or_preset, folder, seen[-1] if seen else "")
    changes: dict[str, Any] = _parse(origin, text)
    for section in changes:
        check_known(section, (EXTENDS, *Config.__struct_fields__), origin, section)
    parent = changes.pop(EXTENDS, "base")
    if not isinstance(parent, str):
        raise SpikeError(f'{origin}: {EXTENDS} is no text; name a preset or file, as "base"')
    if origin in seen:
        raise SpikeError(f"{origin}: extends itself; name another preset or file")
    if origin == "preset base":
        return origin, changes
    in_folder = Path(origin).parent if Path(origin).is_file() else None
    _, sections = _extended(parent, in_folder, (*seen, origin))
    _merge(sections, changes, origin)
    return origin, sections


def config_source(path_or_preset: str) -> str:
    """Return, in words, whether a name means a file or a preset.

    >>> config_source("base"), config_source("nowhere/base.toml")
    ('preset base', 'preset nowhere/base')
    """
    path = Path(path_or_preset)
    return f"file {path}" if names_file(path) else f"preset {path_or_preset.removesuffix('.toml')}"


def _read(path_or_preset: str, folder: Path | None, child: str) -> tuple[str, str]:
    """Return the name of the source for messages, and its text.

    Args:
        path_or_preset: as in `load_config`.
        folder: as in `_extended`.
        child: the source that extends it; empty where it is named on the command line.
    """
    path = (folder or Path()) / path_or_preset
    if names_file(path):
        with parse_failures(path, "save it as UTF-8 text"):
            return str(path), read_regular(path, 4 * MAX_TOML).decode("utf-8-sig")
    name = path_or_preset.removesuffix(".toml")
    presets = preset_names()
    if name not in presets:
        close = difflib.get_close_matches(name, presets, n=1)
        meant = f"did you mean `{close[0]}`? All " if close else ""
        fault = (
            f"neither a file nor a preset; {meant}presets: {', '.join(presets)} "
            "(spike train --list describes them)"
        )
        if child:
            raise SpikeError(f"{child}: {EXTENDS}: {path_or_preset}: {fault}")
        raise SettingError(path_or_preset, fault)
    return f"preset {name}", _preset_text(name)


def preset_summaries() -> dict[str, str]:
    """Return the names of the presets and the first line of each one's comment."""
    return {name: _preset_text(name).split("\n")[0].lstrip("# ") for name in preset_names()}


def preset_text(name: str) -> str | None:
    """Return the TOML of the preset that a name means; None where it means a file or nothing."""
    preset = name.removesuffix(".toml")
    return None if names_file(Path(name)) or preset not in preset_names() else _preset_text(preset)


def _preset_text(name: str) -> str:
    return (files(__package__) / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def _parse(origin: str, text: str) -> Sections:
    with parse_failures(origin, "correct the TOML"):
        return _loads(text)


def _loads(text: str) -> dict[str, Any]:
    """Parse TOML of a bounded size; ValueError names the problem.

    The time of `tomllib` is quadratic in the parts of a dotted key.
    """
    if len(text) > MAX_TOML:
        raise ValueError(f"more than {MAX_TOML:,} characters")
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ValueError("nested too deeply")
    return tomllib.loads(text)


def _override(sections: Sections, override: str) -> None:
    """Set one `section.key=value` in `sections`."""
    origin = f"--set {override}"
    try:
        _merge(sections, _parse_override(override), origin)
        _check_types(sections, "")
    except SpikeError as error:
        shown = origin if len(origin) <= MAX_SHOWN else f"{origin[:MAX_SHOWN]}…"
        raise SettingError(shown, str(error).removeprefix(f"{origin}: ")) from None


def _parse_override(override: str) -> Sections:
    place, equals, text = override.partition("=")
    section, dot, key = place.strip().partition(".")
    if not (equals and dot and section and key):
        homes = [name for name in Config.__struct_fields__ if place.strip() in keys_of(name)]
        example = f", as {homes[0]}.{override.strip()}" if equals and homes else ""
        fault = "no value" if dot and not equals else "no section or key"
        raise SpikeError(f"--set {override}: {fault}; write section.key=value{example}")
    try:
        parsed = _loads(f"value = {text}")
    except (ValueError, RecursionError):  # a bare string, or a value that the type check rejects
        parsed = {}
    value = parsed["value"] if list(parsed) == ["value"] else text.strip()
    return {section: {key: value}}


def _merge(sections: Sections, changes: Mapping[str, Any], origin: str) -> None:
    """Merge `changes` into `sections`; raise for sections and keys that do not exist."""
    for section, keys in changes.items():
        check_known(section, Config.__struct_fields__, origin, section)
        if not isinstance(keys, dict):
            raise SpikeError(f"{origin}: {section}: not a table; write [{section}]")
        merged = sections.setdefault(section, {})
        for key, value in keys.items():
            check_known(key, keys_of(section), origin, f"{section}.{key}")
            _check_utf8(value, f"{origin}: {section}.{key}")
            merged[key] = value


def _check_utf8(value: Any, place: str) -> None:
    """Raise for texts that a file cannot hold: arguments and paths that are not UTF-8."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise SpikeError(f"{place}: not UTF-8; write or rename it in UTF-8")


def _check_types(sections: Sections, origin: str) -> Config:
    try:
        return msgspec.convert(sections, Config)
    except msgspec.ValidationError as error:
        problem = type_problem(str(error), sections)
        raise SpikeError(f"{origin}: {problem}" if origin else problem) from None
    except ValueError as error:
        place = origin or "a value of --set"
        raise SpikeError(f"{place}: {parse_fault(error)}; correct it") from None


def _checked(sections: Sections, origin: str) -> Config:
    """Check types, ranges and the rules that hold between keys."""
    config = _check_types(sections, origin)
    for place, problem in problems_between_keys(config).items():
        if problem:
            raise SpikeError(f"{origin}: {place}: {problem}")
    return config
