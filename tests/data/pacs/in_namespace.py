"""Runs Orthanc in the network namespace of this process and passes connections on to it.

    unshare --net … python in_namespace.py SOCKET PORT ORTHANC CONFIGURATION

Orthanc listens on every address. In a namespace of its own nobody reaches it but through SOCKET, the descriptor of a
listening socket that was made outside and stays there: a socket belongs to the namespace in which it was made.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import threading

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def bring_loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main() -> None:
    descriptor, port, program, configuration = sys.argv[1:]
    bring_loopback_up()
    subprocess.Popen([program, configuration], stdin=subprocess.DEVNULL)
    listener = socket.socket(fileno=int(descriptor))
    while True:
        outer, _ = listener.accept()
        try:
            inner = socket.create_connection(("127.0.0.1", int(port)))
        except OSError:
            # Orthanc is not there yet; the caller tries again.
            outer.close()
            continue
        for source, target in ((outer, inner), (inner, outer)):
            threading.Thread(target=copy, args=(source, target), daemon=True).start()


if __name__ == "__main__":
    main()
