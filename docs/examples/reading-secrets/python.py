import json
import logging
import threading
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from google.cloud.secretmanager import SecretManagerServiceClient
from psycopg_pool import ConnectionPool  # 3.3 or newer

CONNECT_TIMEOUT = 10  # seconds
log = logging.getLogger(__name__)


class SecretPool:
    """A pool that logs in with what a secret says now, and follows it.

    version: projects/acme-prod/secrets/billing-db/versions/current
    connect: for psycopg.connect: sslmode, or a host and port that count instead of the secret's
    options: for the ConnectionPool: max_size, timeout
    """

    def __init__(
        self,
        secrets: SecretManagerServiceClient,
        version: str,
        refresh_seconds: float = 300,
        connect: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._secrets = secrets
        self._version = version
        self._connect = connect or {}
        self._refreshing = threading.Lock()
        self._closed = threading.Event()
        self._name, self._login = self._read()
        self._pool = ConnectionPool(kwargs=self._newest_login, open=True, **options)
        threading.Thread(target=self._follow, args=[refresh_seconds], daemon=True).start()

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """A connection: `with pool.connection() as connection: ...`"""
        return self._pool.connection()

    def refresh(self) -> None:
        """Reads the secret now. Raises if that or the new login fails; the pool goes on with the one that it has."""
        with self._refreshing:
            name, login = self._read()
            if name == self._name:
                return
            psycopg.connect(**login).close()  # what doesn't work doesn't replace what does
            self._name, self._login = name, login
        # Closes what is idle now, and what is in use when it comes back.
        self._pool.drain()
        # Once more, for connections that were on their way.
        again = threading.Timer(2 * CONNECT_TIMEOUT, self._pool.drain)
        again.daemon = True
        again.start()

    def close(self) -> None:
        self._closed.set()
        self._pool.close()

    def _read(self) -> tuple[str, dict[str, Any]]:
        try:
            answer = self._secrets.access_secret_version(name=self._version, timeout=10)
        except Exception as error:
            raise RuntimeError(f"cannot read the secret {self._version}: {error}") from error
        try:
            secret = json.loads(answer.payload.data)
            login = {"user": secret["username"], "password": secret["password"], "dbname": secret["database"]}
            address = {key: secret[key] for key in ("host", "port") if key in secret}
        except (ValueError, KeyError, TypeError):
            # Without the cause, which may quote the value.
            raise RuntimeError(f"the secret {self._version} is no database credential") from None
        # The number of the version, whatever it was asked for by: tells one login from the next.
        return answer.name, {"connect_timeout": CONNECT_TIMEOUT} | address | login | self._connect

    def _newest_login(self) -> dict[str, Any]:
        """Called for each new connection. One that is refused is tried again by the pool, with what is read then."""
        self._try_refresh()
        return self._login

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except Exception as error:
            log.warning("%s", error)

    def _follow(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            self._try_refresh()
