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
fn a_program_that_goes_into_the_background_is_found() {
    let mut scenario = Scenario::one(|web| web.start_retries = StartRetries::Times(1)).begin();
    scenario.log.clear();
    // One of another program, and one whose process title overwrites its environment, as nginx's does.
    scenario.orphans = vec![orphan(7, Some("db"), true), orphan(8, None, false), orphan(14, None, true)];
    scenario.exit("web", 0);
    scenario.expect_log(&[
        "WARN exited: web (exit status 0; not expected)",
        "WARN web went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')",
    ]);
    // The next start fails for another reason, and the hint stays: it is the cause.
    scenario.orphans.clear();
    scenario.pass(1.0);
    scenario.exit("web", 1);
    assert_eq!(scenario.state("web"), ProcessState::Fatal);
    let expected = "it went into the background as pid 14; run it in the foreground (nginx -g 'daemon off;')";
    assert_eq!(hint(&scenario).as_deref(), Some(expected));
    scenario.start("web", Wait::No);
    assert_eq!(hint(&scenario), None);
}

#[test]
fn a_double_fork_is_found_after_the_first_child_ends() {
    let mut scenario = Scenario::one(|_| ()).begin();
    scenario.orphans = vec![orphan(14, Some("web"), false)];
    scenario.exit("web", 0);
    scenario.log.clear();
    scenario.orphans = vec![orphan(15, Some("web"), false)];
    scenario.input(Input::OrphanEnded { pid: Pid(14), status: ExitStatus::Exited(0) });
    scenario.expect_log(&["INFO reaped unknown pid 14 (exit status 0)"]);
    assert!(hint(&scenario).unwrap().contains("as pid 15;"));
    // It may conflict with a start that lasts longer than `startsecs`, but not forever.
    scenario.pass(3.0);
    assert_eq!(scenario.state("web"), ProcessState::Running);
    assert!(hint(&scenario).is_some());
    scenario.pass(30.0);
    assert!(hint(&scenario).is_none());
    scenario.orphans.clear();
    scenario.input(Input::OrphanEnded { pid: Pid(15), status: KILLED });
    scenario.exit("web", 1);
    assert!(hint(&scenario).is_none(), "it is gone");
}

#[test]
fn only_an_exit_with_0_before_startsecs_is_investigated() {
    for (secs, status, is_found) in [(0.5, 0, true), (0.5, 1, false), (1.5, 0, false)] {
        let mut scenario = Scenario::one(|_| ()).begin();
        scenario.orphans = vec![orphan(14, Some("web"), false)];
        scenario.pass(secs);
        scenario.exit("web", status);
        assert_eq!(hint(&scenario).is_some(), is_found, "{secs} {status}");
    }
}
