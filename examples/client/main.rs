//! A client in Rust, against the service of the README's quick start: `cargo run --example client`.
#![allow(missing_docs, unreachable_pub, reason = "docs/clients.md shows both files as they are")]

mod session;

use session::Session;

fn main() -> session::Result<()> {
    let session = Session::new("http://127.0.0.1:8000")?;
    session.log_in("mia@example.com", "violet-otter-92")?;

    let mut me = session.send("GET", "/me", "")?;
    println!("{}", me.body_mut().read_to_string()?);

    let post = session.send("POST", "/posts", r#"{"title":"Hello","content":"From Rust."}"#)?;
    println!("{}", post.status());

    session.log_out()
}
