"""A key and a secret that stand nowhere else, and every way in which they could be written."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

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
