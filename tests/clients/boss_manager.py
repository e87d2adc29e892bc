"""heaviside's ActivityManager with two activities in the manner of the Boss: one beats its heart while it works, the
other raises."""
import os

from heaviside.activities import ActivityManager


def delete_blocks(task):
    for block in range(3):
        yield block
    return {"deleted": 3, "volume": task["volume"]}


def delete_index(task):
    raise KeyError(task["volume"])


class Manager(ActivityManager):
    def __init__(self, **credentials):
        super().__init__(**credentials)
        prefix = os.environ["PREFIX"]
        self.activities = {f"{prefix}-blocks": delete_blocks, f"{prefix}-index": delete_index}


if __name__ == "__main__":
    Manager(region=os.environ["AWS_REGION"], account_id="000000000000").run()
