"""A shop whose model knows customers by what they lately spent: data for features at serving."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

PROJECT = """
project: shop
dataset: orders
target: returned
goals: {accuracy: 0.5}
preparation: {time: asked_at, steps: [{features: [customer_spend]}]}
features:
  - name: customer_spend
    dataset: payments
    entity: customer_id
    time: paid_at
    aggregates:
      spend_7d: {sum: amount, over: 7 days}
      orders_7d: {count: true, over: 7 days}
search: {families: [linear], trials: 1}
"""
START = datetime(2026, 1, 1)  # noqa: DTZ001 - datasets hold UTC
CUSTOMERS = 40


def payments() -> str:
    """200 days of a payment every hour; customers with odd numbers pay more."""
    lines = ["event_id,customer_id,paid_at,amount"]
    for hour in range(4_800):
        customer = hour % CUSTOMERS
        amount = 1 + 9 * (customer % 2) + hour % 7 / 10
        lines.append(f"h{hour},{customer},{START + timedelta(hours=hour)},{amount}")
    return "\n".join(lines)


def orders() -> str:
    """Customers who paid much mostly send things back: a sure sign would be taken for a leak."""
    lines = ["customer_id,asked_at,returned"]
    chance = random.Random(3)  # noqa: S311 - repeatable
    for place in range(600):
        customer = place % CUSTOMERS
        at = START + timedelta(days=20, hours=place * 7)
        sent_back = chance.random() < (0.85 if customer % 2 else 0.15)
        lines.append(f"{customer},{at},{'yes' if sent_back else 'no'}")
    return "\n".join(lines)


def payment(name: str, customer: int, at: datetime, amount: float) -> dict[str, Any]:
    """A message for the feature queue."""
    return {
        "project": "shop",
        "dataset": "payments",
        "event_id": name,
        "customer_id": customer,
        "paid_at": at.isoformat(),
        "amount": amount,
    }
