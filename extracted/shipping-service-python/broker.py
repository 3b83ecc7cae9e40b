"""What the inbox and the relay share of the broker."""

import pika

EVENTS = "banyan.events"
DEAD = "banyan.dead"


def ensure_exchange(connection, name, kind):
    """Makes an exchange where it is missing; where it is there, the account need not be allowed to make it."""
    channel = connection.channel()
    try:
        channel.exchange_declare(name, kind, durable=True, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code != 404:
            raise
        channel = connection.channel()
        channel.exchange_declare(name, kind, durable=True)
    channel.close()
