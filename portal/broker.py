"""Kombu's Redis transport, which outlives its broker.

When the broker goes while a task runs, kombu gives the task back through a connection that is closed
already, and fails on `None`: no error that Celery expects, so that the worker ends instead of waiting for
the broker (shown by tools/storms/broker_flush.py). Said as what it is, a lost connection, both go on.
"""

from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as BrokerGone


class Channel(kombu_redis.Channel):
    def _connparams(self, asynchronous=False):
        if self.connection is None or self.connection.client is None:
            raise BrokerGone("the connection to the broker is closed")
        return super()._connparams(asynchronous)


class Transport(kombu_redis.Transport):
    Channel = Channel
