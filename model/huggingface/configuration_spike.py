"""Sections of a configuration, as the generated file reads them from config.json.

They replace the classes of `config/schema.py` and `config/spikewhale.py`, which check values with a
library that others need not have; exported values have been checked.
"""

from types import SimpleNamespace


class ModelConfig(SimpleNamespace):
    """The keys of `[model]`."""


class GolfConfig(SimpleNamespace):
    """The keys of `[golf]`."""


class SpikeWhaleConfig(SimpleNamespace):
    """The keys of `[spikewhale]`."""
