//! Arguments, then the library.

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    keyfob::cli::run(std::env::args_os()).await
}
