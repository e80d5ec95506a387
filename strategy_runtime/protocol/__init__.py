"""The wire protocol of docs/protocol.md: pure data, no I/O, no clock.

* `models`: the objects; `enums`: their names; `events`: what a proxy sends; `commands`: what a
  strategy sends; `rest`: bodies of requests and answers; `witness`: in place of events in process;
* `codec`: reads and writes frames for the strategy; `tolerant`, with `fields`: reads those that are
  odd; `server_codec`: reads and writes frames for the proxy;
* `orders`: which orders are valid; `values`: which numbers and texts; `short_repr`: shows them;
* `subscriptions`, `timeframes`: the two small grammars of the settings.
"""
