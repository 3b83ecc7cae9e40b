"""What shipping does with its tables. Nothing here commits: the caller's transaction does."""

import json
import secrets
from datetime import timezone

from database import owner_of

CONTEXT = "shipping"


def get_shipment(cursor, order_id, user_id):
    """The shipment as the contract shows it, or None."""
    cursor.execute(
        """select id, order_id, status, tracking_code, address, created_at from shipments
           where order_id = %s and user_id = %s""",
        (order_id, user_id),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    shipment, order, status, tracking_code, address, created_at = row
    cursor.execute("select type, at from shipment_events where shipment_id = %s order by id", (shipment,))
    return {
        "id": shipment,
        "orderId": order,
        "status": status,
        "trackingCode": tracking_code,
        "address": address,
        "events": [{"type": kind, "at": timestamp(at)} for kind, at in cursor.fetchall()],
        "createdAt": timestamp(created_at),
    }


def prepare(cursor, order, after_ms):
    """Packs a confirmed order, unless there is a shipment, or the order's cancellation came first."""
    cursor.execute(
        """insert into shipments (order_id, user_id, status, customer, address, dispatch_after)
           values (%s, %s, 'preparing', %s::jsonb, %s::jsonb, now() + make_interval(secs => %s))
           on conflict (order_id) do nothing returning id""",
        (
            order["orderId"],
            order["userId"],
            json.dumps(order["customer"]),
            json.dumps(order["shippingAddress"]),
            after_ms / 1000,
        ),
    )
    note(cursor, cursor.fetchone(), "prepared")


def stop(cursor, order):
    """Stops the shipment of a cancelled order; what is on its way stays on its way."""
    cursor.execute(
        """insert into shipments (order_id, user_id, status) values (%s, %s, 'cancelled')
           on conflict (order_id) do update set status = 'cancelled', updated_at = now()
             where shipments.status = 'preparing' returning id""",
        (order["orderId"], order["userId"]),
    )
    note(cursor, cursor.fetchone(), "cancelled")


def dispatch_next(cursor):
    """Hands the next shipment that is due to the carrier; False when there is none, or the other side has them."""
    if owner_of(cursor, CONTEXT) != "service":
        return False
    cursor.execute(
        """select id, order_id, user_id, customer from shipments
           where status = 'preparing' and dispatch_after <= now()
           order by dispatch_after limit 1 for update skip locked"""
    )
    row = cursor.fetchone()
    if row is None:
        return False
    shipment, order, user, customer = row
    tracking_code = f"BN{secrets.token_hex(6).upper()}"
    cursor.execute(
        "update shipments set status = 'dispatched', tracking_code = %s, updated_at = now() where id = %s",
        (tracking_code, shipment),
    )
    note(cursor, (shipment,), "dispatched")
    told = {
        "shipmentId": shipment,
        "orderId": order,
        "userId": user,
        "customer": customer,
        "trackingCode": tracking_code,
    }
    cursor.execute(
        "select banyan.emit(%s, %s, 'ShipmentDispatched', 1, %s::jsonb)",
        (CONTEXT, f"shipment-{order}", json.dumps(told)),
    )
    return True


def note(cursor, row, kind):
    if row:
        cursor.execute(
            "insert into shipment_events (shipment_id, type) values (%s, %s) on conflict (shipment_id, type) do nothing",
            (row[0], kind),
        )


def timestamp(at):
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
