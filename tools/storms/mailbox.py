"""A mail server that counts what it took by Message-ID, and misbehaves as it is told."""

import re
import socketserver
import threading
import time
from collections import Counter

# Long enough for a kill to fall between the mail that has left and the row that says so.
USUAL_PAUSE = 0.02
MOODS = ("slow", "drop", "hang", "later", "closed", "never")


class Mailbox(socketserver.ThreadingTCPServer):
    """`taken`: how many times each Message-ID was accepted. `mood`: see Talk.

    Moods: "fine"; "slow" (half a second a mail); "hang" (says nothing more in the middle of DATA);
    "drop" (leaves there); "later" (4xx to each recipient); "never" (5xx to each recipient);
    "closed" (421 as a greeting).
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50

    def __init__(self, port, taken=None):
        super().__init__(("127.0.0.1", port), Talk)
        self.taken, self.mood, self.counting = taken or Counter(), "fine", threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def repeats(self):
        """Mails that came again, each time counted."""
        return sum(times - 1 for times in self.taken.values())

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # whoever is killed hangs up


class Talk(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("421 closed" if self.server.mood == "closed" else "220 storm ESMTP")
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb, mood = line[:4].upper(), self.server.mood
            if verb == "RCPT" and mood in {"later", "never"}:
                self.say("451 4.3.0 come back" if mood == "later" else "550 5.1.1 no such user")
            elif verb == "DATA":
                self.say("354 go on")
                if mood == "hang":
                    self.rfile.readline()
                    time.sleep(30)
                    return
                if mood == "drop":
                    self.rfile.readline()
                    return
                self.take(0.5 if mood == "slow" else USUAL_PAUSE)
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def take(self, pause):
        name = ""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            if found := re.match(rb"Message-ID:\s*(<\S+>)", line, re.IGNORECASE):
                name = found[1].decode()
        if not line:
            return  # its sender died before the end: nothing was accepted
        with self.server.counting:
            self.server.taken[name] += 1
        # Taken, and its sender does not know yet: whoever is killed now must send it again.
        time.sleep(pause)
        self.say("250 taken")
