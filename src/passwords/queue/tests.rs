use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn queue(length: usize, max_wait: Duration) -> Queue {
    Queue::start(1, length, max_wait).expect("a thread")
}

/// Keeps the only thread busy until the sender is dropped.
async fn occupy(queue: &Arc<Queue>) -> std::sync::mpsc::Sender<()> {
    let (release, released) = channel::<()>();
    let (begins, begun) = oneshot::channel();
    let queue = Arc::clone(queue);
    actix_web::rt::spawn(async move {
        let work = move || {
            let _ = begins.send(());
            let _ = released.recv();
        };
        queue.run(HERE, work).await
    });
    begun.await.expect("it begins");
    release
}

/// Waits in the queue, and notes its name when it is served.
fn wait(
    queue: &Arc<Queue>,
    from: IpAddr,
    name: &'static str,
    served: &Arc<Mutex<Vec<&'static str>>>,
) -> actix_web::rt::task::JoinHandle<Result<(), Busy>> {
    let (queue, served) = (Arc::clone(queue), Arc::clone(served));
    actix_web::rt::spawn(async move { queue.run(from, move || served.lock().expect("no panic").push(name)).await })
}

#[actix_web::test]
async fn who_waits_too_long_is_told_and_not_worked_for() {
    let queue = Arc::new(queue(4, Duration::from_millis(50)));
    let release = occupy(&queue).await;
    let done = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&done);
    let told = queue.run(HERE, move || set.store(true, Ordering::Relaxed)).await;
    assert_eq!(told, Err(Busy { retry_after_seconds: 1 }));
    drop(release);
    assert_eq!(queue.run(HERE, || 7).await, Ok(7), "the next one is served");
    assert!(!done.load(Ordering::Relaxed));
}

#[actix_web::test]
async fn those_who_went_away_take_no_place_in_a_full_queue() {
    let queue = Arc::new(queue(1, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let gone = timeout(Duration::from_millis(20), queue.run(HERE, || ())).await;
    assert!(gone.is_err(), "it waited and was dropped");
    let waits = Arc::clone(&queue);
    let waits = actix_web::rt::spawn(async move { waits.run(HERE, || 7).await });
    tokio::task::yield_now().await;
    assert!(matches!(queue.run(HERE, || 8).await, Err(Busy { .. })), "one waits, and the queue is full");
    drop(release);
    assert_eq!(waits.await.expect("no panic"), Ok(7));
}

#[actix_web::test]
async fn a_full_queue_of_one_network_has_a_place_for_another_which_is_served_next() {
    let queue = Arc::new(queue(2, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let served = Arc::default();
    let first = wait(&queue, HERE, "first", &served);
    let newest = wait(&queue, HERE, "newest", &served);
    tokio::task::yield_now().await;
    let other = wait(&queue, ELSEWHERE, "other", &served);
    assert!(matches!(newest.await.expect("no panic"), Err(Busy { .. })), "it gives up its place and is told");
    drop(release);
    assert_eq!((first.await.expect("no panic"), other.await.expect("no panic")), (Ok(()), Ok(())));
    assert_eq!(*served.lock().expect("no panic"), ["first", "other"]);
}

#[actix_web::test]
async fn an_ipv6_subscriber_waits_in_one_line() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let queue = Arc::new(queue(8, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let served = Arc::default();
    let waits = [
        wait(&queue, address("2001:db8::1"), "one", &served),
        wait(&queue, address("2001:db8::ffff:2"), "two", &served),
        wait(&queue, address("2001:db8:0:1::1"), "neighbour", &served),
        wait(&queue, address("::ffff:192.0.2.2"), "mapped", &served),
        wait(&queue, ELSEWHERE, "the same in IPv4", &served),
    ];
    tokio::task::yield_now().await;
    drop(release);
    for waits in waits {
        assert_eq!(waits.await.expect("no panic"), Ok(()));
    }
    let order = ["one", "neighbour", "mapped", "two", "the same in IPv4"];
    assert_eq!(*served.lock().expect("no panic"), order);
}

#[actix_web::test]
async fn work_that_panics_is_told_as_busy_and_the_thread_goes_on() {
    let queue = Arc::new(queue(4, Duration::from_secs(60)));
    for _ in 0..3 {
        let failed: Result<(), Busy> = queue.run(HERE, || panic!("on purpose")).await;
        assert_eq!(failed, Err(Busy { retry_after_seconds: 1 }));
    }
    assert_eq!(queue.run(HERE, || 7).await, Ok(7), "by the only thread that there is");
}

#[actix_web::test]
async fn the_wait_that_is_told_follows_from_the_work_ahead() {
    let queue = queue(1000, Duration::from_secs(30));
    queue.shared.note(Duration::from_millis(250));
    assert_eq!(queue.busy(0).retry_after_seconds, 1);
    assert_eq!(queue.busy(40).retry_after_seconds, 10);
    assert_eq!(queue.busy(1000).retry_after_seconds, 30, "by then they have given up");
}
