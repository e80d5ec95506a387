"""Buy below the market with a limit order, protected by a bracket.

Every day without a position, yesterday's order is replaced by one a few percent below the last
close. When it fills, a stop-loss and a take-profit are placed; when one of them fills, the other is
cancelled.
"""

from typing import Annotated

from msgspec import Meta

from strategy_runtime import Candle, OrderEvent, OrderEventKind, OrderRejected, Strategy


class DipBuyer(Strategy):
    dip: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    loss: Annotated[float, Meta(gt=0, lt=1)] = 0.03
    gain: Annotated[float, Meta(gt=0)] = 0.05

    async def on_candle(self, candle: Candle) -> None:
        if not self.position(candle.symbol).is_flat:
            return
        self.cancel_all(candle.symbol)
        price = candle.close * (1 - self.dip)
        try:
            await self.buy(
                candle.symbol,
                fraction=0.3,
                limit=price,
                stop_loss=price * (1 - self.loss),
                take_profit=price * (1 + self.gain),
            )
        except OrderRejected as refusal:
            self.log.warning("not bought", reason=refusal.message)

    def on_order(self, event: OrderEvent) -> None:
        if event.event is OrderEventKind.ORDER_FILLED:
            order = event.order
            self.log.debug("filled", side=order.side, price=str(order.average_fill_price))
