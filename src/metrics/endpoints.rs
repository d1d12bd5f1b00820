//! Requests by endpoint: by method and route pattern, never by the requested path, which holds ids and anything else
//! that clients send.
//!
//! `HttpRequest::match_pattern` has the pattern too. It matches the path once more against the routes in turn, and
//! builds a new text for each request, which would then be looked up here. This looks up the path itself, and compares
//! segments only where the route has a parameter.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus::{Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

use super::{OTHER, registered};

/// The label for requests that match no route.
const NO_ROUTE: &str = "none";
/// The statuses with a counter of their own, in order.
const STATUSES: [u16; 22] =
    [200, 201, 202, 204, 304, 307, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 431, 500, 503, 504];
/// From a read of some microseconds to a login that waited in the queue.
const SECONDS: [f64; 16] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

pub(super) struct Endpoints {
    routes: Vec<Route>,
    /// Routes without parameters, by path.
    fixed: HashMap<String, usize>,
    /// The other routes.
    patterns: Vec<usize>,
    unmatched: Endpoint,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

struct Route {
    /// The segments of the path; `None` is a parameter.
    parts: Vec<Option<String>>,
    endpoints: Vec<(Method, Endpoint)>,
}

/// The metrics of an endpoint. Each is created on first use, so that the page lists only what occurred.
struct Endpoint {
    method: String,
    route: String,
    requests: [OnceLock<IntCounter>; STATUSES.len()],
    other: OnceLock<IntCounter>,
    seconds: OnceLock<Histogram>,
}

impl Endpoints {
    pub(super) fn new(document: &OpenApi, files: &[&str], registry: &Registry) -> Result<Self, Error> {
        let requests = Opts::new("keyfob_http_requests_total", "Requests, by method, route and status.");
        let name = "keyfob_http_request_duration_seconds";
        let seconds =
            HistogramOpts::new(name, "How long requests took, by method and route.").buckets(SECONDS.to_vec());
        let mut endpoints = Self {
            routes: Vec::new(),
            fixed: HashMap::new(),
            patterns: Vec::new(),
            unmatched: Endpoint::new(OTHER, NO_ROUTE),
            requests: registered(registry, IntCounterVec::new(requests, &["method", "route", "status"])?)?,
            seconds: registered(registry, HistogramVec::new(seconds, &["method", "route"])?)?,
        };
        for (pattern, item) in &document.paths.paths {
            endpoints.add(pattern, methods(item));
        }
        for pattern in files {
            endpoints.add(pattern, vec![Method::GET]);
        }
        Ok(endpoints)
    }

    pub(super) fn count(&self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        let endpoint = self.find(method, path).unwrap_or(&self.unmatched);
        endpoint.requests(status, &self.requests).inc();
        endpoint.seconds(&self.seconds).observe(took.as_secs_f64());
    }

    fn add(&mut self, pattern: &str, methods: Vec<Method>) {
        let parts: Vec<_> = pattern.split('/').map(|part| (!part.starts_with('{')).then(|| part.to_owned())).collect();
        let place = self.routes.len();
        if parts.iter().all(Option::is_some) {
            self.fixed.insert(pattern.to_owned(), place);
        } else {
            self.patterns.push(place);
        }
        let endpoint = |method: Method| (method.clone(), Endpoint::new(method.as_str(), pattern));
        self.routes.push(Route { parts, endpoints: methods.into_iter().map(endpoint).collect() });
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Endpoint> {
        let fixed = self.fixed.get(path).and_then(|place| self.routes.get(*place));
        let route = fixed.or_else(|| {
            let mut patterns = self.patterns.iter().filter_map(|place| self.routes.get(*place));
            patterns.find(|route| route.matches(path))
        })?;
        route.endpoints.iter().find(|(known, _)| known == method).map(|(_, endpoint)| endpoint)
    }
}

impl Route {
    fn matches(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        let is_each = self.parts.iter().all(|part| match (part, asked.next()) {
            (Some(part), Some(asked)) => part == asked,
            (None, Some(asked)) => !asked.is_empty(),
            (_, None) => false,
        });
        is_each && asked.next().is_none()
    }
}

impl Endpoint {
    fn new(method: &str, route: &str) -> Self {
        Self {
            method: method.to_owned(),
            route: route.to_owned(),
            requests: [const { OnceLock::new() }; STATUSES.len()],
            other: OnceLock::new(),
            seconds: OnceLock::new(),
        }
    }

    fn requests(&self, status: StatusCode, all: &IntCounterVec) -> &IntCounter {
        let place = STATUSES.binary_search(&status.as_u16()).ok().and_then(|place| self.requests.get(place));
        let label = if place.is_some() { status.as_str() } else { OTHER };
        let labels = [self.method.as_str(), self.route.as_str(), label];
        place.unwrap_or(&self.other).get_or_init(|| all.with_label_values(&labels))
    }

    fn seconds(&self, all: &HistogramVec) -> &Histogram {
        self.seconds.get_or_init(|| all.with_label_values(&[self.method.as_str(), self.route.as_str()]))
    }
}

fn methods(item: &PathItem) -> Vec<Method> {
    let methods = [
        (Method::GET, item.get.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::PATCH, item.patch.is_some()),
        (Method::DELETE, item.delete.is_some()),
    ];
    methods.into_iter().filter(|(_, is_known)| *is_known).map(|(method, _)| method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints::new(&crate::app::openapi_document(), &["/docs/{file}"], &Registry::new()).expect("endpoints")
    }

    fn route(endpoints: &Endpoints, method: &Method, path: &str) -> String {
        endpoints.find(method, path).map_or(NO_ROUTE.to_owned(), |found| format!("{} {}", found.method, found.route))
    }

    #[test]
    fn a_path_is_known_by_the_pattern_of_its_route() {
        let endpoints = endpoints();
        assert_eq!(route(&endpoints, &Method::GET, "/me"), "GET /me");
        assert_eq!(route(&endpoints, &Method::PUT, "/posts/17"), "PUT /posts/{id}");
        assert_eq!(route(&endpoints, &Method::DELETE, "/me/sessions/3"), "DELETE /me/sessions/{id}");
        assert_eq!(route(&endpoints, &Method::GET, "/docs/swagger-ui.css"), "GET /docs/{file}");
    }

    #[test]
    fn what_has_no_route_is_never_named() {
        let endpoints = endpoints();
        for path in ["/secret-path", "/posts/", "/posts/1/2", "/me/", "", "/"] {
            let found = route(&endpoints, &Method::PATCH, path);
            assert_eq!(found, NO_ROUTE, "{path}");
        }
        assert_eq!(route(&endpoints, &Method::DELETE, "/login"), NO_ROUTE, "another method than the route's");
    }

    #[test]
    fn the_statuses_are_in_order() {
        assert!(STATUSES.is_sorted());
    }
}
