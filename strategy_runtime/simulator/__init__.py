"""The simulated exchange, in process and behind the wire protocol.

* `data`: market data from files; `listing`: the instruments in them; `rollup`: coarser candles;
* `exchange`: the clock, and the orders that fill; `over_data`: one over loaded data; `options`: its
  options;
* `matching`: the fill rules; `costs`: price and fee of a fill; `splits`: of stocks;
* `market`, `orders`, `resting`, `ledger`, `valuation`: what the exchange keeps of prices, orders
  and the account;
* `outcome`: the end of a run, for reports;
* `venue`: the exchange in process; `server`: the exchange over the network.
"""
