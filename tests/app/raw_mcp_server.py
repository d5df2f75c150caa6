"""An MCP server without the SDK, which takes over a second to import: what it sends need not follow the protocol."""

import json
import os
import sys
from typing import Any

ASKS = {
    "sampling": ("sampling/createMessage", {"messages": [], "maxTokens": 5}),
    "elicitation": (
        "elicitation/create",
        {"message": "Your password?", "requestedSchema": {"type": "object", "properties": {}}},
    ),
    "roots": ("roots/list", {}),
}
ENDS = ("die", "flood")  # no call comes after one of these
NAMES = (*ASKS, "refuse", "hologram", "twice", *ENDS)
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]


def main() -> None:
    waiting: Any = None  # id of the call that an answer is for
    for line in sys.stdin:
        message = json.loads(line)
        id, method = message.get("id"), message.get("method")
        if method == "initialize":
            info = {"name": "raw", "version": "1"}
            version = message["params"]["protocolVersion"]
            send(id, result={"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
        elif method == "tools/list":
            send(id, result={"tools": TOOLS})
        elif method == "tools/call":
            name = message["params"]["name"]
            if name in ASKS:
                waiting = id
                asked, params = ASKS[name]
                send("mine", method=asked, params=params)
            elif name == "twice":
                send("nobody asked", result={})
                for _ in range(2):
                    send(id, result={"content": [{"type": "text", "text": "twice"}]})
            elif name == "die":
                os._exit(3)
            elif name == "flood":
                send(id, result={"content": [{"type": "text", "text": "y" * (32 << 20)}]})
            elif name == "refuse":
                send(id, error={"code": -32000, "message": "the issue is closed"})
            else:
                send(id, result={"content": [{"type": "hologram"}]})
        elif id == "mine":
            send(waiting, result={"content": [{"type": "text", "text": message["error"]["message"]}]})
        elif id is not None:
            send(id, error={"code": -32601, "message": "unknown"})


def send(id: Any, **rest: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": id, **rest}), flush=True)


if __name__ == "__main__":
    main()
