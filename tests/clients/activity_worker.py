"""A worker as the README of stepfunctions-activity-worker writes it."""
import os

from stepfunctions_activity_worker import ActivityWorker


def double(number, why=None):
    if why:
        raise RuntimeError(why)
    return {"doubled": 2 * number}


if __name__ == "__main__":
    ActivityWorker(os.environ["ACTIVITY_ARN"], double, heartbeat_interval=1).listen()
