"""A stand-in for a supervised command: listens, answers /readyz, and ends the way its arguments say."""

import argparse
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--exit", type=int)
    parser.add_argument("--say", default="")
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--journal")
    chosen = parser.parse_args()
    if chosen.say:
        print(chosen.say, file=sys.stderr, flush=True)
    if chosen.exit is not None:
        sys.exit(chosen.exit)
    if chosen.child:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

    def stop(*_: object) -> None:
        if chosen.journal:
            with Path(chosen.journal).open("a") as journal:
                journal.write(f"{chosen.port}\n")
        if not chosen.stubborn:
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    HTTPServer(("127.0.0.1", chosen.port), Answers).serve_forever()


main()
