import pytest

from spike_lm.model.scoring.sliding_windows import default_windows


@pytest.mark.parametrize(
    ("given", "expected"),
    [((0, 0), (12, 6)), ((5, 0), (5, 2)), ((1, 0), (1, 1)), ((0, 4), (12, 4))],
)
def test_zeros_are_the_model_s_context_and_half_a_window(model, given, expected):
    windows = default_windows(model, *given)
    assert (windows.context, windows.stride) == expected
