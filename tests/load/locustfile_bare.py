"""The bare page, asked for again as soon as it has come."""

from locust import HttpUser, constant, task


class Bare(HttpUser):
    """One of those who wait for nothing."""

    wait_time = constant(0)

    @task
    def page(self) -> None:
        self.client.get("/", name="bare /")
