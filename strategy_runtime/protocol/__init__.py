"""The wire protocol of docs/protocol.md: pure data, no I/O, no clock.

`models` has the objects, `events` what a proxy sends, `commands` what a strategy sends. `codec`
decodes the former and encodes the latter. `subscriptions` and `timeframes` parse the two small
grammars of the environment.
"""
