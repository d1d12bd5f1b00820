"""Makes accounts with fastapi-users, any version: `python make_fastapi_users.py URL uuid|integer < people.json`.

A person with "provider" comes by an OAuth provider, all others register.
"""

import asyncio
import json
import sys
import uuid

from fastapi_users import BaseUserManager, IntegerIDMixin, UUIDIDMixin
from fastapi_users.db import SQLAlchemyBaseOAuthAccountTable, SQLAlchemyBaseUserTable, SQLAlchemyUserDatabase
from fastapi_users.schemas import BaseUserCreate
from fastapi_users_db_sqlalchemy.generics import GUID
from sqlalchemy import ForeignKey, Integer
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

URL, KIND = sys.argv[1:]
ID, COLUMN, MIXIN = {
    "uuid": (uuid.UUID, (GUID, {"default": uuid.uuid4}), UUIDIDMixin),
    "integer": (int, (Integer, {}), IntegerIDMixin),
}[KIND]


def id_column():
    kind, options = COLUMN
    return mapped_column(kind, primary_key=True, **options)


class Base(DeclarativeBase):
    pass


class OAuthAccount(SQLAlchemyBaseOAuthAccountTable[ID], Base):
    id: Mapped[ID] = id_column()
    user_id: Mapped[ID] = mapped_column(COLUMN[0], ForeignKey("user.id", ondelete="cascade"), nullable=False)


class User(SQLAlchemyBaseUserTable[ID], Base):
    id: Mapped[ID] = id_column()
    oauth_accounts: Mapped[list[OAuthAccount]] = relationship("OAuthAccount", lazy="joined")


class Note(Base):
    """A table of the app's own."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[ID] = mapped_column(COLUMN[0], ForeignKey("user.id"), nullable=False)
    text: Mapped[str]


class UserManager(MIXIN, BaseUserManager[User, ID]):
    pass


async def main():
    engine = create_async_engine(URL)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with async_sessionmaker(engine, expire_on_commit=False)() as session:
        manager = UserManager(SQLAlchemyUserDatabase(session, User, OAuthAccount))
        for person in json.load(sys.stdin):
            if "provider" in person:
                user = await manager.oauth_callback(person["provider"], "token", person["email"], person["email"])
            else:
                user = await manager.create(BaseUserCreate(**person))
            session.add(Note(user_id=user.id, text=f"of {user.email}"))
            await session.commit()
    await engine.dispose()


asyncio.run(main())
