"""Time limits of examples off: the machine is shared."""

from hypothesis import settings

settings.register_profile("spike", deadline=None)
settings.load_profile("spike")
