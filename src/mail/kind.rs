//! The kinds of mail. Each has templates of its name, in every language.

/// A kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The link that resets a password. Anybody can ask for it, for any address.
    PasswordReset,
    /// The link that confirms the address of an account.
    EmailVerification,
    /// Tells the owner that the password was changed.
    PasswordChanged,
    /// Tells the owner that the password was reset.
    PasswordResetDone,
    /// The link that gives an account the address that it is sent to.
    EmailChange,
    /// Tells the owner that the address is to be changed.
    EmailChangeAsked,
    /// Tells the earlier address that it was changed, with the link that undoes it.
    EmailChanged,
    /// The link that creates the account of a sign-up. Anybody can ask for it, for any address.
    SignUp,
    /// Tells the owner of an account that somebody signed up with its address.
    SignUpTaken,
}

/// How many mails of a kind one address gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// All mails that somebody asked for share one allowance. Whoever knows the address can use it up.
    Asked,
    /// News of something that has happened to an account: each kind has an allowance of its own, so that nobody can use it
    /// up without doing what the mail tells of. They are also sent first.
    Notice,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::PasswordReset,
        Self::EmailVerification,
        Self::PasswordChanged,
        Self::PasswordResetDone,
        Self::EmailChange,
        Self::EmailChangeAsked,
        Self::EmailChanged,
        Self::SignUp,
        Self::SignUpTaken,
    ];

    /// The name in the database, in metrics, and of the templates.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
            Self::PasswordChanged => "password_changed",
            Self::PasswordResetDone => "password_reset_done",
            Self::EmailChange => "email_change",
            Self::EmailChangeAsked => "email_change_asked",
            Self::EmailChanged => "email_changed",
            Self::SignUp => "sign_up",
            Self::SignUpTaken => "sign_up_taken",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(super) fn allowance(self) -> Allowance {
        match self {
            Self::PasswordReset | Self::EmailVerification | Self::EmailChange | Self::SignUp | Self::SignUpTaken => {
                Allowance::Asked
            }
            Self::PasswordChanged | Self::PasswordResetDone | Self::EmailChangeAsked | Self::EmailChanged => {
                Allowance::Notice
            }
        }
    }

    /// Most of its mails that an address gets in a day, beside the limits of all kinds.
    pub(super) fn max_per_day(self) -> usize {
        // There is nothing to do for the owner: more than one would only annoy.
        if self == Self::SignUpTaken { 1 } else { usize::MAX }
    }

    /// Whether strangers can queue mails of this kind without end. Then they are dropped while many mails wait.
    pub(super) fn is_anonymous(self) -> bool {
        match self {
            Self::PasswordReset | Self::SignUp | Self::SignUpTaken => true,
            Self::EmailVerification
            | Self::PasswordChanged
            | Self::PasswordResetDone
            | Self::EmailChange
            | Self::EmailChangeAsked
            | Self::EmailChanged => false,
        }
    }

    /// Whether everything that its letters need stands in the account.
    pub(super) fn needs_no_content(self) -> bool {
        match self {
            Self::EmailVerification | Self::PasswordChanged | Self::PasswordResetDone => true,
            Self::PasswordReset
            | Self::EmailChange
            | Self::EmailChangeAsked
            | Self::EmailChanged
            | Self::SignUp
            | Self::SignUpTaken => false,
        }
    }

    /// Whether its mails have a link that acts.
    pub(super) fn has_link(self) -> bool {
        match self {
            Self::PasswordReset | Self::EmailVerification | Self::EmailChange | Self::EmailChanged | Self::SignUp => {
                true
            }
            Self::PasswordChanged | Self::PasswordResetDone | Self::EmailChangeAsked | Self::SignUpTaken => false,
        }
    }

    /// The values, beside the link, that its letters have for the templates, each with a sample.
    pub(super) fn values(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::PasswordReset | Self::EmailVerification | Self::EmailChange | Self::SignUp | Self::SignUpTaken => &[],
            Self::PasswordChanged | Self::PasswordResetDone | Self::EmailChangeAsked | Self::EmailChanged => {
                &[("at", "2026-11-21 20:58 UTC")]
            }
        }
    }
}
