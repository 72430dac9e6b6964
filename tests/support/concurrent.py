"""The same moment for many clients: requests that are ready on open connections and leave together."""

import threading

from support import wire


def all_at_once(port, requests):
    """Sends each request (bytes) on a connection of its own, all at the same time; their answers, in order."""
    answers = [None] * len(requests)
    faults = []
    barrier = threading.Barrier(len(requests))

    def ask(number):
        try:
            with wire.connect(port) as sock, sock.makefile("rb") as file:
                barrier.wait(timeout=wire.TIMEOUT_S)
                sock.sendall(requests[number])
                answers[number] = wire.read_http1_answer(file)
        except Exception as fault:  # noqa: BLE001 - told to the test, which fails
            faults.append(fault)
            barrier.abort()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
    return answers
