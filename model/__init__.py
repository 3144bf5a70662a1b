"""Training and scoring of small language models; this package needs no torch, its sub-packages do.

`model.config` defines configurations and `model.families` models; `model.training` trains one into
a run folder, `model.runs` opens it, `model.scoring` scores it, `model.inference` samples.
"""

from .config.loader import config_fingerprint, dump_config, load_config, parse_config, preset_names
from .config.schema import Config, ModelConfig

__all__ = [
    "Config",
    "ModelConfig",
    "config_fingerprint",
    "dump_config",
    "load_config",
    "parse_config",
    "preset_names",
]
