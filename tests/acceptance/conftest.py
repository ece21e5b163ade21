"""The acceptance tests share helpers that lie beside them."""

import sys
from pathlib import Path

import pytest

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
# Their assertions shall explain themselves as those of tests do.
pytest.register_assert_rewrite("agreement", "bustle", "story", "world")
