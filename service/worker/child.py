"""The other side of process_pool.py: a process that runs handlers, one at a time.

It is started as `python -m service.worker.child DESCRIPTOR`, speaks pickled frames over that socket, and
ends when the socket does: a worker that is killed leaves no process behind. Signals are the worker's
business.
"""

import importlib
import os
import pickle
import queue
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

from service.errors import AnnalsError
from service.model.task import ClaimedTask
from service.worker.attempt import Verdict, raised, returned
from service.worker.context import SyncContext
from service.worker.params import declared_params
from service.worker.ports import Message, MessagePort

LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to run; `owner` is the handler as module:name."""

    task: ClaimedTask
    owner: str
    idempotency_key: str
    max_bytes: int


def pack(message: Message) -> bytes:
    """A frame: length, then the pickled message. Both ends are processes of one worker."""
    data = pickle.dumps(message)
    return LENGTH.pack(len(data)) + data


class Child:
    """Runs orders as they come. The thread that reads the socket also hears that the handler is to stop."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._stream = connection.makefile("rb")
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[str | AnnalsError] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._is_busy = False

    def run(self) -> None:
        """Serve until the worker closes the socket; in the middle of a handler that ends the process."""
        threading.Thread(target=self._read, daemon=True).start()
        while order := self._orders.get():
            verdict = self._call(order)
            self._is_busy = False
            with suppress(OSError):
                self._send(("end", verdict))

    def _call(self, order: Order) -> Verdict:
        port = MessagePort(order.task, self._send, self._enqueue, self._stopping.is_set, order.max_bytes)
        try:
            handler = find(order.owner)
            declared = declared_params(handler)
            params = declared.parse(order.task.params) if declared else order.task.params
            context = SyncContext(port, order.task, params, order.idempotency_key)
            return returned(handler(context), order.max_bytes)
        except BaseException as error:
            return raised(error)

    def _read(self) -> None:
        while header := self._stream.read(LENGTH.size):
            message = pickle.loads(self._stream.read(LENGTH.unpack(header)[0]))
            match message:
                case ("run", order):
                    self._stopping.clear()
                    self._is_busy = True
                    self._orders.put(order)
                case ("stop",):
                    self._stopping.set()
                case ("answer", answer):
                    self._answers.put(answer)
        if self._is_busy:
            os._exit(0)
        self._orders.put(None)

    def _send(self, message: Message) -> None:
        self._socket.sendall(pack(message))

    def _enqueue(self, draft: dict[str, Any]) -> str:
        self._send(("enqueue", draft))
        answer = self._answers.get()
        if isinstance(answer, AnnalsError):
            raise answer
        return answer


def find(owner: str) -> Any:
    """The object named module:name. Raises ImportError or AttributeError."""
    module, _, name = owner.partition(":")
    return reduce(getattr, name.split("."), importlib.import_module(module))


def main() -> None:
    """Run as a child of a worker, on the socket whose descriptor is the last argument."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[-1])) as connection:
        Child(connection).run()


if __name__ == "__main__":
    main()
