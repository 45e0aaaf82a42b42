"""`multi-trader export`: writes the warehouse as Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.faults import plainly
from cli.options import AsJson
from cli.tables import print_json

Target = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="FOLDER", help="Target folder; by default `export` in the state folder."
    ),
]


@plainly
def export(to: Target = None, json: AsJson = False) -> None:
    """Write the warehouse as Parquet files.

    Each table gets a folder, partitioned by account, mode and date. An earlier export in the target
    folder is replaced, and nothing else.

    \b
    Example:
      multi-trader export --to /data/books
    """
    from coordinator.settings import home_folder, warehouse_path
    from warehouse.export import export as write

    folder = to or home_folder() / "export"
    counts = write(warehouse_path(), folder)
    if json:
        print_json({"folder": str(folder), "rows": counts})
        return
    typer.echo(f"{sum(counts.values()):,} rows of {len(counts)} tables in {folder}")
