"""What holds for every test."""

import hypothesis

# The first call of a kernel compiles it, so a deadline would measure numba and not the code.
hypothesis.settings.register_profile("bastau", deadline=None)
hypothesis.settings.load_profile("bastau")
