//! Traces, against a collector of the test's own: `cargo test --features otlp`.

#[cfg(not(feature = "otlp"))]
use crate::support::Home;

#[cfg(not(feature = "otlp"))]
#[test]
fn a_program_without_traces_refuses_to_be_told_where_to_send_them() {
    let line = Home::with(&[("log.otlp_endpoint", "http://127.0.0.1:4318")]).run(&[], "").expect_failure();
    assert!(line.contains("log.otlp_endpoint") && line.contains("--features otlp"), "{line}");
}

#[cfg(feature = "otlp")]
mod sent {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;
    use std::time::Duration;

    use crate::support::{Home, PASSWORD, Server};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A request that a collector was sent.
    struct Export {
        head: String,
        body: Vec<u8>,
    }

    impl Export {
        fn contains(&self, part: &[u8]) -> bool {
            self.body.windows(part.len()).any(|window| window == part)
        }
    }

    /// A collector that takes everything: its URL, and what it gets.
    fn collector() -> (String, Receiver<Export>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, exports) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                thread::spawn(move || serve(stream.expect("a connection"), &sender));
            }
        });
        (url, exports)
    }

    /// Answers the requests of a connection, until it is closed.
    fn serve(stream: TcpStream, exports: &Sender<Export>) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut writer = stream;
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().expect("a length"))
            });
            let mut body = vec![0; length.expect("a body of a known length")];
            reader.read_exact(&mut body).expect("the body");
            writer
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                .expect("an answer");
            if exports.send(Export { head, body }).is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_request_is_a_span_named_after_its_route_in_the_trace_of_the_caller() {
        let (url, exports) = collector();
        let mut server = Server::with(&[("log.otlp_endpoint", &url)]);
        let bob = server.sign_up("bob@example.com");
        let post = bob.write_post("title");
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let request = server.request("GET", &format!("{post}?secret=query")).header("traceparent", &parent);
        request.header("x-request-id", "the-request").send().expect(200);
        server.signal("TERM");
        assert_eq!(server.wait(PATIENCE).code(), Some(0));
        let mut got = Vec::new();
        while let Ok(export) = exports.recv_timeout(Duration::from_secs(1)) {
            got.push(export);
        }
        assert!(!got.is_empty(), "all spans are sent before the end");
        for export in &got {
            assert!(export.head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", export.head);
            assert!(export.head.to_lowercase().contains("content-type: application/x-protobuf"), "{}", export.head);
            for hidden in ["secret=query", PASSWORD, bob.token.as_str(), "bob@example.com"] {
                assert!(!export.contains(hidden.as_bytes()), "{hidden} was sent");
            }
        }
        let is_sent = |part: &[u8]| got.iter().any(|export| export.contains(part));
        for name in ["keyfob", "POST /signup", "POST /login", "POST /posts", "GET /posts/{id}", "the-request"] {
            assert!(is_sent(name.as_bytes()), "{name}");
        }
        let id: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&trace[2 * at..2 * at + 2], 16).expect("hex")).collect();
        assert!(is_sent(&id), "the span is in the trace of the caller");
    }

    #[test]
    fn an_unreachable_collector_delays_no_request() {
        let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut server = Server::with(&[("log.otlp_endpoint", &format!("http://{gone}"))]);
        server.sign_up("bob@example.com").get("/me").expect(200);
        server.signal("TERM");
        assert_eq!(server.wait(PATIENCE).code(), Some(0));
    }

    #[test]
    fn only_a_plain_url_is_taken() {
        for value in ["https://127.0.0.1:4318", "127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces", "http://"] {
            let line = Home::with(&[("log.otlp_endpoint", value)]).run(&[], "").expect_failure();
            assert!(line.contains("log.otlp_endpoint"), "{line}");
        }
    }
}
