"""Write the registry of this schema version as a file to come forward from; see README.md."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from sqlalchemy import inspect, text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from rlar.registry import migrations  # noqa: E402
from rlar.registry.registry import Registry  # noqa: E402
from tests.tools.test_registry import fill  # noqa: E402


def main() -> None:
    """Refuses to overwrite: what was released stays as it was."""
    file = HERE / f"{migrations.known_version():04}.json"
    with tempfile.TemporaryDirectory() as folder, Registry.open(Path(folder) / "registry.db", create=True) as registry:
        fill(registry)
        build = registry.start_build({"dataset": ["mix.jsonl"]}, build_id="b1")
        registry.add_event("admitted", who="agent", subject="number", build=build)
        registry.finish_build(build, {"tasks": 1})
        tables: dict[str, list[dict[str, object]]] = {}
        with registry.reading() as connection:
            for name in sorted(inspect(connection).get_table_names()):
                if name == migrations.VERSION_TABLE:
                    continue
                found = [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]
                tables[name] = [
                    {key: value.hex() if isinstance(value, bytes) else value for key, value in row.items()}
                    for row in found
                ]
        held = {"content_digest": registry.content_digest(), "tables": tables}
    with file.open("x", encoding="utf-8") as stream:
        json.dump(held, stream, indent=1)
    print(file)


if __name__ == "__main__":
    main()
