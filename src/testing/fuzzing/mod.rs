//! The targets of `tests/fuzz/`: one function for each parser of untrusted bytes. Each checks the result against the
//! same rules as the property tests beside the parser, and panics if a rule is broken. Compiled only with `--cfg fuzzing`.

mod basic;
mod bearer;
mod form;
mod forwarded;
mod token;
mod values;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;

pub use basic::basic;
pub use bearer::bearer;
pub use form::form;
pub use forwarded::forwarded;
pub use token::token;
pub use values::{cursor, email, scope};

/// A request with a header in these lines; `None` if HTTP could not carry one of them.
fn with_lines(request: TestRequest, name: &HeaderName, lines: &[&[u8]]) -> Option<TestRequest> {
    lines.iter().try_fold(request, |request, line| {
        let value = HeaderValue::from_bytes(line).ok()?;
        Some(request.append_header((name.clone(), value)))
    })
}
