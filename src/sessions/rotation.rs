//! The rotation rule: what a refresh token means, given its session.
//!
//! One token of a session is live: the one of the newest generation. Honest clients lose responses, so the previous one
//! is accepted too and gets the same live token: for a short time after its rotation, or until a use proves that the
//! live one arrived. Everything older is a copy in the wrong hands.

use crate::db::Timestamp;
use crate::sessions::store::SessionRow;

/// How far before the rotation a request may seem to come, in seconds: clocks of replicas differ, and requests wait.
/// Beyond that the clock was set back, which must not stretch the grace time.
const EARLIER_SECONDS: u64 = 60;

/// What to do with a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the live one: issue the next.
    Rotate,
    /// Its response was lost: issue the live one again.
    Repeat,
    /// Somebody else has used it before: end the session.
    Theft,
    /// The session has ended, or the token has expired.
    Ended,
}

/// Judges a token of that generation. `grace_seconds` is how long after a rotation the previous token is accepted.
pub(crate) fn judge(session: &SessionRow, generation: i64, grace_seconds: u64, now: Timestamp) -> Verdict {
    if session.revoked_at.is_some() || session.ends_at() <= now {
        return Verdict::Ended;
    }
    if generation == session.generation {
        return Verdict::Rotate;
    }
    let is_unproven = session.proven_generation < session.generation;
    let earliest = session.refreshed_at.minus_seconds(EARLIER_SECONDS);
    let in_grace = earliest <= now && now <= session.refreshed_at.plus_seconds(grace_seconds);
    if generation == session.generation - 1 && (is_unproven || in_grace) {
        return Verdict::Repeat;
    }
    Verdict::Theft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Id;

    const GRACE_SECONDS: u64 = 10;

    fn session(generation: i64, proven_generation: i64, now: Timestamp) -> SessionRow {
        let id = Id::parse("1").expect("id");
        SessionRow {
            id,
            user_id: id,
            client_id: "keyfob".into(),
            scope: "profile".into(),
            secret_hash: Vec::new(),
            generation,
            proven_generation,
            refreshed_at: now,
            refresh_ttl_seconds: 86400,
            created_at: now,
            last_used_at: now,
            expires_at: now.plus_seconds(1_000_000),
            revoked_at: None,
            user_agent: None,
            ip: None,
        }
    }

    #[test]
    fn the_live_token_rotates_until_it_expires() {
        let now = Timestamp::now();
        let session = session(5, 4, now);
        assert_eq!(judge(&session, 5, GRACE_SECONDS, now.plus_seconds(86399)), Verdict::Rotate);
        assert_eq!(judge(&session, 5, GRACE_SECONDS, now.plus_seconds(86400)), Verdict::Ended);
    }

    #[test]
    fn the_token_before_is_answered_in_the_grace_time_or_while_the_live_one_is_unproven() {
        let now = Timestamp::now();
        assert_eq!(judge(&session(5, 5, now), 4, GRACE_SECONDS, now.plus_seconds(10)), Verdict::Repeat);
        assert_eq!(judge(&session(5, 5, now), 4, GRACE_SECONDS, now.plus_seconds(11)), Verdict::Theft);
        assert_eq!(judge(&session(5, 4, now), 4, GRACE_SECONDS, now.plus_seconds(3600)), Verdict::Repeat);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stretch_the_grace_time() {
        let now = Timestamp::now();
        assert_eq!(judge(&session(5, 5, now), 4, GRACE_SECONDS, now.minus_seconds(5)), Verdict::Repeat);
        assert_eq!(judge(&session(5, 5, now), 4, GRACE_SECONDS, now.minus_seconds(3600)), Verdict::Theft);
        assert_eq!(judge(&session(5, 4, now), 4, GRACE_SECONDS, now.minus_seconds(3600)), Verdict::Repeat);
        assert_eq!(judge(&session(5, 5, now), 5, GRACE_SECONDS, now.minus_seconds(3600)), Verdict::Rotate);
    }

    #[test]
    fn anything_older_is_theft_even_in_the_grace_time() {
        let now = Timestamp::now();
        assert_eq!(judge(&session(5, 4, now), 3, GRACE_SECONDS, now), Verdict::Theft);
    }

    #[test]
    fn an_ended_session_answers_nothing() {
        let now = Timestamp::now();
        let mut ended = session(5, 4, now);
        ended.revoked_at = Some(now);
        assert_eq!(judge(&ended, 5, GRACE_SECONDS, now), Verdict::Ended);
        let mut over = session(5, 4, now);
        over.expires_at = now;
        assert_eq!(judge(&over, 5, GRACE_SECONDS, now), Verdict::Ended);
    }
}
