"""Context mixing: n-gram counts and calibration on top of a model's logits."""
