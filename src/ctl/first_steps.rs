//! What `sv` without an action prints on a terminal where no supervisor runs.

use super::target::{Target, UrlOrigin};
use crate::cli::{ClientOptions, Face};

/// The text; `None` if there may be a supervisor that can't be reached, or the user has named one.
pub(super) fn of(options: &ClientOptions, target: &Target) -> Option<String> {
    let UrlOrigin::Nowhere { config, refusals, .. } = &target.origin else { return None };
    if options.face != Face::Sv || !refusals.is_empty() || options.config.is_some() {
        return None;
    }
    Some(match config {
        None => "\
no supervisor runs here, and there is no configuration yet:
  sv init         writes one, from a Procfile, a Dockerfile or questions
  sv run FILE     starts the programs of one, in the foreground
  sv -- COMMAND   runs one command as its init
  sv --help       lists everything else"
            .to_owned(),
        Some((path, _)) => format!(
            "\
no supervisor runs here; the configuration is {}:
  sv check    reports mistakes in it
  sv run      starts its programs, in the foreground
  sv --help   lists everything else",
            path.display()
        ),
    })
}
