"""A package registry as small as can be: what is put is kept, and got back, with the job's token alone.

    registry.py FOLDER TOKEN    prints its port
"""

import base64
import pathlib
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, token = pathlib.Path(sys.argv[1]), sys.argv[2]
basic = "Basic " + base64.b64encode(f"gitlab-ci-token:{token}".encode()).decode()


class Registry(BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self):
        """…/api/v4/projects/PROJECT/packages/generic/PACKAGE/VERSION/FILE, where PROJECT is one segment: group%2Fname."""
        segments = self.path.split("/")
        if len(segments) != 10 or segments[:4] + segments[5:7] != ["", "api", "v4", "projects", "packages", "generic"]:
            return None
        return folder / urllib.parse.unquote("_".join(segments[4:])).replace("/", "_")

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["JOB-TOKEN"] != token:
            self.answer(401)
        elif not self.file():
            self.answer(404)
        else:
            self.file().write_bytes(body)
            self.answer(201)

    def do_GET(self):
        if self.headers["Authorization"] != basic:
            self.answer(401)
        elif not self.file() or not self.file().exists():
            self.answer(404)
        else:
            self.answer(200, self.file().read_bytes())


server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
print(server.server_port, flush=True)
server.serve_forever()
