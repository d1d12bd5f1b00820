"""Makes accounts as the full-stack template does: `python make_template.py URL < people.json`, under passlib or pwdlib.

The table has the shape of the template's, and the hashes come from the library that the template called: passlib
before 0.10, pwdlib since, whichever is installed.
"""

import json
import sys
import uuid
from datetime import datetime, timezone

from pydantic import EmailStr
from sqlalchemy import DateTime
from sqlmodel import Field, Session, SQLModel, create_engine

try:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher
    from pwdlib.hashers.bcrypt import BcryptHasher

    hash_password = PasswordHash((Argon2Hasher(), BcryptHasher())).hash
except ModuleNotFoundError:
    from passlib.context import CryptContext

    hash_password = CryptContext(schemes=["bcrypt"], deprecated="auto").hash


class Profile(SQLModel):
    email: EmailStr = Field(unique=True, index=True, max_length=255)
    is_active: bool = True
    is_superuser: bool = False
    full_name: str | None = Field(default=None, max_length=255)


class NewUser(Profile):
    password: str = Field(min_length=8, max_length=128)


class User(Profile, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    hashed_password: str
    created_at: datetime | None = Field(
        default_factory=lambda: datetime.now(timezone.utc), sa_type=DateTime(timezone=True)
    )


class Item(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    title: str = Field(min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=255)
    owner_id: uuid.UUID = Field(foreign_key="user.id", nullable=False, ondelete="CASCADE")


def main(url, people):
    engine = create_engine(url)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        for person in people:
            new = NewUser.model_validate(person)
            user = User.model_validate(new, update={"hashed_password": hash_password(new.password)})
            session.add(user)
            session.commit()
            session.add(Item(title=f"of {user.email}", owner_id=user.id))
            session.commit()


main(sys.argv[1], json.load(sys.stdin))
