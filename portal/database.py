"""How long PostgreSQL works for one connection before it gives up, by who asks."""

# A page that reads for half a minute is a fault. A check of the ledger or an import reads for minutes;
# manage.py gives hours to its commands. The environment's STATEMENT_SECONDS has the last word.
PAGE_SECONDS, WORKER_SECONDS = 30, 900


def limits(statement_seconds: int) -> str:
    """The options of a connection. Nobody waits long for a lock: whoever holds it may be lost."""
    return (
        f"-c statement_timeout={statement_seconds}s -c lock_timeout=10s -c timezone=UTC"
        f" -c idle_in_transaction_session_timeout={statement_seconds * 2}s"
        " -c client_connection_check_interval=5s"
    )
