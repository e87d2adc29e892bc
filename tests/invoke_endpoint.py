"""A function host elsewhere: answers Lambda's Invoke over HTTP, holds every answer back until it is let go, and lets the
function fail for the numbers that are refused."""
import http.server
import json
import threading


class InvokeEndpoint:
    def __init__(self):
        self.released = threading.Event()
        self.arrived = []
        self.refused = set()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                endpoint.arrived.append(event["number"])
                endpoint.released.wait()
                refused = event["number"] in endpoint.refused
                answer = {"errorType": "Refused", "errorMessage": "on purpose"} if refused else {
                    "number": event["number"]}
                body = json.dumps(answer).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    if refused:
                        self.send_header("X-Amz-Function-Error", "Unhandled")
                    self.send_header("X-Amz-Executed-Version", "$LATEST")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the server that asked was killed

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.listener = Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.server_address[1]}"

    def close(self):
        self.released.set()
        self.listener.shutdown()
