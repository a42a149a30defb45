"""What ``lingyun.core`` names: FuseSoC calls it with a YAML file, and takes back a core.

FuseSoC starts it by its path with the interpreter of its environment, in the folder for what it
makes; that environment has to have this project, too.
"""

import json
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # started by its path

from models.config import named
from sim.export import write_verilog_file

__all__ = ["generate"]


def generate(request: Path, folder: Path) -> Path:
    """Write the Verilog that ``request`` asks for, and the core around it, into ``folder``.

    Returns the core. The request is what FuseSoC writes: ``vlnv``, the name of the core, and
    ``parameters``, of which ``config`` names the configuration.

    Raises
    ------
    ValueError
        If there is no such configuration, or none is named.
    """
    asked = yaml.safe_load(request.read_text())
    parameters = asked.get("parameters") or {}
    if set(parameters) != {"config"}:
        raise ValueError(f"parameters must be config alone, not {', '.join(parameters) or 'none'}")
    source = write_verilog_file(named(parameters["config"]), folder)
    core = {
        "name": asked["vlnv"],
        "filesets": {"rtl": {"files": [source.name], "file_type": "verilogSource"}},
        "targets": {"default": {"filesets": ["rtl"]}},
    }
    path = folder / "generated.core"
    path.write_text("CAPI=2:\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in core.items()))
    return path


if __name__ == "__main__":
    try:
        generate(Path(sys.argv[1]), Path.cwd())
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
