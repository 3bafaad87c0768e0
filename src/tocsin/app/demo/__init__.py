"""`tocsin demo`: the gateway between stand-in panels and detectors and a stand-in station of every type."""

from tocsin.app.demo.running import demo

__all__ = ["demo"]
