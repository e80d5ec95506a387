"""The simulated exchange: a clock made of bars and quotes, and orders that execute in them.

Free of I/O: commands and queries are plain calls, events are put into `outbox`, and `phases` moves
the clock whenever it is resumed. In process the next event is asked for, over the wire the last
one is acknowledged: the same resumption, so the same data gives the same fills.

It is one class on eleven floors, each knowing only those below it:

1. `state`: orders, account and market at an instant;
2. `answers`: what can be asked of it;
3. `telling`: the ways in which changes become known;
4. `acceptance`: how orders come to rest, and how they end;
5. `execution`: fills, and what they do to the account;
6. `nights`: interest and splits;
7. `crossing`: which orders a bar or a quote is tested against;
8. `plain`: a short cut for simple orders;
9. `replay`: the clock;
10. `in_step`: a short cut for symbols whose bars begin together, `walk` by walk;
11. `commands`: what a client can have done.
"""

from strategy_runtime.simulator.exchange.commands import Exchange

__all__ = ["Exchange"]
