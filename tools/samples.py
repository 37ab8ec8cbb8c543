"""Write the sample configuration files from the settings that the components declare: tools/samples.py DIRECTORY."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gromoxd.config import sample_file
from gromoxd.master.pools import SETTINGS_MODULES, load
from gromoxd.settings import COMPONENTS


def main(directory: str) -> None:
    """One file per component file; what is not declared any more is removed."""
    import gromoxd.master.settings  # noqa: F401

    load(SETTINGS_MODULES)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.cfg"):
        if old.name not in COMPONENTS:
            old.unlink()
    for name in sorted(COMPONENTS):
        (folder / name).write_text(sample_file(name))
        print(folder / name)


if __name__ == "__main__":
    main(sys.argv[1])
