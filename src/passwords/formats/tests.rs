use super::*;

fn fault(text: &str) -> Option<HashFault> {
    KeptHash::parse(text).err()
}

#[test]
fn unknown_and_damaged_hashes_are_refused() {
    let salt_and_digest = "Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
    for text in [
        "",
        "password",
        "$2b$04$",
        &format!("$2$04${salt_and_digest}"),
        &format!("$2c$04${salt_and_digest}"),
        &format!("$2b$4${salt_and_digest}"),
        &format!("$2b$+4${salt_and_digest}"),
        &format!("$2b$03${salt_and_digest}"),
        &format!("$2b$04${salt_and_digest}x"),
        &format!("$2b$04${}ü", salt_and_digest.trim_end_matches("em")),
        &format!("bcrypt$2b$04${salt_and_digest}"),
        "$bcrypt-sha256$v=3,t=2b,r=5$DamSpQVwrN/r4jNtFcCKEe$95QAX0YORVylXnNBr/LN/gedudmZVYG",
        "$bcrypt-sha256$v=2,t=2b,r=5$DamSpQVwrN/r4jNtFcCKEe$95QAX0YORVylXnNBr/LN/gedudmZVY",
        "pbkdf2_sha256$0$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
        "pbkdf2_sha256$1000$$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
        "pbkdf2_sha256$1000$salt$",
        "pbkdf2_sha1$1000$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
        "$argon2i$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
        "$argon2id$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg",
        "$argon2id$nonsense",
        "!unusable",
        "md5$salt$0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(fault(text), Some(HashFault::Unknown), "{text:?}");
    }
}

#[test]
fn a_hash_that_takes_minutes_is_refused() {
    for text in [
        "$2b$31$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em",
        "pbkdf2_sha256$4000000000$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
        "$argon2id$v=19$m=4000000,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
        "$argon2id$v=19$m=1024,t=9000000,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
    ] {
        assert_eq!(fault(text), Some(HashFault::TooCostly), "{text:?}");
    }
}

#[test]
fn a_hash_that_takes_much_memory_is_not_let_in_and_one_that_is_kept_works() {
    let hash = |kib: u32| {
        let salt_and_digest = "Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI";
        format!("$argon2id$v=19$m={kib},t=1,p=1${salt_and_digest}")
    };
    assert!(KeptHash::parse_new(&hash(131_072)).is_ok());
    let fault = KeptHash::parse_new(&hash(131_073)).err();
    assert_eq!(fault, Some(HashFault::TooLarge(131_073)));
    assert!(fault.is_some_and(|fault| fault.to_string().contains("128 MiB")));
    let kept = KeptHash::parse(&hash(131_073));
    assert!(matches!(kept, Ok(KeptHash::Other(hash)) if hash.is_large()));
}

#[test]
fn hashes_of_one_kind_begin_alike_and_have_the_same_work() {
    for (hash, expected) in [
        ("$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em", "$2b$04$"),
        ("bcrypt$$2b$04$FRcMMBdGMHdpgFLZ9KrZPexv.WQ3JzQd0IiYUkVFPej3vN6byXqbS", "bcrypt$$2b$04$"),
        ("$bcrypt-sha256$2a,4$nCEtkghlYHt3DbsznbeXKu$1Ttpj0XFX5jcPVB.F9n6Ib07ACBHwRK", "$bcrypt-sha256$2a,4$"),
        (
            "pbkdf2_sha256$1500$6MjShHtA0Nv5jiexbwXmsU$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
            "pbkdf2_sha256$1500$",
        ),
        (
            "argon2$argon2id$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
            "argon2$argon2id$v=19$m=64,t=1,p=1$",
        ),
        ("!unusable", "!"),
        ("$5$unusable", "$5$unusable"),
        ("", ""),
    ] {
        assert_eq!(kind(hash), expected);
    }
}
