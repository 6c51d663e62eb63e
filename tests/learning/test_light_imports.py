import subprocess
import sys

LIGHT = ["labels", "published_files", "replay", "config_files", "seed_config", "prompts"]


def test_what_pages_and_the_server_read_needs_no_torch():
    lines = ["import sys"]
    for module in LIGHT:
        lines.append(f"import backend.learning.{module}")
        lines.append(f"print({module!r}, sorted({{'torch', 'lerobot'}} & set(sys.modules)))")

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [f"{module} []" for module in LIGHT]
