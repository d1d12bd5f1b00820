//! Decides who is served next: networks take turns, so that each delays only itself.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// A waiting job.
pub(super) trait Waits {
    /// Whether its caller has gone away.
    fn is_abandoned(&self) -> bool;
}

/// The waiting jobs, one line for each network, and the networks in the order of their turns. A network is known only
/// while it has a job here, waiting or running.
#[derive(Debug)]
pub(super) struct Turns<J> {
    lines: HashMap<IpAddr, Line<J>>,
    order: VecDeque<IpAddr>,
    waiting: usize,
    length: usize,
}

#[derive(Debug)]
struct Line<J> {
    jobs: VecDeque<J>,
    running: usize,
}

impl<J> Line<J> {
    fn share(&self) -> usize {
        self.jobs.len() + self.running
    }
}

impl<J: Waits> Turns<J> {
    /// An empty queue with room for `length` waiting jobs.
    pub(super) fn new(length: usize) -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new(), waiting: 0, length }
    }

    /// Puts a job at the end of its network's line. In a full queue the network with the largest share loses its newest
    /// job, unless the newcomer's own share would then be as large.
    ///
    /// # Errors
    /// The job, when there is no place for it.
    pub(super) fn push(&mut self, network: IpAddr, job: J) -> Result<(), J> {
        if self.waiting >= self.length {
            self.drop_abandoned();
        }
        if self.waiting >= self.length && !self.make_room_for(network) {
            return Err(job);
        }
        let line = self.lines.entry(network).or_insert_with(|| Line { jobs: VecDeque::new(), running: 0 });
        if line.jobs.is_empty() {
            self.order.push_back(network);
        }
        line.jobs.push_back(job);
        self.waiting += 1;
        Ok(())
    }

    /// Takes the oldest job of the network whose turn it is. It counts as running until [`Turns::finish`].
    pub(super) fn pop(&mut self) -> Option<(IpAddr, J)> {
        let network = self.order.pop_front()?;
        let line = self.lines.get_mut(&network)?;
        let job = line.jobs.pop_front()?;
        line.running += 1;
        self.waiting -= 1;
        if !line.jobs.is_empty() {
            self.order.push_back(network);
        }
        Some((network, job))
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Ends a running job of that network.
    pub(super) fn finish(&mut self, network: IpAddr) {
        if let Some(line) = self.lines.get_mut(&network) {
            line.running = line.running.saturating_sub(1);
            if line.share() == 0 {
                self.lines.remove(&network);
            }
        }
    }

    /// How many waiting jobs come before the next one of that network.
    pub(super) fn ahead_of(&self, network: IpAddr) -> usize {
        let own = self.lines.get(&network).map_or(0, |line| line.jobs.len());
        let others = self.lines.iter().filter(|(other, _)| **other != network);
        own + others.map(|(_, line)| line.jobs.len().min(own + 1)).sum::<usize>()
    }

    fn drop_abandoned(&mut self) {
        for line in self.lines.values_mut() {
            line.jobs.retain(|job| !job.is_abandoned());
        }
        self.waiting = self.lines.values().map(|line| line.jobs.len()).sum();
        self.lines.retain(|_, line| line.share() > 0);
        let lines = &self.lines;
        self.order.retain(|network| lines.get(network).is_some_and(|line| !line.jobs.is_empty()));
    }

    fn make_room_for(&mut self, newcomer: IpAddr) -> bool {
        let share = self.lines.get(&newcomer).map_or(0, Line::share);
        let waiting = self.lines.iter_mut().filter(|(_, line)| !line.jobs.is_empty());
        let Some((&network, line)) = waiting.max_by_key(|(_, line)| line.share()) else { return false };
        // Without the `+ 1`, two networks could push each other out without end.
        if line.share() <= share + 1 {
            return false;
        }
        line.jobs.pop_back();
        if line.jobs.is_empty() {
            self.order.retain(|other| *other != network);
        }
        if line.share() == 0 {
            self.lines.remove(&network);
        }
        self.waiting -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    /// A job with a number, and whether its caller has gone away.
    #[derive(Debug, PartialEq, Eq)]
    struct Numbered(u32, bool);

    impl Waits for Numbered {
        fn is_abandoned(&self) -> bool {
            self.1
        }
    }

    fn network(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn turns(length: usize) -> Turns<Numbered> {
        Turns::new(length)
    }

    fn push(turns: &mut Turns<Numbered>, from: u8, numbers: std::ops::Range<u32>) -> usize {
        numbers.map(|number| usize::from(turns.push(network(from), Numbered(number, false)).is_ok())).sum()
    }

    /// Serves all, one after the other.
    fn served(turns: &mut Turns<Numbered>) -> Vec<u32> {
        std::iter::from_fn(|| {
            let (network, job) = turns.pop()?;
            turns.finish(network);
            Some(job.0)
        })
        .collect()
    }

    #[test]
    fn networks_are_served_in_turn_and_each_in_the_order_of_its_jobs() {
        let mut turns = turns(64);
        push(&mut turns, 1, 0..5);
        push(&mut turns, 2, 10..12);
        push(&mut turns, 3, 20..21);
        assert_eq!(served(&mut turns), [0, 10, 20, 1, 11, 2, 3, 4]);
    }

    #[test]
    fn a_newcomer_waits_for_one_job_of_each_other_network_however_many_they_have() {
        let mut turns = turns(64);
        push(&mut turns, 1, 0..40);
        push(&mut turns, 2, 100..120);
        assert_eq!(turns.ahead_of(network(3)), 2);
        push(&mut turns, 3, 200..201);
        assert_eq!(served(&mut turns).iter().position(|number| *number == 200), Some(2));
    }

    #[test]
    fn one_network_alone_has_the_whole_queue() {
        let mut turns = turns(64);
        assert_eq!(push(&mut turns, 1, 0..100), 64);
        assert_eq!(turns.ahead_of(network(1)), 64);
        assert_eq!(served(&mut turns), (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn in_a_full_queue_the_largest_network_gives_up_its_newest_job() {
        let mut turns = turns(4);
        push(&mut turns, 1, 0..4);
        assert_eq!(push(&mut turns, 2, 10..14), 2, "until both have the same");
        assert_eq!(push(&mut turns, 1, 4..9), 0);
        assert_eq!(served(&mut turns), [0, 10, 1, 11]);
    }

    #[test]
    fn what_runs_counts_so_that_a_queue_of_one_is_fair_too() {
        let mut turns = turns(1);
        push(&mut turns, 1, 0..1);
        assert!(turns.pop().is_some(), "it runs");
        push(&mut turns, 1, 1..2);
        assert_eq!(push(&mut turns, 2, 10..11), 1);
        assert_eq!(push(&mut turns, 1, 2..3), 0, "one runs, and the other network has none that does");
        assert_eq!(served(&mut turns), [10]);
    }

    #[test]
    fn those_who_went_away_give_up_their_places_first() {
        let mut turns = turns(2);
        assert!(turns.push(network(1), Numbered(0, true)).is_ok());
        assert!(turns.push(network(2), Numbered(1, false)).is_ok());
        assert_eq!(push(&mut turns, 3, 2..3), 1);
        assert_eq!(served(&mut turns), [1, 2]);
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn whatever_comes_and_goes_no_network_is_known_without_a_job(
            steps in prop::collection::vec((0_u8..5, any::<bool>(), any::<bool>()), 0..200), length in 1_usize..8,
        ) {
            let mut turns = turns(length);
            let mut running = Vec::new();
            for (from, is_push, is_gone) in steps {
                if is_push {
                    let _full = turns.push(network(from), Numbered(0, is_gone));
                } else if let Some((network, _)) = turns.pop() {
                    running.push(network);
                } else if let Some(network) = running.pop() {
                    turns.finish(network);
                }
                let waiting: usize = turns.lines.values().map(|line| line.jobs.len()).sum();
                prop_assert!(waiting == turns.waiting && waiting <= length);
                prop_assert!(turns.lines.values().all(|line| line.share() > 0));
                let with_jobs = turns.lines.values().filter(|line| !line.jobs.is_empty()).count();
                prop_assert_eq!(turns.order.len(), with_jobs, "each has one turn");
            }
            while let Some((network, _)) = turns.pop() {
                running.push(network);
            }
            running.into_iter().for_each(|network| turns.finish(network));
            prop_assert!(turns.lines.is_empty());
        }
    }
}
