"""What an app does, through the package that openapi-python-client made, against the service at BASE_URL."""

import os
import uuid
from http import HTTPStatus

from keyfob_client import AuthenticatedClient, Client
from keyfob_client.api.accounts import delete_me, list_sessions, read_me, sign_up
from keyfob_client.api.oauth import log_in, log_out
from keyfob_client.api.posts import create_post, delete_post, list_posts, update_post
from keyfob_client.models import (
    Deletion,
    LoginForm,
    NewPost,
    OAuthProblem,
    Post,
    PostChange,
    PostPage,
    Problem,
    SessionList,
    SignUp,
    TokenAnswer,
    TokenForm,
    User,
)

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8000")
EMAIL = f"ada-{uuid.uuid4()}@example.com"
PASSWORD = "correct horse battery staple"


def expect(kind, value):
    assert isinstance(value, kind), value
    return value


def main():
    anyone = Client(base_url=BASE_URL)
    user = expect(User, sign_up.sync(client=anyone, body=SignUp(email=EMAIL, password=PASSWORD)))
    assert user.email == EMAIL and user.full_name is None, user
    taken = expect(Problem, sign_up.sync(client=anyone, body=SignUp(email=EMAIL, password=PASSWORD)))
    assert taken.status == HTTPStatus.CONFLICT, taken

    wrong = expect(OAuthProblem, log_in.sync(client=anyone, body=LoginForm(username=EMAIL, password="wrong")))
    assert wrong.error == "invalid_grant", wrong
    tokens = expect(TokenAnswer, log_in.sync(client=anyone, body=LoginForm(username=EMAIL, password=PASSWORD)))

    ada = AuthenticatedClient(base_url=BASE_URL, token=tokens.access_token)
    assert expect(User, read_me.sync(client=ada)) == user
    refused = read_me.sync_detailed(client=AuthenticatedClient(base_url=BASE_URL, token="bad"))
    assert refused.status_code == HTTPStatus.UNAUTHORIZED, refused

    post = expect(Post, create_post.sync(client=ada, body=NewPost(title="Hello", content="From Python.")))
    changed = expect(Post, update_post.sync(post.id, client=ada, body=PostChange(title="Hello again")))
    assert (changed.title, changed.content) == ("Hello again", "From Python."), changed
    page = expect(PostPage, list_posts.sync(client=anyone, author_id=user.id, limit=1))
    assert page.items == [changed] and page.next_cursor is None, page
    invalid = expect(Problem, create_post.sync(client=ada, body=NewPost(title="", content="No title.")))
    assert [fault.loc for fault in invalid.errors] == [["body", "title"]], invalid

    renewal = LoginForm(grant_type="refresh_token", refresh_token=tokens.refresh_token, username="", password="")
    renewed = expect(TokenAnswer, log_in.sync(client=anyone, body=renewal))
    ada = AuthenticatedClient(base_url=BASE_URL, token=renewed.access_token)
    sessions = expect(SessionList, list_sessions.sync(client=ada))
    assert [session.current for session in sessions.items] == [True], sessions

    assert delete_post.sync_detailed(post.id, client=ada).status_code == HTTPStatus.NO_CONTENT
    gone = delete_me.sync_detailed(client=ada, body=Deletion(password=PASSWORD))
    assert gone.status_code == HTTPStatus.NO_CONTENT, gone
    out = log_out.sync_detailed(client=anyone, body=TokenForm(token=renewed.refresh_token))
    assert out.status_code == HTTPStatus.OK, out
    print("round trip through openapi-python-client: passed")


main()
