"""The venue over the network: connection policy, WebSocket shell, REST client."""
