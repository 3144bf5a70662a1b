"""Configuration sections as the generated file reads them from config.json.

They replace the classes of `config/schema.py` and `config/spikewhale.py`, which check values with
msgspec, so that the file does not need it. Exported values have been checked.
"""

from types import SimpleNamespace


class ModelConfig(SimpleNamespace):
    """Keys of `[model]`."""


class GolfConfig(SimpleNamespace):
    """Keys of `[golf]`."""


class SpikeWhaleConfig(SimpleNamespace):
    """Keys of `[spikewhale]`."""
