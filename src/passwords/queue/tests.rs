use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

type Work = Box<dyn FnOnce() + Send>;

/// Done when it begins, or after some rounds.
enum Piece {
    Short(Option<Work>),
    /// The hash; what is done at first, each time that the hash is asked for, and at the end.
    Long(Hash, Box<dyn FnMut() + Send>, Option<Work>),
}

impl Task for Piece {
    fn go_on(&mut self) -> Option<&mut Hash> {
        match self {
            Self::Short(work) => {
                work.take().into_iter().for_each(|work| work());
                None
            }
            Self::Long(hash, _, work) if hash.is_done() => {
                work.take().into_iter().for_each(|work| work());
                None
            }
            Self::Long(hash, asked, _) => {
                asked();
                Some(hash)
            }
        }
    }
}

async fn run<A: Send + 'static>(
    queue: &Queue<Piece>,
    address: IpAddr,
    work: impl FnOnce() -> A + Send + 'static,
) -> Result<A, Busy> {
    let short = |answer: oneshot::Sender<A>| {
        Piece::Short(Some(Box::new(move || {
            let _ = answer.send(work());
        })))
    };
    queue.run(address, short).await
}

fn hash(cost: u32) -> Hash {
    Hash::begin(b"lantern-quartz", &[1; 16], keyfob_lanes::Cost::parse(cost).expect("a cost"))
}

/// Waits in the queue with a task that takes some rounds.
fn wait_long(
    queue: &Arc<Queue<Piece>>,
    from: IpAddr,
    cost: u32,
    asked: impl FnMut() + Send + 'static,
    end: impl FnOnce() + Send + 'static,
) -> actix_web::rt::task::JoinHandle<Result<(), Busy>> {
    let queue = Arc::clone(queue);
    actix_web::rt::spawn(async move {
        let long = |answer: oneshot::Sender<()>| {
            let end = Box::new(move || {
                end();
                let _ = answer.send(());
            });
            Piece::Long(hash(cost), Box::new(asked), Some(end))
        };
        queue.run(from, long).await
    })
}

fn queue(length: usize, max_wait: Duration) -> Queue<Piece> {
    Queue::start(1, length, max_wait).expect("a thread")
}

/// Keeps the only thread busy until the sender is dropped.
async fn occupy(queue: &Arc<Queue<Piece>>) -> std::sync::mpsc::Sender<()> {
    let (release, released) = channel::<()>();
    let (begins, begun) = oneshot::channel();
    let queue = Arc::clone(queue);
    actix_web::rt::spawn(async move {
        let work = move || {
            let _ = begins.send(());
            let _ = released.recv();
        };
        run(&queue, HERE, work).await
    });
    begun.await.expect("it begins");
    release
}

/// Waits in the queue, and notes its name when it is served.
fn wait(
    queue: &Arc<Queue<Piece>>,
    from: IpAddr,
    name: &'static str,
    served: &Arc<Mutex<Vec<&'static str>>>,
) -> actix_web::rt::task::JoinHandle<Result<(), Busy>> {
    let (queue, served) = (Arc::clone(queue), Arc::clone(served));
    actix_web::rt::spawn(async move { run(&queue, from, move || served.lock().expect("no panic").push(name)).await })
}

#[actix_web::test]
async fn who_waits_too_long_is_told_and_not_worked_for() {
    let queue = Arc::new(queue(4, Duration::from_millis(50)));
    let release = occupy(&queue).await;
    let done = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&done);
    let told = run(&queue, HERE, move || set.store(true, Ordering::Relaxed)).await;
    assert_eq!(told, Err(Busy { retry_after_seconds: 1 }));
    drop(release);
    assert_eq!(run(&queue, HERE, || 7).await, Ok(7), "the next one is served");
    assert!(!done.load(Ordering::Relaxed));
}

#[actix_web::test]
async fn those_who_went_away_take_no_place_in_a_full_queue() {
    let queue = Arc::new(queue(1, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let gone = timeout(Duration::from_millis(20), run(&queue, HERE, || ())).await;
    assert!(gone.is_err(), "it waited and was dropped");
    let waits = Arc::clone(&queue);
    let waits = actix_web::rt::spawn(async move { run(&waits, HERE, || 7).await });
    tokio::task::yield_now().await;
    assert!(matches!(run(&queue, HERE, || 8).await, Err(Busy { .. })), "one waits, and the queue is full");
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
        let failed: Result<(), Busy> = run(&queue, HERE, || panic!("on purpose")).await;
        assert_eq!(failed, Err(Busy { retry_after_seconds: 1 }));
    }
    assert_eq!(run(&queue, HERE, || 7).await, Ok(7), "by the only thread that there is");
}

#[actix_web::test]
async fn the_wait_that_is_told_follows_from_the_work_ahead() {
    let queue = queue(1000, Duration::from_secs(30));
    queue.shared.note(Duration::from_millis(250));
    assert_eq!(queue.busy(0).retry_after_seconds, 1);
    assert_eq!(queue.busy(40).retry_after_seconds, 10);
    assert_eq!(queue.busy(1000).retry_after_seconds, 30, "by then they have given up");
}

#[actix_web::test]
async fn a_thread_does_four_side_by_side_of_each_network_in_turn() {
    let queue = Arc::new(queue(8, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    let long = |from, name: &'static str| {
        let (begins, ends) = (Arc::clone(&noted), Arc::clone(&noted));
        let mut is_first = true;
        let asked = move || {
            if std::mem::take(&mut is_first) {
                begins.lock().expect("no panic").push(format!("{name} begins"));
            }
        };
        wait_long(&queue, from, 4, asked, move || ends.lock().expect("no panic").push(format!("{name} ends")))
    };
    let mut waits: Vec<_> = ["one", "two", "three", "four", "five"].map(|name| long(HERE, name)).into();
    waits.push(long(ELSEWHERE, "other"));
    tokio::task::yield_now().await;
    drop(release);
    for waits in waits {
        assert_eq!(waits.await.expect("no panic"), Ok(()));
    }
    let noted = noted.lock().expect("no panic").join(", ");
    let expected = "one begins, other begins, two begins, three begins, one ends, other ends, two ends, three ends, \
                    four begins, five begins, four ends, five ends";
    assert_eq!(noted, expected);
}

#[actix_web::test]
async fn a_newcomer_is_served_beside_a_long_task() {
    let queue = Arc::new(queue(4, Duration::from_secs(60)));
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let (begins, begun) = oneshot::channel();
    let mut begins = Some(begins);
    let end = Arc::clone(&order);
    let asked = move || {
        let _ = begins.take().map(|begins| begins.send(()));
    };
    let long = wait_long(&queue, HERE, 14, asked, move || end.lock().expect("no panic").push("long"));
    begun.await.expect("it begins");
    let end = Arc::clone(&order);
    let short = wait_long(&queue, HERE, 4, || (), move || end.lock().expect("no panic").push("short"));
    assert_eq!((long.await.expect("no panic"), short.await.expect("no panic")), (Ok(()), Ok(())));
    assert_eq!(*order.lock().expect("no panic"), ["short", "long"]);
}

#[actix_web::test]
async fn those_who_hung_up_are_not_served_beside_others() {
    let queue = Arc::new(queue(8, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let done = Arc::new(AtomicU64::new(0));
    let long = || {
        let done = Arc::clone(&done);
        wait_long(
            &queue,
            HERE,
            4,
            || (),
            move || {
                done.fetch_add(1, Ordering::Relaxed);
            },
        )
    };
    let (stays, goes, stays_too) = (long(), long(), long());
    tokio::task::yield_now().await;
    goes.abort();
    assert!(goes.await.is_err(), "it is dropped while it waits");
    drop(release);
    assert_eq!((stays.await.expect("no panic"), stays_too.await.expect("no panic")), (Ok(()), Ok(())));
    assert_eq!(run(&queue, HERE, || 7).await, Ok(7));
    assert_eq!(done.load(Ordering::Relaxed), 2);
}

/// Waits with two tasks and between them one that panics when its hash is asked for so often.
async fn beside_one_that_panics(at: u32) -> [Result<(), Busy>; 3] {
    let queue = Arc::new(queue(8, Duration::from_secs(60)));
    let release = occupy(&queue).await;
    let mut asked = 0;
    let panics = move || {
        asked += 1;
        assert!(asked < at, "on purpose");
    };
    let first = wait_long(&queue, HERE, 4, || (), || ());
    let panics = wait_long(&queue, HERE, 4, panics, || ());
    let last = wait_long(&queue, HERE, 4, || (), || ());
    tokio::task::yield_now().await;
    drop(release);
    let results = [first.await, panics.await, last.await].map(|result| result.expect("the caller does not panic"));
    assert_eq!(run(&queue, HERE, || 7).await, Ok(7), "by the only thread that there is");
    assert!(queue.is_alive());
    results
}

#[actix_web::test]
async fn a_task_that_panics_between_its_hashes_is_over_for_itself_alone() {
    let busy = Err(Busy { retry_after_seconds: 1 });
    assert_eq!(beside_one_that_panics(1).await, [Ok(()), busy, Ok(())]);
}

#[actix_web::test]
async fn a_panic_among_hashes_side_by_side_is_told_to_each_as_busy_and_the_thread_goes_on() {
    let busy = Err(Busy { retry_after_seconds: 1 });
    assert_eq!(beside_one_that_panics(2).await, [busy; 3]);
}

#[test]
fn threads_share_what_waits() {
    for (begun, waiting, taken) in [
        (vec![0], 1, 1),
        (vec![0], 9, 4),
        (vec![3], 9, 1),
        (vec![4], 9, 0),
        (vec![0, 0], 1, 1),
        (vec![0, 0], 2, 1),
        (vec![0, 0], 5, 3),
        (vec![0, 0], 8, 4),
        (vec![1, 0], 1, 0),
        (vec![1, 0], 2, 1),
        (vec![2, 4], 2, 2),
        (vec![2, 0, 0], 4, 0),
    ] {
        let mut state = State { turns: Turns::new(16), begun: begun.clone(), is_closed: false };
        for _ in 0..waiting {
            let (begins, _) = oneshot::channel();
            assert!(state.turns.push(HERE, Job { begins, watched: None, task: () }).is_ok());
        }
        let mut more = 0;
        while state.take(0).is_some() {
            more += 1;
            state.set_begun(0, begun[0] + more);
        }
        assert_eq!(more, taken, "{begun:?}, {waiting} wait");
    }
}
