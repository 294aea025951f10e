"""What all tests share: how long and in what order hypothesis searches."""

from __future__ import annotations

import os

import hypothesis

# No deadline: a slow machine is no defect. CI tries the same examples each time; a developer's runs go on searching.
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.register_profile("repeat", deadline=None, derandomize=True)
hypothesis.settings.register_profile("chaos", deadline=None, max_examples=2_000)  # `make chaos`
hypothesis.settings.load_profile("repeat" if os.environ.get("CI") else "search")
