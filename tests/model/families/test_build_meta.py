"""Models without numbers: the shapes of real ones, and torch's compiler is not loaded for them."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from spike_lm.model.families.build import build_model
from tests.model.tiny import WHALE_RARE, golf_config, tiny_config, whale_config

for config in (tiny_config(), golf_config(), whale_config(), whale_config(*WHALE_RARE)):
    shapes = [
        {name: (tensor.shape, tensor.dtype) for name, tensor in model.state_dict().items()}
        for model in (
            build_model(config, 40, eos_id=3, device=device) for device in ("meta", "cpu")
        )
    ]
    assert shapes[0] == shapes[1]
assert "torch._dynamo" not in sys.modules
"""


def test_shapes_are_built_without_torchs_compiler():
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
