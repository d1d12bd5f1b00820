//! Limits on clients beyond bodies: the head of a request, and connections.

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::error_form::ErrorForm;
use crate::http::failure::Failure;

/// Largest request target and headers together, in bytes: twice nginx's limit (4 buffers of 8 KiB), so that a token
/// that is far too long still gets its 401. actix-http 3.20 by itself allows 96 headers and 128 KiB.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Connections at a time; further ones wait to be accepted until idle ones are closed.
const MAX_CONNECTIONS: u64 = 16_384;
/// Files other than client connections: the database's, threads', standard streams; with some to spare.
const OTHER_FILES: u64 = 512;

/// Refuses a head that is too large.
pub(crate) async fn head<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if head_bytes(&req) > MAX_HEAD_BYTES {
        let refused = ErrorForm::error(req.request(), Failure::HeadTooLarge { max_bytes: MAX_HEAD_BYTES });
        return Ok(req.error_response(refused).map_into_right_body());
    }
    Ok(next.call(req).await?.map_into_left_body())
}

fn head_bytes(req: &ServiceRequest) -> usize {
    let target = req.uri().path_and_query().map_or(0, |target| target.as_str().len());
    // A header has four more bytes: colon, space, CR and LF.
    let headers = req.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + headers.sum::<usize>()
}

/// The number of connections a worker accepts at a time, so that files do not run out. Raises the process's file limit
/// where it is low: 1,024 is usual, and a thousand idle clients would then keep the database from opening its own.
pub(crate) fn connections_per_worker(workers: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = MAX_CONNECTIONS + OTHER_FILES;
    let raised = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let has_fewer = limit.current.is_some_and(|files| files < raised);
    if has_fewer && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).is_err() {
        return share(limit.current, workers);
    }
    share(limit.current.map(|files| files.max(raised)), workers)
}

/// Half of the files where the limit is low.
fn share(files: Option<u64>, workers: usize) -> usize {
    let connections = files.map_or(MAX_CONNECTIONS, |files| files.saturating_sub(OTHER_FILES).max(files / 2));
    let connections = usize::try_from(connections.min(MAX_CONNECTIONS)).unwrap_or(usize::MAX);
    (connections / workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(share(None, 2), 8192);
        assert_eq!(share(Some(1_048_576), 2), 8192);
        assert_eq!(share(Some(4096), 2), 1792);
        assert_eq!(share(Some(1024), 4), 128);
        assert_eq!(share(Some(256), 1), 128);
        assert_eq!(share(Some(2), 8), 1);
    }
}
