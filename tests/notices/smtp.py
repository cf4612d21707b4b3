"""A mail server of flesh on this machine, that accepts, refuses, hesitates or dies as it is told."""

import socketserver
import threading
import time
from email import message_from_bytes, policy


class MailServer(socketserver.ThreadingTCPServer):
    """`mails`: what was accepted, as (recipient, message). `answers`: recipient → what it is told at RCPT,
    or "drop" (the connection breaks), or "hang" (nothing is ever said). `connections` counts them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails, self.answers, self.connections = [], {}, 0
        self.data_answer, self.before_answer = "250 OK", lambda: None
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that leaves is part of the play


class Conversation(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.server.connections += 1
        self.say("220 test ESMTP")
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                answer = self.server.answers.get(recipient, "250 OK")
                if answer == "drop":
                    return
                if answer == "hang":
                    time.sleep(2)
                    return
                self.say(answer)
            elif verb == "DATA":
                self.say("354 go on")
                self.say(self.take_message(recipient))
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 OK")

    def take_message(self, recipient):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.before_answer()
        if self.server.data_answer.startswith("2"):
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            self.server.mails.append((recipient, message))
        return self.server.data_answer
