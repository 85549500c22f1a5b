"""What people do, as often as they do it: families read most, providers their week, officers their lists.

Run by `tests.load.__main__` with locust in its own environment: nothing of the application is imported here.
"""

import json
import os
import random
from pathlib import Path

from locust import HttpUser, between, task

PEOPLE = json.loads(Path(os.environ["LOAD_PEOPLE"]).read_text())
PAGE = {"Accept": "text/html"}


class Person(HttpUser):
    """Somebody signed in, with their own cookie; every answer must be the page, not the way to sign-in."""

    abstract = True
    role = ""
    wait_time = between(1, 3)

    def on_start(self) -> None:
        self.client.headers.update(PAGE)
        self.client.cookies.set("session", random.choice(PEOPLE[self.role]))

    def see(self, path: str) -> None:
        with self.client.get(path, name=f"{self.role} {path}", allow_redirects=False, catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code}")


class Family(Person):
    role, weight = "family", 60

    @task(4)
    def today(self) -> None:
        self.see("/oggi")

    @task(2)
    def groups(self) -> None:
        self.see("/gruppi")

    @task(2)
    def statements(self) -> None:
        self.see("/estratti")

    @task(1)
    def needs(self) -> None:
        self.see("/esigenze")

    @task(1)
    def vouchers(self) -> None:
        self.see("/buoni")


class Provider(Person):
    role, weight = "provider", 12

    @task(3)
    def work(self) -> None:
        self.see("/lavoro")

    @task(1)
    def earnings(self) -> None:
        self.see("/lavoro/compensi")


class Officer(Person):
    role, weight = "officer", 3

    @task(3)
    def due(self) -> None:
        self.see("/comune")

    @task(1)
    def payments(self) -> None:
        self.see("/comune/pagamenti")

    @task(1)
    def log(self) -> None:
        self.see("/comune/registro")


class Visitor(HttpUser):
    """Somebody who looks around."""

    weight = 25
    wait_time = between(1, 3)

    @task(3)
    def first_page(self) -> None:
        self.client.get("/", name="visitor /", headers=PAGE)

    @task(1)
    def price(self) -> None:
        self.client.get("/quanto-costa", name="visitor /quanto-costa", headers=PAGE)
