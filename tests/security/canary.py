"""A key and a secret that stand nowhere else, and every way in which they could be written."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb

KEY_ID = "PKCANARYKEYID7Q4W9Z"
SECRET = "canarySECRETx8Kd0vTq2LmW7rYb5Hn3Jc6F"  # noqa: S105  it opens nothing
PAIR = {"APCA_API_KEY_ID": KEY_ID, "APCA_API_SECRET_KEY": SECRET}


def written_forms(secret: str) -> set[bytes]:
    """The secret as text, as UTF-16, in hexadecimal, and in base64 wherever in a text it stands."""
    raw = secret.encode()
    forms = {raw, raw[::-1], secret.encode("utf-16-le"), raw.hex().encode()}
    for offset in range(3):  # three bytes become four letters: whole groups in the middle stay
        group = base64.b64encode(bytes(offset) + raw)
        first = 4 if offset else 0
        forms.add(group[first : len(group) - 4])
    return forms


FORMS = frozenset(form for one in (KEY_ID, SECRET) for form in written_forms(one))


def is_told(content: bytes | str) -> bool:
    """Whether the key or the secret stands in the content, in whatever form."""
    raw = content.encode() if isinstance(content, str) else content
    return any(form in raw for form in FORMS)


def tellers(*folders: Path) -> list[Path]:
    """Every file below the folders whose name or content tells the key or the secret."""
    return [file for file in _files(folders) if is_told(str(file)) or is_told(file.read_bytes())]


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (file for file in folder.rglob("*") if file.is_file())


def told_in_tables(home: Path) -> list[str]:
    """The tables and files of bars below a home that tell: their files are compressed."""
    telling = []
    for file in home.rglob("*.duckdb"):
        with duckdb.connect(str(file), read_only=True) as books:
            for (table,) in books.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                rows = books.table(table).fetchall()
                telling += [f"{file.name} {table}"] if is_told(repr(rows)) else []
    for file in home.rglob("*.parquet"):
        rows = duckdb.read_parquet(str(file)).fetchall()
        telling += [str(file.name)] if is_told(repr(rows)) else []
    for file in home.rglob("*.db"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as books:
            telling += [str(file.name)] if is_told("\n".join(books.iterdump())) else []
    return telling
