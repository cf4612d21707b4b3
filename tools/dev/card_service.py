"""A card service on this machine, for dev.py and tests: localstripe as it is, heard by this machine alone.

    python tools/dev/card_service.py PORT

Its own command listens to the whole network and writes the cards it is given in a shared folder: here it does
neither. Cards to try: 4242424242424242 pays, 4000000000000341 and 4000000000000002 are refused,
4000002500003155 asks for strong authentication; any date to come, any three digits.
"""

import sys

from aiohttp import web
from localstripe.resources import Store, store
from localstripe.server import app


def main(port: int) -> None:
    Store.dump_to_disk = lambda self: None
    store.clear()
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
