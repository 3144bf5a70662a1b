"""Documentation of the configuration: docs/configuration.md, and TOML with comments.

`python -m spike_lm.model.config.documentation > docs/configuration.md` writes the page.
"""

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import tomli_w
from msgspec import Meta, Struct

from .loader import dump_config, load_config, preset_summaries, preset_text
from .schema import Config, struct_of

NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text"}
BOUNDS = {"ge": "≥ ", "gt": "> ", "le": "≤ ", "lt": "< ", "multiple_of": "multiple of "}
PAGE = """# Configuration

Generated from the schema by `make docs`; a test keeps it current.
`spike train --config FILE` reads TOML with only the keys that differ from the preset `base`.
With a first line `extends = "NAME"` they differ from that preset or file (relative to this one).
`--set SECTION.KEY=VALUE` changes one more value.
`spike train --config base --print` writes a file to start from.
`spike train --list` names the presets.

| preset | |
| --- | --- |
"""
HEAD = ("| key | type and range | unit | default | |", "| --- | --- | --- | --- | --- |")


@dataclass(frozen=True, slots=True)
class Setting:
    """Setting: a key of the configuration and its documentation."""

    section: str
    key: str
    kind: str
    """Type and range in words."""
    unit: str
    """Empty where the value has none."""
    default: str
    """TOML of the value in preset `base`, or where it lacks the section; empty for none."""
    about: str


def settings() -> Iterator[Setting]:
    """Yield all keys, in the order of `Config`."""
    base = load_config("base")
    for section in Config.__struct_fields__:
        struct = struct_of(section)
        hints, docs = get_type_hints(struct, include_extras=True), attribute_docs(struct)
        present = getattr(base, section)
        for field in msgspec.structs.fields(struct):
            value = field.default if present is None else getattr(present, field.name)
            metadata = metadata_of(hints[field.name])
            yield Setting(
                section=section,
                key=field.name,
                kind=kind_of(hints[field.name]),
                unit=next((one for one in metadata if isinstance(one, str)), ""),
                default="" if value is msgspec.NODEFAULT else toml_value(value),
                about=docs[field.name],
            )


def attribute_docs(struct: type[Struct]) -> dict[str, str]:
    """Return the string below each attribute of a class, on one line."""
    (class_,) = ast.parse(inspect.getsource(struct)).body
    docs, name = {}, ""
    for node in ast.iter_child_nodes(class_):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            docs[name] = " ".join(str(node.value.value).split())
    return docs


def metadata_of(hint: Any) -> tuple[Any, ...]:
    """Return the metadata of an annotated type."""
    return getattr(hint, "__metadata__", ())


def kind_of(hint: Any) -> str:
    """Return a type and its range in words.

    >>> kind_of(Annotated[int, Meta(ge=1, le=8)]), kind_of(Literal["a", "b"])
    ('whole number, ≥ 1, ≤ 8', '`"a"`, `"b"`')
    """
    if get_origin(hint) is Literal:
        return ", ".join(f'`"{choice}"`' for choice in get_args(hint))
    bounds = []
    for meta in metadata_of(hint):
        if isinstance(meta, Meta):
            limits = {name: getattr(meta, name) for name in BOUNDS}
            bounds += [f"{BOUNDS[n]}{shown(limits[n])}" for n in BOUNDS if limits[n] is not None]
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(plain) is tuple:
        kinds = [kind for kind in get_args(plain) if kind is not Ellipsis]
        length = "" if Ellipsis in get_args(plain) else f"{len(kinds)} "
        return f"list of {length}{kind_of(kinds[0])}"
    return ", ".join([NAMES[plain], *bounds])


def shown(limit: float) -> str:
    """Return a limit as text; large floats in powers of ten.

    >>> shown(65536), shown(2**63 - 1), shown(1e12), shown(0.5)
    ('65,536', '2⁶³ - 1', '1e+12', '0.5')
    """
    if limit == 2**63 - 1:
        return "2⁶³ - 1"
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def toml_value(value: Any) -> str:
    """Return a value as TOML.

    >>> toml_value((0.9, 0.95)), toml_value("auto")
    ('[0.9, 0.95]', '"auto"')
    """
    text = tomli_w.dumps({"value": value}).removeprefix("value = ").strip()
    return re.sub(r",?\s*\n\]$", "]", re.sub(r"\[\n\s*", "[", text)).replace("\n    ", " ")


def commented_toml(config: Config) -> str:
    """Return a configuration as TOML, each key with its meaning, unit and range."""
    known = {(one.section, one.key): one for one in settings()}
    lines = []
    for section, keys in tomllib.loads(dump_config(config)).items():
        lines += [f"[{section}]"]
        for key, value in keys.items():
            setting = known[section, key]
            unit = f" ({setting.unit})" if setting.unit else ""
            range_ = setting.kind.replace("`", "")
            lines += [f"# {setting.about}", f"# {range_}{unit}", f"{key} = {toml_value(value)}"]
        lines.append("")
    return "\n".join(lines)


def printed_config(name: str, overrides: tuple[str, ...]) -> str:
    """Return the TOML of a configuration with comments.

    A preset without overrides is its own file, comments included; all else has every key.

    Raises:
        SpikeError: as `load_config`.
    """
    config = load_config(name, overrides)
    text = None if overrides else preset_text(name)
    return commented_toml(config) if text is None else text


def configuration_page() -> str:
    """Return docs/configuration.md."""
    lines = [PAGE.rstrip("\n")]
    lines += [f"| `{name}` | {about} |" for name, about in preset_summaries().items()]
    section, base = "", load_config("base")
    for one in settings():
        if one.section != section:
            section = one.section
            about = (inspect.getdoc(struct_of(section)) or "").split("\n")[0]
            absent = " Absent in `base`." if getattr(base, section) is None else ""
            lines += ["", f"## [{section}]", "", f"{about}{absent}", "", *HEAD]
        default = f"`{one.default}`" if one.default else "none"
        cells = (f"`{one.key}`", one.kind, one.unit or "–", default, one.about)
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
