//! The page that a link with a one-time token opens. Opening it neither uses nor judges the token: programs that scan mails
//! and show previews open links too. Only its button does, which posts to the same path.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::{Page, escape};
use crate::fields::Fault;
use crate::http::body::posted::Posted;
use crate::http::error::ApiError;
use crate::http::language::language_of;
use crate::language::Language;

/// The page of one kind of link.
pub(crate) struct LinkPage {
    /// Whether a text looks like a token of these links.
    pub is_token: fn(&str) -> bool,
    /// Title, text and button, in English and German.
    pub ask: [[&'static str; 3]; 2],
    pub inputs: &'static [Input],
    /// Title and text after success, in English and German.
    pub done: [[&'static str; 2]; 2],
    /// Title and text if another account has the address, in English and German. `None`: that cannot happen.
    pub taken: Option<[[&'static str; 2]; 2]>,
    /// What to do with a link that is no longer valid, in English and German.
    pub remedy: [&'static str; 2],
}

/// A field to fill in.
pub(crate) struct Input {
    pub name: &'static str,
    pub kind: &'static str,
    pub autocomplete: &'static str,
    pub is_required: bool,
    /// Label and hint, in English and German.
    pub texts: [[&'static str; 2]; 2],
}

impl LinkPage {
    /// The page as the link opens it.
    pub(crate) fn open(&self, req: &HttpRequest) -> HttpResponse {
        let query = form_urlencoded::parse(req.query_string().as_bytes());
        let token = query.into_iter().find(|(name, _)| name == "token").map(|(_, token)| token).unwrap_or_default();
        self.form(language_of(req), &token, &[]).respond(StatusCode::OK)
    }

    /// Acts on what was posted. Answers a form with a page, and JSON with what `json` makes of the result.
    pub(crate) async fn submit<T, R>(
        &self,
        req: &HttpRequest,
        posted: Posted<T>,
        act: impl AsyncFnOnce(T) -> Result<R, ApiError>,
        json: impl FnOnce(R) -> HttpResponse,
    ) -> Result<HttpResponse, ApiError> {
        let (token, outcome) = match posted {
            Posted::Json(fields) => return act(fields).await.map(json),
            Posted::Form { token, fields: Ok(fields) } => (token, act(fields).await),
            Posted::Form { token, fields: Err(faults) } => (token, Err(ApiError::InvalidFields(faults))),
        };
        let language = language_of(req);
        Ok(match outcome {
            Ok(_) => {
                let [title, text] = pick(language, self.done);
                Page::message(language, title, text).respond(StatusCode::OK)
            }
            Err(error) => self.refused(language, &token, &error).put_in(error.error_response()),
        })
    }

    fn refused(&self, language: Language, token: &str, error: &ApiError) -> Page {
        let again = language.pick("Please try again in a moment.", "Bitte versuchen Sie es gleich noch einmal.");
        match (error, self.taken) {
            (ApiError::InvalidFields(faults), _) if !faults.iter().any(|fault| names(fault, "token")) => {
                self.form(language, token, faults)
            }
            (ApiError::InvalidFields(_) | ApiError::BadOneTimeToken, _) => {
                let title = language.pick("This link is no longer valid", "Dieser Link ist nicht mehr gültig");
                Page::message(language, title, pick(language, self.remedy))
            }
            (ApiError::Conflict(_), Some(taken)) => {
                let [title, text] = pick(language, taken);
                Page::message(language, title, text)
            }
            (ApiError::Forbidden(_), _) => {
                let title = language.pick("Sign-up is closed", "Die Registrierung ist geschlossen");
                let text =
                    language.pick("No accounts are created at present.", "Zurzeit werden keine Konten angelegt.");
                Page::message(language, title, text)
            }
            _ => Page::message(language, language.pick("That did not work", "Das hat nicht geklappt"), again),
        }
    }

    fn form(&self, language: Language, token: &str, faults: &[Fault]) -> Page {
        let [title, text, button] = pick(language, self.ask);
        // No other secret that somebody sends is repeated.
        let token = if (self.is_token)(token) { token } else { "" };
        let inputs = self.inputs.iter().map(|input| input.html(language, faults)).collect::<String>();
        // The path of the page, without its query: neither the browser's history nor a log gets the token once more.
        let content = format!(
            "<p>{text}</p>\n<form method=\"post\" action=\"?\">\n<input type=\"hidden\" name=\"token\" value=\"{}\">\n\
             {inputs}<button>{button}</button>\n</form>",
            escape(token)
        );
        Page { language, title, content }
    }
}

impl Input {
    fn html(&self, language: Language, faults: &[Fault]) -> String {
        let Self { name, kind, autocomplete, .. } = self;
        let [label, hint] = pick(language, self.texts);
        let fault = faults.iter().find(|fault| names(fault, name)).map(|fault| escape(&in_words(language, fault)));
        // The first thing to do then is to fill in this field again.
        let state = if fault.is_some() { " aria-invalid=\"true\" autofocus" } else { "" };
        let required = if self.is_required { " required" } else { "" };
        let note = match fault {
            Some(fault) => format!("<p class=\"fault\" id=\"{name}-note\">{fault}</p>"),
            None => format!("<p class=\"hint\" id=\"{name}-note\">{hint}</p>"),
        };
        format!(
            "<label for=\"{name}\">{label}</label>\n<input id=\"{name}\" name=\"{name}\" type=\"{kind}\" \
             autocomplete=\"{autocomplete}\" aria-describedby=\"{name}-note\"{required}{state}>\n{note}\n"
        )
    }
}

fn names(fault: &Fault, name: &str) -> bool {
    fault.loc.last().is_some_and(|last| last == name)
}

/// What is wrong with a field.
fn in_words(language: Language, fault: &Fault) -> String {
    if let Some(german) = &fault.german {
        return language.pick(&fault.msg, german).clone();
    }
    let (english, german) = match fault.kind {
        "missing" => ("Please fill in this field.", "Bitte füllen Sie dieses Feld aus."),
        "string_too_short" => ("Please use at least 8 characters.", "Bitte nehmen Sie mindestens 8 Zeichen."),
        "string_too_long" => ("That is too long.", "Das ist zu lang."),
        _ => (fault.msg.as_str(), "Das ist zu leicht zu erraten. Bitte wählen Sie etwas anderes."),
    };
    language.pick(english, german).to_owned()
}

fn pick<T>(language: Language, [english, german]: [T; 2]) -> T {
    language.pick(english, german)
}
