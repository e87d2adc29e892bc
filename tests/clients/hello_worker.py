"""The worker of stefuna's own README."""
from stefuna import Worker


class HelloWorker(Worker):
    def run_task(self, task_token, input_data):
        if input_data.get("fail"):
            raise ValueError(input_data["fail"])
        return {"message": "Hello World"}
