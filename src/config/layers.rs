//! Where settings come from: files, `.env` and the environment, merged in layers.

use std::collections::BTreeMap;
use std::env::VarError;
use std::path::Path;
use std::{fs, io};

use super::choices::Environment;
use super::error::{ConfigError, quoted};
use super::values::Values;
use super::{dotenv, keys};

/// Built in, so that the program runs without files; the file in the working directory overrides it.
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Environments whose file may be absent.
const KNOWN_ENVIRONMENTS: [&str; 2] = ["development", "production"];

/// A variable: its name as written, and its value.
type Variable = (String, String);

/// The variables of the process: ours, and those that `.env` or a database URL may refer to.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn process_variables() -> Result<Vec<Variable>, ConfigError> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        // A name that is not UTF-8 is not ours.
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) if is_ours(&name) => return Err(ConfigError::new(name, "is not valid UTF-8")),
            Err(_) => {}
        }
    }
    Ok(variables)
}

/// `RUST_LOG`, the log's filter; `None` if unset or empty. It is no setting: every program in Rust has it.
///
/// # Errors
/// If it is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn log_filter() -> Result<Option<String>, ConfigError> {
    match std::env::var("RUST_LOG") {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(ConfigError::new("RUST_LOG", "is not valid UTF-8")),
    }
}

/// All layers merged, and the environment that selected them.
pub(super) fn gather(
    dir: &Path,
    process: impl IntoIterator<Item = Variable>,
) -> Result<(Environment, Values), ConfigError> {
    let process: Vec<Variable> = process.into_iter().collect();
    let by_name: BTreeMap<String, String> = process.iter().cloned().collect();
    let process = by_lower_case_name(process)?;
    let dotenv = by_lower_case_name(read_dotenv(dir, &by_name)?)?;
    let environment = environment(&process, &dotenv)?;

    let mut values = Values::default();
    values.libpq = by_name.into_iter().filter(|(name, _)| name.starts_with("PG")).collect();
    values.add_toml("the built-in defaults", DEFAULTS)?;
    add_file(&mut values, dir, "default")?;
    let found = add_file(&mut values, dir, environment.as_str())?;
    if !found && matches!(environment, Environment::Other(_)) {
        return Err(missing_file(&environment));
    }
    add_variables(&mut values, dotenv, " in .env")?;
    add_variables(&mut values, process, "")?;
    Ok((environment, values))
}

/// Reads `KEYFOB_ENV`, from the process before `.env`; empty counts as unset.
fn environment(
    process: &BTreeMap<String, Variable>,
    dotenv: &BTreeMap<String, Variable>,
) -> Result<Environment, ConfigError> {
    let named = [process, dotenv]
        .into_iter()
        .filter_map(|layer| layer.get("keyfob_env"))
        .map(|(_, value)| value.trim())
        .find(|value| !value.is_empty());
    let Some(name) = named else {
        return Ok(Environment::Development);
    };
    // Accept the two known names in any case: where file names ignore case, `Production` would find the file of
    // `production` but leave its checks off.
    match name.to_ascii_lowercase().as_str() {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ if is_environment_name(name) => Ok(Environment::Other(name.to_owned())),
        _ => {
            let fault = "is not a valid environment name; use only letters, digits, `-` and `_`";
            let line = format!("{} {fault}", quoted(name));
            Err(ConfigError::new("KEYFOB_ENV", line))
        }
    }
}

/// Whether the name is safe as part of a path.
fn is_environment_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn missing_file(environment: &Environment) -> ConfigError {
    let name = environment.as_str();
    let is_near = |known: &&str| strsim::jaro_winkler(known, name) > 0.8;
    let near = KNOWN_ENVIRONMENTS.into_iter().find(is_near);
    let hint = near.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    let fault = format!("`{name}` is unknown: config/{name}.toml does not exist");
    let expected = "expected development, production, or a name with such a file";
    ConfigError::new("KEYFOB_ENV", format!("{fault}; {expected}{hint}"))
}

/// Merges `config/{name}.toml` over the values; `false` if it does not exist.
fn add_file(values: &mut Values, dir: &Path, name: &str) -> Result<bool, ConfigError> {
    let file = format!("config/{name}.toml");
    match read_text(&dir.join(&file), &file)? {
        Some(text) => values.add_toml(&file, &text).map(|()| true),
        None => Ok(false),
    }
}

fn add_variables(values: &mut Values, variables: BTreeMap<String, Variable>, place: &str) -> Result<(), ConfigError> {
    for (lower, (name, value)) in variables {
        // Deployments set these two for a single start, and write them like `KEYFOB_ENV`.
        let bootstrap = || lower.strip_prefix("keyfob_").filter(|rest| rest.starts_with("bootstrap__"));
        let Some(rest) = lower.strip_prefix("keyfob__").or_else(bootstrap) else {
            refuse_misspelt(&name)?;
            continue;
        };
        let origin = format!("environment variable {name}{place}");
        values.add_variable(rest.replace("__", "."), value, &origin)?;
    }
    Ok(())
}

fn refuse_misspelt(name: &str) -> Result<(), ConfigError> {
    match keys::misspelt_variable(name) {
        Some(key) => {
            let meant = keys::variable_name(key);
            let fault = format!("unknown variable, did you mean `{meant}` for `{key}`?");
            Err(ConfigError::new(name, fault))
        }
        None => Ok(()),
    }
}

/// Keeps variables that could be ours. Names are compared without case, so one name in two spellings is ambiguous.
fn by_lower_case_name(
    variables: impl IntoIterator<Item = Variable>,
) -> Result<BTreeMap<String, Variable>, ConfigError> {
    let mut kept = BTreeMap::new();
    for (name, value) in variables {
        if !is_ours(&name) {
            continue;
        }
        let lower = name.to_lowercase();
        if let Some((earlier, _)) = kept.insert(lower, (name.clone(), value)) {
            let fault = format!("is set twice, also as {earlier}; set it once");
            return Err(ConfigError::new(name, fault));
        }
    }
    Ok(kept)
}

fn is_ours(name: &str) -> bool {
    name.to_lowercase().starts_with("keyfob_")
}

/// The variables in `.env`, none if it does not exist; leaves the process environment unchanged.
fn read_dotenv(dir: &Path, process: &BTreeMap<String, String>) -> Result<Vec<Variable>, ConfigError> {
    let text = read_text(&dir.join(".env"), ".env")?.unwrap_or_default();
    let read = dotenv::read(&text, process, is_ours);
    read.map_err(|fault| ConfigError::new(format!(".env line {}", fault.line), fault.cause))
}

/// The text of a file without a byte order mark, `None` if it does not exist.
fn read_text(path: &Path, shown: &str) -> Result<Option<String>, ConfigError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConfigError::new(shown, format!("cannot be read: {error}"))),
    };
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::new(shown, "is not valid UTF-8"))?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}
