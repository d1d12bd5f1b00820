//! The routes of posts: anyone can read, authors can write.

use actix_web::http::header::{AUTHORIZATION, ETAG, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};

use utoipa_actix_web::service_config::ServiceConfig;

use super::Posts;
use super::model::{NewPost, PageQuery, Post, PostChange, PostPage};
use super::store::{self, Changed};
use crate::db::page::next_cursor;
use crate::db::{Db, Freshness, Id, Lookup, StoreError, Timestamp};
use crate::guard::{AuthError, CurrentUser};
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::etag::{IfMatch, IfNoneMatch};
use crate::http::{Json, PathId, Query};
use crate::sessions::Sessions;

/// Who may write posts.
type Author = CurrentUser<Posts>;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_posts)
        .service(create_post)
        .service(read_post)
        .service(replace_post)
        .service(update_post)
        .service(delete_post);
}

/// List posts
///
/// Newest first. Following `next_cursor` to the end shows every post that existed at the start exactly once, even if
/// others are written meanwhile.
#[utoipa::path(tag = "posts", params(PageQuery), responses((status = 200, description = "A page of posts.", body = PostPage)))]
#[get("/posts")]
pub(crate) async fn list_posts(
    req: HttpRequest,
    query: Query<PageQuery>,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    let page = query.0;
    // A later page must not come from an older state, or posts between the two states would be missing.
    let freshness = if page.after.is_some() { Freshness::Newest } else { freshness_for(&req) };
    let mut items = db.read_as(freshness, move |conn| store::list_posts(conn, page)).await?;
    let next_cursor = next_cursor(&mut items, page.limit, |post| post.id);
    Ok(json(&mut HttpResponse::Ok(), &PostPage { items, next_cursor }))
}

/// Get a post
///
/// The `ETag` header is its version.
#[utoipa::path(tag = "posts", params(PathId, IfNoneMatch), responses((status = 200, description = "The post.", body = Post)))]
#[get("/posts/{id}")]
pub(crate) async fn read_post(
    req: HttpRequest,
    PathId(id): PathId,
    posts: Data<Lookup<Post>>,
) -> Result<HttpResponse, ApiError> {
    let found = posts.find_as(freshness_for(&req), id).await?;
    let post = found.ok_or(ApiError::NotFound)?;
    let etag = post.etag();
    if IfNoneMatch::of(&req).has(&etag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, etag)).finish());
    }
    Ok(json(HttpResponse::Ok().insert_header((ETAG, etag)), &post))
}

/// Create a post
///
/// The current user becomes its author.
#[utoipa::path(tag = "posts", params(Author), responses((status = 201, description = "The new post.", body = Post, headers(
    ("Location" = String, description = "`/posts/{id}`"), ("ETag" = String, description = "The post's version."),
))))]
#[post("/posts")]
pub(crate) async fn create_post(
    user: Author,
    body: Json<NewPost>,
    db: Data<Db>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    user.check_again(&sessions)?;
    let (author_id, new, now) = (user.id(), body.0, Timestamp::now());
    let post = match db.write(move |conn| store::insert_post(conn, &new, author_id, now)).await {
        Err(StoreError::ReferenceGone) => return Err(AuthError::AccountGone.into()),
        result => result?,
    };
    let location = format!("/posts/{}", post.id);
    Ok(json(HttpResponse::Created().insert_header((LOCATION, location)).insert_header((ETAG, post.etag())), &post))
}

/// Replace a post
///
/// Only its author and admins may replace it.
#[utoipa::path(tag = "posts", params(Author, PathId, IfMatch), responses((status = 200, description = "The updated post.", body = Post)))]
#[put("/posts/{id}")]
pub(crate) async fn replace_post(
    req: HttpRequest,
    user: Author,
    PathId(id): PathId,
    body: Json<NewPost>,
    db: Data<Db>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    user.check_again(&sessions)?;
    change(&req, &user, id, body.0.into(), &db).await
}

/// Update a post
///
/// Only its author and admins may change it. Absent fields keep their value.
#[utoipa::path(tag = "posts", params(Author, PathId, IfMatch), responses((status = 200, description = "The updated post.", body = Post)))]
#[patch("/posts/{id}")]
pub(crate) async fn update_post(
    req: HttpRequest,
    user: Author,
    PathId(id): PathId,
    body: Json<PostChange>,
    db: Data<Db>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, ApiError> {
    user.check_again(&sessions)?;
    change(&req, &user, id, body.0, &db).await
}

/// Delete a post
///
/// Only its author and admins may delete it.
#[utoipa::path(tag = "posts", params(Author, PathId, IfMatch), responses((status = 204, description = "The post is deleted.")))]
#[delete("/posts/{id}")]
pub(crate) async fn delete_post(
    req: HttpRequest,
    user: Author,
    PathId(id): PathId,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    let check = check_of(&req, &user);
    done(db.write(move |conn| store::delete_post(conn, id, &check)).await?)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn change(
    req: &HttpRequest,
    user: &Author,
    id: Id,
    change: PostChange,
    db: &Db,
) -> Result<HttpResponse, ApiError> {
    let (check, now) = (check_of(req, user), Timestamp::now());
    let post = done(db.write(move |conn| store::update_post(conn, id, &change, &check, now)).await?)?;
    Ok(json(HttpResponse::Ok().insert_header((ETAG, post.etag())), &post))
}

/// Anonymous readers may get slightly old data. A caller with credentials may have just written, and must see that.
fn freshness_for(req: &HttpRequest) -> Freshness {
    if req.headers().contains_key(AUTHORIZATION) { Freshness::Newest } else { Freshness::MayLag }
}

/// Whether the caller may change a post as it is: first the owner, then `If-Match`.
fn check_of(req: &HttpRequest, user: &Author) -> impl Fn(&Post) -> Result<(), Changed> + Send + 'static {
    let (user_id, is_admin) = (user.id(), user.is_admin());
    let if_match = IfMatch::of(req);
    move |post| match post {
        _ if post.author_id != user_id && !is_admin => Err(Changed::NotAllowed),
        _ if !if_match.allows(&post.etag()) => Err(Changed::Outdated),
        _ => Ok(()),
    }
}

fn done(changed: Changed) -> Result<Post, ApiError> {
    match changed {
        Changed::Done(post) => Ok(post),
        Changed::Gone => Err(ApiError::NotFound),
        Changed::NotAllowed => Err(ApiError::Forbidden("This post belongs to another account.")),
        Changed::Outdated => Err(ApiError::PreconditionFailed),
    }
}
