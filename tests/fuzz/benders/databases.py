"""SQLite files: pages, the header, and rows with values of other types or that are gone."""

import sqlite3
from pathlib import Path
from random import Random

from .raw import bend_bytes

VALUES = (None, "", "x" * 3000, b"", b"\x00" * 50, -1, 0, 1 << 62, 1.5, float("inf"), "2024-13-45", '{"a": [', "null",
          "\x1b[31m", "1970-01-01", b"DSM1\xff\xff\xff\xff")  # fmt: skip


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bend_rows(rng: Random, path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        tables = sorted(
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_") and connection.execute(f"SELECT 1 FROM {_quoted(name)}").fetchone()
        )
        table = rng.choice(tables)
        way = rng.randrange(8)
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        if way == 0:
            connection.execute(f"DROP TABLE {_quoted(table)}")
            how = f"table {table} dropped"
        elif way == 1:
            connection.execute(f"DELETE FROM {_quoted(table)}")
            how = f"rows of {table} deleted"
        else:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")]
            column, value = rng.choice(columns), rng.choice(VALUES)
            rows = [row[0] for row in connection.execute(f"SELECT rowid FROM {_quoted(table)} ORDER BY rowid")]
            row = rng.choice(rows)
            old = connection.execute(
                f"SELECT {_quoted(column)} FROM {_quoted(table)} WHERE rowid = ?", (row,)
            ).fetchone()[0]
            if isinstance(old, bytes) and old and rng.random() < 0.7:
                value, _ = bend_bytes(rng, old)
            how = f"{table}.{column} = {str(value)[:40]!r} in row {row}"
            try:
                connection.execute(f"UPDATE {_quoted(table)} SET {_quoted(column)} = ? WHERE rowid = ?", (value, row))
            except sqlite3.IntegrityError:
                connection.execute(f"DELETE FROM {_quoted(table)} WHERE rowid = ?", (row,))
                how = f"row {row} of {table} deleted"
        connection.commit()
    finally:
        connection.close()
    return how


def bend_database(rng: Random, path: Path) -> tuple[str, bool]:
    """Bends an SQLite file in place; returns how, and whether rows were changed as SQL would change them."""
    draw = rng.random()
    if draw < 0.3:
        return _bend_rows(rng, path), True
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big") or 4096
    pages = len(data) // page
    if draw < 0.4:
        at, way = rng.randrange(pages) * page, rng.randrange(3)
        if way == 0:
            data[at : at + page] = bytes(page)
            how = f"page {at // page} zeroed"
        elif way == 1:
            other = rng.randrange(pages) * page
            data[at : at + page], data[other : other + page] = data[other : other + page], data[at : at + page]
            how = f"pages {at // page} and {other // page} swapped"
        else:
            del data[at:]
            how = f"cut to {at // page} pages"
    elif draw < 0.75:
        count = rng.choice((1, 1, 1, 3))
        for _ in range(count):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        how = f"{count} bits flipped anywhere"
    elif draw < 0.8:
        path.unlink()
        return "removed", False
    else:
        bent, how = bend_bytes(rng, bytes(data))
        data = bytearray(bent)
    path.write_bytes(data)
    return how, False
