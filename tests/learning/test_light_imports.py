import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["labels", "replay", "config_files", "seed_config", "prompts"])
def test_what_pages_and_the_server_read_needs_no_torch(module):
    code = (
        f"import sys, backend.learning.{module} as _; "
        "print({'torch', 'lerobot'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
