"""A request with every field that a verb of a strategy can set, whether or not they go together."""

from decimal import Decimal

from strategy_runtime.protocol.enums import OrderType, Side, TimeInForce, TrailingType
from strategy_runtime.protocol.models import Order, OrderRequest

__all__ = ["ASKED", "EVERYTHING"]

_ONE = Decimal(1)
_NO_VERB_SETS = {"hidden", "display_quantity"}

EVERYTHING = OrderRequest(
    symbol="S:X",
    side=Side.SELL,
    quantity=_ONE,
    order_type=OrderType.STOP_LIMIT,
    limit_price=_ONE,
    stop_price=_ONE,
    trailing_distance=_ONE,
    trailing_type=TrailingType.PERCENT,
    stop_loss=_ONE,
    take_profit=_ONE,
    position_id="pos-1",
    reduce_only=True,
    post_only=True,
    client_order_id="c-1",
    oco_group_id="group",
    time_in_force=TimeInForce.DAY,
)

ASKED = sorted({*OrderRequest.__struct_fields__} & {*Order.__struct_fields__} - _NO_VERB_SETS)
"""Names of what an order takes over from its request."""

_LEFT_OUT = [name for name in ASKED if not getattr(EVERYTHING, name)]
assert not _LEFT_OUT, f"give EVERYTHING in {__file__} the new fields {_LEFT_OUT}"
