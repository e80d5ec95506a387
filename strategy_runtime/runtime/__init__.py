"""Run a strategy against a venue: settings, loading, event delivery, orders and the book.

* `runner`: puts the parts together; `startup`, `shutdown`: begin and end a run;
* `venue`: the port that a venue implements; `threads`: a live venue in a thread of its own;
* `settings`: options and variables of a run; `loader`, `targets`: from a name to a strategy;
* `delivery`: events to hooks; `timers`: calls at given times; `clock`: the time of the run;
* `desk`: orders to the venue; `risk`: limits on them; `rounding`: to lots and ticks;
* `book`: what is known of orders, positions and the account;
* `link`: recovers what was missed; `store`: what outlives the process; `retries`, `concurrency`:
  requests that are repeated, or sent together;
* `observer`: for metrics and traces; `status`: for probes; `oversights`: likely mistakes, at the
  end; `tracebacks`: without our own frames; `repetition`: the same log line many times.
"""
