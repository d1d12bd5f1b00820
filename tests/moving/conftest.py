import os
import uuid

import psycopg
import pytest
from keyfob import Home

SERVER = os.environ["POSTGRES_URL"]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.stop()


@pytest.fixture
def postgres():
    """The URL of an empty database, dropped afterwards."""
    name = f"keyfob_moving_{uuid.uuid4().hex}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{SERVER}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
