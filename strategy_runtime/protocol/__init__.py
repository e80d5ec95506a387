"""The wire protocol of docs/protocol.md: pure data, no I/O, no clock.

* `models`: the objects; `enums`: named values; `events`: frames of a proxy; `commands`: frames of a
  strategy; `rest`: bodies of requests and answers; `witness`: in process, in place of events;
* `codec`: reads and writes frames for the strategy; `tolerant`, with `fields`: reads those that are
  odd; `server_codec`: reads and writes frames for the proxy;
* `orders`: which orders are valid; `values`: which numbers and texts; `short_repr`: shows them;
* `subscriptions`, `timeframes`: the two small grammars of the settings.
"""
