"""What is on the wire, as docs/protocol.md says: pure data, no I/O, no clock.

`models` are the things spoken of, `events` what a proxy sends, `commands` what a strategy sends,
`codec` turns bytes into the one and the other into bytes, `subscriptions` and `timeframes` read
the two small grammars of the environment.
"""
