"""A PostgreSQL server of its own for tests and benchmarks."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PostgreSQL:
    """A private server on a Unix socket in its own folder, as the user that owns the folder."""

    binaries: Path
    folder: Path
    user: str | None

    def run(self, *command: str) -> None:
        program = str(self.binaries / command[0])
        # Its log goes to a file: the server would keep a pipe open that this waits on.
        identity: dict[str, Any] = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(
                [program, *command[1:]], cwd=self.folder, stdout=log, stderr=log, timeout=120, check=False, **identity
            )
        assert done.returncode == 0, (self.folder / "commands.log").read_text(errors="replace")[-2000:]

    def start(self) -> None:
        data, options = str(self.folder / "data"), f"-c listen_addresses= -k {self.folder} -c fsync=off"
        self.run("initdb", "-D", data, "-U", "dentasam", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.run("pg_ctl", "-D", data, "-l", str(self.folder / "server.log"), "-o", options, "-w", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def database(self) -> str:
        """The URL of an empty database: always the same one, since making one takes far longer than emptying it."""
        import psycopg

        url = f"postgresql://dentasam@/postgres?host={self.folder}"
        with psycopg.connect(url, autocommit=True) as connection:
            # A killed writer's connection may still hold its locks.
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return url


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def serving(binaries: Path) -> Iterator[PostgreSQL]:
    """A server in a folder of its own, until the block ends."""
    user = None
    if os.geteuid() == 0:
        # It refuses to run as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next(name for name in ("postgres", "nobody") if name in names)
    # A short path: that of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="dentasam-pg-", dir="/tmp"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = PostgreSQL(binaries, folder, user)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
