"""The configuration of stefuna's own README, with a health check where the test wants it."""
import os

worker = "hello_worker.HelloWorker"
name = "HelloExample"
activity_arn = os.environ["ACTIVITY_ARN"]
processes = 1
heartbeat = 1
healthcheck = int(os.environ["HEALTHCHECK"])
