# The five daily commands. `just` is optional: CONTRIBUTING.md has the same commands without it.

_list:
    @just --list --unsorted

# Start the service, or run a command: `just run user --help`
run *args:
    cargo run -- {{args}}

# Format the code
fmt:
    cargo fmt --all

# Lint everything, tests and examples included
lint:
    cargo clippy --all-targets -- -D warnings

# Run the tests on SQLite, or some of them: `just test --test api posts`
test *args:
    cargo test {{args}}

# Run every check that a change must pass
ci:
    bash .ci/run
