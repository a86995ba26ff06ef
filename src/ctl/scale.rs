//! `sv scale`: another number of processes for a program.
//!
//! With `--json` it prints an array with one object per program: `program`, `processes`, and `results` of the JSON API's
//! `/api/v1/programs/NAME/scale`, or `error`.

use serde_json::{Value as Json, json};

use super::exit;
use super::failure::{CallError, Outcome, fault};
use super::json;
use super::screen::{harmless, shown};
use super::session::Session;
use super::words::{ActionOptions, refuse};
use crate::http::percent_encode;
use crate::model::counted;

const OPTIONS: ActionOptions = ActionOptions { action: "scale", flags: &[("--json", "")], valued: &[] };

/// `scale [--json] PROGRAM=NUMBER...`: every program is scaled, also after one that can't be.
pub(super) fn scale(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let wanted = match wanted(&words.names) {
        Ok(wanted) => wanted,
        Err(why) => {
            refuse(session, "scale", &why);
            return Ok(());
        }
    };
    let mut objects = Vec::new();
    for (program, number) in wanted {
        let target = format!("/api/v1/programs/{}/scale?processes={number}", percent_encode(program));
        let answer = session.post(&target, format!("waiting for {program} to be scaled"));
        let (results, error) = match answer {
            Ok(mut document) => (document["results"].take(), None),
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                let suggestion = session.group_suggestion(program);
                (Json::Null, Some(format!("no such program{suggestion}")))
            }
            Err(error @ (CallError::Fault(..) | CallError::Rejected(_))) => {
                (Json::Null, Some(session.plain(&error)))
            }
            Err(error) => return Err(error.into()),
        };
        let failed = results.as_array().into_iter().flatten().any(|row| !row["error"].is_null());
        if failed || error.is_some() {
            session.fail(exit::GENERIC);
        }
        match words.has("--json") {
            true => objects.push(json!({
                "program": program, "processes": number, "results": results, "error": error,
            })),
            false => report(session, program, number, &results, error),
        }
    }
    if words.has("--json") {
        session.print(&json::array(objects.into_iter()));
    }
    Ok(())
}

/// Programs and their numbers.
fn wanted<'w>(names: &[&'w str]) -> Result<Vec<(&'w str, u32)>, String> {
    let mut wanted: Vec<(&str, u32)> = Vec::new();
    for word in names {
        let number =
            word.rsplit_once('=').and_then(|(program, number)| Some((program, number.parse().ok()?)));
        let Some((program, number)) = number.filter(|(program, _)| !program.is_empty()) else {
            return Err(format!("Error: bad argument {word}: it has to be PROGRAM=NUMBER"));
        };
        if wanted.iter().any(|(other, _)| *other == program) {
            return Err(format!("Error: {program} is named twice"));
        }
        wanted.push((program, number));
    }
    if wanted.is_empty() { Err("Error: scale requires PROGRAM=NUMBER".to_owned()) } else { Ok(wanted) }
}

/// A line for each process that was added, removed or restarted, and one for the program.
fn report(session: &mut Session, program: &str, number: u32, results: &Json, error: Option<String>) {
    if let Some(error) = error {
        for line in error.lines() {
            session.say(format_args!("{program}: ERROR ({})", harmless(line)));
        }
        return;
    }
    for row in results.as_array().into_iter().flatten() {
        let name = shown(&row["full_name"]);
        match (row["outcome"].as_str(), row["error"]["message"].as_str()) {
            (Some("unchanged"), _) => {}
            (Some(outcome), _) => session.say(format_args!("{name}: {}", harmless(outcome))),
            (None, why) => session.say(format_args!("{name}: ERROR ({})", harmless(why.unwrap_or_default()))),
        }
    }
    session.say(format_args!("{program}: {}", counted(number, "process", "processes")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_with_numbers() {
        assert_eq!(wanted(&["web=5", "a=b=0"]), Ok(vec![("web", 5), ("a=b", 0)]));
        for (names, why) in [
            (&[][..], "Error: scale requires PROGRAM=NUMBER"),
            (&["web"], "Error: bad argument web: it has to be PROGRAM=NUMBER"),
            (&["web=-1"], "Error: bad argument web=-1: it has to be PROGRAM=NUMBER"),
            (&["=3"], "Error: bad argument =3: it has to be PROGRAM=NUMBER"),
            (&["web=1", "web=2"], "Error: web is named twice"),
        ] {
            assert_eq!(wanted(names), Err(why.to_owned()));
        }
    }
}
