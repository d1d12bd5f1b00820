// @generated automatically by Diesel CLI.

diesel::table! {
    attempts (name) {
        name -> Text,
        ends_at -> BigInt,
        failures -> BigInt,
        revision -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        secret_hash -> Nullable<Binary>,
        grants -> Text,
        scopes -> Nullable<Text>,
        access_ttl_seconds -> Nullable<BigInt>,
        refresh_ttl_seconds -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    deleted_users (id) {
        id -> BigInt,
    }
}

diesel::table! {
    email_keys_due (user_id) {
        user_id -> BigInt,
        is_shared -> Bool,
    }
}

diesel::table! {
    events (id) {
        id -> BigInt,
        at -> BigInt,
        kind -> Text,
        user_id -> Nullable<BigInt>,
        actor_id -> Nullable<BigInt>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        client_id -> Nullable<Text>,
        session_id -> Nullable<BigInt>,
        request_id -> Nullable<Text>,
        details -> Text,
    }
}

diesel::table! {
    first_admin (number) {
        number -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    local_mail_outbox (id) {
        id -> BigInt,
        kind -> Text,
        language -> Text,
        user_id -> Nullable<BigInt>,
        is_notice -> Bool,
        content -> Nullable<Text>,
        message_id -> Text,
        queued_at -> BigInt,
        waits_since -> BigInt,
        due_at -> BigInt,
        lease -> Nullable<Text>,
        tries -> BigInt,
        recipient -> Nullable<Binary>,
        allowed_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        is_sent -> Bool,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    local_positions (last) {
        last -> BigInt,
    }
}

diesel::table! {
    one_time_tokens (id) {
        id -> BigInt,
        purpose -> Text,
        user_id -> Nullable<BigInt>,
        hash -> Binary,
        email -> Text,
        credential_epoch -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        pending_signup_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    pending_signups (id) {
        id -> BigInt,
        email -> Text,
        email_key -> Text,
        password_hash -> Text,
        full_name -> Nullable<Text>,
        network -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        title -> Text,
        content -> Text,
        author_id -> BigInt,
        revision -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    revocations (session_id) {
        session_id -> BigInt,
        revoked_at -> BigInt,
        expires_at -> BigInt,
        local_position -> BigInt,
    }
}

diesel::table! {
    server_secrets (name) {
        name -> Text,
        value -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> BigInt,
        user_id -> BigInt,
        client_id -> Text,
        scope -> Text,
        secret_hash -> Binary,
        generation -> BigInt,
        proven_generation -> BigInt,
        refreshed_at -> BigInt,
        refresh_ttl_seconds -> BigInt,
        created_at -> BigInt,
        last_used_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Text>,
        tokens_expire_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        private_key -> Text,
        configured_algorithm -> Text,
        created_at -> BigInt,
        signs_from -> BigInt,
        longest_ttl_seconds -> Nullable<BigInt>,
    }
}

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        email_key -> Text,
        password_hash -> Text,
        full_name -> Nullable<Text>,
        is_active -> Bool,
        is_admin -> Bool,
        email_verified -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        credential_epoch -> BigInt,
        delete_after -> Nullable<BigInt>,
    }
}

diesel::joinable!(email_keys_due -> users (user_id));
diesel::joinable!(local_mail_outbox -> users (user_id));
diesel::joinable!(one_time_tokens -> pending_signups (pending_signup_id));
diesel::joinable!(one_time_tokens -> users (user_id));
diesel::joinable!(posts -> users (author_id));

diesel::allow_tables_to_appear_in_same_query!(
    attempts,
    clients,
    deleted_users,
    email_keys_due,
    events,
    first_admin,
    local_mail_outbox,
    local_positions,
    one_time_tokens,
    pending_signups,
    posts,
    revocations,
    server_secrets,
    sessions,
    signing_keys,
    users,
);
