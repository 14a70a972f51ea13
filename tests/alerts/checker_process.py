"""One checker of several: it is ready, and sends when it is told to.

python checker_process.py LEDGER WEBHOOK ROUTES
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone

from pipeledger import alerts
from pipeledger.alerts.delivery import check
from pipeledger.alerts.routes import Route
from pipeledger.monitoring.configuration import Configuration
from pipeledger.monitoring.secret import Secret

NOW = datetime(2024, 1, 10, 12, tzinfo=timezone.utc)


def main() -> None:
    ledger, webhook, number = sys.argv[1:]
    urls = [f"{webhook}/{n}" for n in range(int(number))]
    routes = tuple(Route(f"route_{n}", Secret("url", url)) for n, url in enumerate(urls))
    check(urls[0])  # what takes long to import is imported
    print("ready", flush=True)
    sys.stdin.readline()
    done = alerts.send(ledger, Configuration(routes), now=NOW)
    assert not done.failed, done.failed
    print("done", flush=True)


if __name__ == "__main__":
    main()
