"""The simulated exchange: a clock made of bars and quotes, and orders that execute in them.

Free of I/O: commands and queries are plain calls, events are put into `outbox`, and `phases` moves
the clock whenever it is resumed. In process the next event is asked for, over the wire the last
one is acknowledged: the same resumption, so the same data gives the same fills.

Its parts, each of which knows only those above it:

* `state`: market, account and orders (`register`) at an instant; `answers`: what can be asked;
* `news`: how changes become known; `agenda`: what comes next; `margin`: what the account can carry;
* `admission`: what speaks against a command; `acceptance`: how orders come to rest and end;
  `brackets`: the legs that protect a position; `nights`: interest and splits;
* `execution`: fills, and what they do to the account; `liquidation`: what becomes of one that is
  short of margin; `plain`: a short way for simple orders;
* `crossing`: which orders a bar or a quote is tested against; `replay`: the clock;
* `in_step`: a short way for symbols whose bars begin together, `walk` by walk, as far as the
  `outlook` is clear;
* `exchange`: all of it put together, and what a client can have done.
"""

from strategy_runtime.simulator.exchange.exchange import Exchange

__all__ = ["Exchange"]
