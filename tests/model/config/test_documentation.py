"""The page and the commented files that are made from the configuration's schema."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from spike_lm.model import Config, load_config, preset_names
from spike_lm.model.config.documentation import configuration_page, printed_config, settings
from spike_lm.model.config.loader import preset_summaries
from spike_lm.model.config.schema import keys_of

ROOT = Path(__file__).parents[3]


def test_the_page_is_current():
    """`make docs` writes it."""
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == configuration_page()


def test_every_key_is_explained():
    found = list(settings())
    assert {(one.section, one.key) for one in found} == {
        (section, key) for section in Config.__struct_fields__ for key in keys_of(section)
    }
    assert all(one.about.endswith(".") for one in found)


def test_defaults_are_those_of_base():
    base = load_config("base")
    for one in settings():
        section = getattr(base, one.section)
        if section is not None:
            value = tomllib.loads(f"value = {one.default}")["value"]
            assert msgspec.json.encode(value) == msgspec.json.encode(getattr(section, one.key))


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("overrides", [(), ("train.steps=3",)])
def test_what_is_printed_reads_as_the_same_configuration(name, overrides, tmp_path):
    (tmp_path / "mine.toml").write_text(printed_config(name, overrides), encoding="utf-8")
    assert load_config(str(tmp_path / "mine.toml")) == load_config(name, overrides)


def test_each_preset_has_a_line():
    for line in preset_summaries().values():
        assert 20 < len(line) < 96
        assert line.endswith(".")
