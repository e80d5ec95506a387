"""The simulated exchange: a clock driven by bars and quotes, and the orders that fill in them.

Free of I/O: commands and queries are plain calls, events go into `outbox`, and resuming `phases`
advances the clock. In process, asking for the next event resumes it; over the wire, acknowledging
the last one does. So the same data gives the same fills.

Its parts, each of which imports only those above it:

* `state`: market, account and orders (`register`) at an instant; `answers`: the queries;
* `news`: announces changes; `agenda`: what comes next; `margin`: what the account can carry;
* `admission`: checks of commands; `acceptance`: accepts, changes and ends orders;
  `brackets`: the legs that protect a position; `nights`: interest and splits;
* `execution`: fills and their effect on the account; `liquidation`: closes an account that is short
  of margin; `plain`, `plain_execution`: the fast path for simple orders;
* `crossing`: which orders a bar or a quote is tested against; `replay`: the clock;
* `in_step`: the fast path for symbols whose bars start together, one `walk` at a time, as far as
  the `outlook` is clear;
* `exchange`: puts the parts together and takes the commands of clients.
"""

from strategy_runtime.simulator.exchange.exchange import Exchange

__all__ = ["Exchange"]
