"""Pictures: the only room that draws. What needs bokeh is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.dashboard.balance import plot_balance
    from daskml_dist.dashboard.controls import enable_controls
    from daskml_dist.dashboard.own_server import Server, serve
    from daskml_dist.dashboard.serving_page import DeploymentServer, serve_deployment

__all__ = ["DeploymentServer", "Server", "enable_controls", "plot_balance", "serve", "serve_deployment"]

_WHERE = {
    "DeploymentServer": "serving_page",
    "Server": "own_server",
    "enable_controls": "controls",
    "plot_balance": "balance",
    "serve": "own_server",
    "serve_deployment": "serving_page",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: the plugin of the scheduler must not bring bokeh into the client."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
