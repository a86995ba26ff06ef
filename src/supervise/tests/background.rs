//! Programs that go into the background.

use super::*;

fn orphan(pid: i32, started_as: Option<&str>, has_programs_name: bool) -> Orphan {
    Orphan {
        pid: Pid(pid),
        group: Pid(pid),
        started_as: started_as.map(|name| (name.to_owned(), name.to_owned())),
        has_programs_name,
        foreground_form: Some("nginx -g 'daemon off;'".to_owned()),
    }
}

#[test]
fn a_program_that_goes_into_the_background_is_found_there() {
    let mut story = Story::one(|web| web.start_retries = StartRetries::Times(1)).begun();
    story.told.clear();
    // Of another program; and one that hides its environment behind its title, as nginx does.
    story.orphans = vec![orphan(7, Some("db"), true), orphan(8, None, false), orphan(14, None, true)];
    story.exits("web", 0);
    story.tells(&[
        "WARN exited: web (exit status 0; not expected)",
        "WARN web went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')",
    ]);
    // The next start fails for another reason, and the hint stays: it is the cause.
    story.orphans.clear();
    story.pass(1.0);
    story.exits("web", 1);
    assert_eq!(story.state("web"), ProcessState::Fatal);
    let expected = "it went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')";
    assert_eq!(hint(&story).as_deref(), Some(expected));
    story.start("web", Wait::No);
    assert_eq!(hint(&story), None);
}

#[test]
fn what_forks_twice_is_found_when_the_first_child_has_ended() {
    let mut story = Story::one(|_| ()).begun();
    story.orphans = vec![orphan(14, Some("web"), false)];
    story.exits("web", 0);
    story.told.clear();
    story.orphans = vec![orphan(15, Some("web"), false)];
    story.input(Input::OrphanEnded { pid: Pid(14), status: ExitStatus::Exited(0) });
    story.tells(&["INFO reaped unknown pid 14 (exit status 0)"]);
    assert!(hint(&story).unwrap().contains("as pid 15;"));
    // It may be in the way of a start that gets beyond `startsecs`, but not for ever.
    story.pass(3.0);
    assert_eq!(story.state("web"), ProcessState::Running);
    assert!(hint(&story).is_some());
    story.pass(30.0);
    assert!(hint(&story).is_none());
    story.orphans.clear();
    story.input(Input::OrphanEnded { pid: Pid(15), status: KILLED });
    story.exits("web", 1);
    assert!(hint(&story).is_none(), "it is gone");
}

#[test]
fn only_an_exit_with_0_before_startsecs_is_looked_into() {
    for (secs, status, is_found) in [(0.5, 0, true), (0.5, 1, false), (1.5, 0, false)] {
        let mut story = Story::one(|_| ()).begun();
        story.orphans = vec![orphan(14, Some("web"), false)];
        story.pass(secs);
        story.exits("web", status);
        assert_eq!(hint(&story).is_some(), is_found, "{secs} {status}");
    }
}
