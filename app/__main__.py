"""`python -m app`: serve Handrail. `--help` lists the flags."""

import os
import sys

from backend.settings import SettingsError, read_settings


def main(argv: list[str]) -> int:
    """Return the process's exit code: 0 done, 2 wrong flags, 1 could not start."""
    try:
        settings = read_settings(argv, os.environ)
    except SettingsError as error:
        print(f"handrail: {error}", file=sys.stderr)
        return 2
    # Slow to load, and needless to say what is wrong with a flag.
    from app.main import Handrail, configure_logging  # noqa: PLC0415
    from backend.db.engine import DatabaseRefusedError  # noqa: PLC0415
    from backend.main import prepare_database  # noqa: PLC0415

    configure_logging()
    try:
        if settings.setup_only:
            prepare_database(settings)
            print(f"The database in {settings.data_dir} is up to date.")
            return 0
        handrail = Handrail(
            settings,
            ready=lambda: print(f"Handrail is at {handrail.url}   (Ctrl+C stops it)", flush=True),
        )
    except (SettingsError, DatabaseRefusedError, OSError) as error:
        print(f"handrail: {error}", file=sys.stderr)
        return 1
    handrail.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
