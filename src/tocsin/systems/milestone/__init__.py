"""Milestone XProtect: inventory by the Configuration API, states by the Events and State WebSocket, photos."""
