"""A watch that remembers, and whose news can be waited for."""

import asyncio


class SeenWatch:
    def __init__(self) -> None:
        self.downs: list[str] = []
        self.backs: list[float] = []
        self.commits: list[int] = []
        self.troubles: list[str] = []
        self.down = asyncio.Event()
        self.back = asyncio.Event()
        self.troubled = asyncio.Event()

    def went_down(self, reason: str) -> None:
        self.downs.append(reason)
        self.down.set()

    def came_back(self, down_s: float) -> None:
        self.backs.append(down_s)
        self.back.set()

    def committed(self, seconds: float, operations: int) -> None:
        self.commits.append(operations)

    def trouble(self, text: str) -> None:
        self.troubles.append(text)
        self.troubled.set()
