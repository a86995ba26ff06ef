//! How signals are handled, and which exit code results: decided in values.

use crate::cli::{Face, InitOptions};
use crate::model::{ExitStatus, Signal};

/// The exit code if the kernel reported neither a code nor a signal.
const UNKNOWN: u8 = 1;

/// The reaction to one signal, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct SignalStep {
    /// Reap children.
    pub(super) reap: bool,
    /// Send this to the command.
    pub(super) send: Option<Signal>,
    /// Stop ourselves until we are continued.
    pub(super) suspend: bool,
}

/// The rules for one face and its options.
#[derive(Debug)]
pub(super) struct SignalRules {
    rewrites: Vec<(Signal, Option<Signal>)>,
    exit_codes: Vec<(u8, u8)>,
    suspends: bool,
    prints_last_line: bool,
    /// Signals to ignore once: those that the kernel sends us when we release the terminal.
    unheard: Vec<Signal>,
}

impl SignalRules {
    /// As in tini and dumb-init. tini does not forward TTIN and TTOU. dumb-init stops with its command; as
    /// the leader of a session it can't rely on being continued, so it sends STOP instead of TSTP and ignores
    /// TSTP itself.
    pub(super) fn new(options: &InitOptions) -> Self {
        let own: Vec<_> = match options.face {
            Face::Tini => [Signal::TTIN, Signal::TTOU].map(|signal| (signal, None)).to_vec(),
            _ if options.session => TERMINAL_STOPS.map(|signal| (signal, Some(Signal::STOP))).to_vec(),
            _ => Vec::new(),
        };
        Self {
            rewrites: own.into_iter().chain(options.rewrites.iter().copied()).collect(),
            exit_codes: options.exit_codes.clone(),
            suspends: options.face == Face::DumbInit,
            prints_last_line: options.session,
            unheard: Vec::new(),
        }
    }

    /// Signals that keep their default action, as in tini. Others are forwarded if a process sent them; our
    /// own faults still kill us.
    pub(super) fn left_alone(face: Face) -> &'static [Signal] {
        if face == Face::Tini { &Signal::FAULTS } else { &[] }
    }

    /// The terminal is released: the hang-up that follows is not for the command.
    pub(super) fn expect_hangup(&mut self) {
        self.unheard = vec![Signal::HUP, Signal::CONT];
    }

    /// The reaction to a signal.
    pub(super) fn on(&mut self, signal: Signal) -> SignalStep {
        if signal == Signal::CHLD {
            return SignalStep { reap: true, ..SignalStep::default() };
        }
        if let Some(at) = self.unheard.iter().position(|unheard| *unheard == signal) {
            self.unheard.remove(at);
            return SignalStep::default();
        }
        let suspend = self.suspends && TERMINAL_STOPS.contains(&signal);
        SignalStep { reap: false, send: self.rewritten(signal), suspend }
    }

    /// The signal for processes that the command leaves behind.
    pub(super) fn last_line(&self) -> Option<Signal> {
        if self.prints_last_line { self.rewritten(Signal::TERM) } else { None }
    }

    /// What to exit with.
    pub(super) fn exit_code(&self, status: ExitStatus) -> u8 {
        let code = match status {
            ExitStatus::Exited(code) => code,
            ExitStatus::Signaled { .. } | ExitStatus::OomKilled => status.for_shell(),
            ExitStatus::Unknown(_) => UNKNOWN,
        };
        self.exit_codes.iter().rev().find(|(from, _)| *from == code).map_or(code, |(_, to)| *to)
    }

    fn rewritten(&self, signal: Signal) -> Option<Signal> {
        let rewrite = self.rewrites.iter().rev().find(|(from, _)| *from == signal);
        rewrite.map_or(Some(signal), |(_, to)| *to)
    }
}

/// The signals by which a terminal stops processes.
const TERMINAL_STOPS: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(change: impl Fn(&mut InitOptions)) -> SignalRules {
        let mut options = InitOptions::new(Face::Sv);
        change(&mut options);
        SignalRules::new(&options)
    }

    fn face(face: Face) -> SignalRules {
        SignalRules::new(&InitOptions::new(face))
    }

    #[test]
    fn signals_are_forwarded_unchanged() {
        let mut rules = rules(|_| {});
        for number in (1..=64).filter(|number| *number != Signal::CHLD.0) {
            let step = SignalStep { send: Some(Signal(number)), ..SignalStep::default() };
            assert_eq!(rules.on(Signal(number)), step, "{number}");
        }
        assert_eq!(rules.on(Signal::CHLD), SignalStep { reap: true, ..SignalStep::default() });
    }

    #[test]
    fn signals_are_rewritten_and_the_last_rewrite_counts() {
        let mut rules = rules(|options| {
            options.rewrites = vec![
                (Signal::TERM, Some(Signal::HUP)),
                (Signal::TERM, Some(Signal::QUIT)),
                (Signal::USR1, None),
            ];
        });
        assert_eq!(rules.on(Signal::TERM).send, Some(Signal::QUIT));
        assert_eq!(rules.on(Signal::USR1).send, None);
        assert_eq!(rules.on(Signal::QUIT).send, Some(Signal::QUIT));
        assert_eq!(rules.last_line(), None);
    }

    #[test]
    fn faces_differ_in_what_a_terminal_sends() {
        for (name, number, send, suspend) in [
            (Face::Tini, 20, Some(20), false),
            (Face::Tini, 21, None, false),
            (Face::Tini, 22, None, false),
            (Face::DumbInit, 20, Some(19), true),
            (Face::DumbInit, 21, Some(19), true),
            (Face::DumbInit, 1, Some(1), false),
        ] {
            let step = SignalStep { send: send.map(Signal), suspend, ..SignalStep::default() };
            assert_eq!(face(name).on(Signal(number)), step, "{name:?} {number}");
        }
        assert_eq!(face(Face::DumbInit).last_line(), Some(Signal::TERM));
    }

    #[test]
    fn the_hangup_of_releasing_the_terminal_is_ignored_once() {
        let mut rules = rules(|options| options.session = true);
        rules.expect_hangup();
        for sent in [None, Some(Signal::HUP)] {
            assert_eq!(rules.on(Signal::HUP).send, sent);
        }
        for sent in [None, Some(Signal::CONT)] {
            assert_eq!(rules.on(Signal::CONT).send, sent);
        }
    }

    #[test]
    fn the_exit_code_is_the_commands_unless_replaced() {
        let rules = rules(|options| options.exit_codes = vec![(143, 0), (3, 4), (3, 5)]);
        let signaled = |number| ExitStatus::Signaled { signal: Signal(number), core_dumped: false };
        for (status, code) in [
            (ExitStatus::Exited(0), 0),
            (ExitStatus::Exited(255), 255),
            (ExitStatus::Exited(143), 0),
            (ExitStatus::Exited(3), 5),
            (signaled(15), 0),
            (signaled(9), 137),
            (signaled(64), 192),
            (ExitStatus::Unknown(0x137f), 1),
        ] {
            assert_eq!(rules.exit_code(status), code, "{status}");
        }
    }
}
