//! The names that a value can use, in layers.

use super::super::options::nearest;

/// The value of a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NameValue<'a> {
    /// All names except the two numbers.
    Text(&'a str),
    /// `process_num` and `numprocs`.
    Number(i64),
}

/// A name and its value.
type Named<'a> = (&'static str, NameValue<'a>);

/// Names and their values, layered over those of an outer scope.
///
/// Nothing is copied: a program's scope holds its own few names and refers to the scope with the environment,
/// however large that is.
#[derive(Clone, Debug, Default)]
pub struct Names<'a> {
    outer: Option<&'a Names<'a>>,
    /// The only name of most scopes, as each value has a scope of its own.
    first: Option<Named<'a>>,
    named: Vec<Named<'a>>,
    /// Names start with `ENV_`. Sorted by name; of several with one name the last counts.
    variables: Vec<(&'a str, &'a str)>,
}

/// The prefix of environment variables.
pub(super) const VARIABLE_PREFIX: &str = "ENV_";

impl<'a> Names<'a> {
    /// A scope layered over another one.
    #[must_use]
    pub fn over(outer: &'a Self) -> Self {
        Self { outer: Some(outer), ..Self::default() }
    }

    /// Adds a name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: NameValue<'a>) -> Self {
        match self.first {
            None => self.first = Some((name, value)),
            Some(_) => self.named.push((name, value)),
        }
        self
    }

    /// Adds `ENV_X` for each variable X.
    #[must_use]
    pub fn with_variables(mut self, environment: &'a [(String, String)]) -> Self {
        self.variables.extend(environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.variables.sort_by_key(|(name, _)| *name);
        self
    }

    /// The value of a name; inner scopes take precedence.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<NameValue<'a>> {
        match name.strip_prefix(VARIABLE_PREFIX) {
            Some(variable) => self.scopes().find_map(|scope| scope.variable(variable)).map(NameValue::Text),
            None => self.scopes().find_map(|scope| scope.own(name)),
        }
    }

    /// All names except the variables, sorted, and the number of variables. Their names may be too sensitive
    /// for a log, and their values certainly are.
    #[must_use]
    pub fn listed(&self) -> (Vec<&'static str>, usize) {
        let mut named: Vec<_> = self.scopes().flat_map(Self::named).map(|(name, _)| *name).collect();
        named.sort_unstable();
        named.dedup();
        let mut variables: Vec<_> = self.scopes().flat_map(Self::variable_names).collect();
        variables.sort_unstable();
        variables.dedup();
        (named, variables.len())
    }

    /// The known name that is most similar to an unknown one, if any is similar.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<String> {
        let named = self.scopes().flat_map(Self::named).map(|(name, _)| (*name).to_owned());
        let variables = self.scopes().flat_map(Self::variable_names);
        let known: Vec<_> =
            named.chain(variables.map(|variable| format!("{VARIABLE_PREFIX}{variable}"))).collect();
        nearest(known.iter().map(String::as_str), name).map(str::to_owned)
    }

    fn own(&self, name: &str) -> Option<NameValue<'a>> {
        self.named().rev().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    fn named(&self) -> impl DoubleEndedIterator<Item = &Named<'a>> {
        self.first.iter().chain(&self.named)
    }

    fn variable(&self, name: &str) -> Option<&'a str> {
        let end = self.variables.partition_point(|(known, _)| *known <= name);
        let &(known, value) = self.variables[..end].last()?;
        (known == name).then_some(value)
    }

    fn variable_names(&self) -> impl Iterator<Item = &'a str> {
        self.variables.iter().map(|(name, _)| *name)
    }

    fn scopes(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }
}

/// The names in `%(ENV_NAME)s` and `%(ENV_NAME:?message)s`.
pub(crate) fn variables_in(text: &str) -> Vec<String> {
    let names = text.split("%(ENV_").skip(1).filter_map(|rest| {
        let end = rest.find([')', ':'])?;
        (rest[end..].starts_with(')') || rest[end..].starts_with(":?")).then(|| rest[..end].to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_scopes_win() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (outside, inside) = ([pair("PATH", "/bin"), pair("HOME", "/")], [pair("PATH", "/opt")]);
        let base = Names::default().with("here", NameValue::Text("/etc")).with_variables(&outside);
        let names = Names::over(&base)
            .with("here", NameValue::Text("/etc/conf.d"))
            .with("numprocs", NameValue::Number(2))
            .with_variables(&inside);
        for (name, expected) in [
            ("here", Some(NameValue::Text("/etc/conf.d"))),
            ("numprocs", Some(NameValue::Number(2))),
            ("ENV_PATH", Some(NameValue::Text("/opt"))),
            ("ENV_HOME", Some(NameValue::Text("/"))),
            ("PATH", None),
            ("ENV_", None),
            ("ENV_here", None),
            ("", None),
        ] {
            assert_eq!(names.get(name), expected, "{name}");
        }
        assert_eq!(names.listed(), (vec!["here", "numprocs"], 2));
        assert_eq!(names.nearest("ENV_PAHT").as_deref(), Some("ENV_PATH"));
        assert_eq!(names.nearest("numproc").as_deref(), Some("numprocs"));
        assert_eq!(names.nearest("process_num"), None);
    }

    #[test]
    fn variables_without_a_default_are_needed() {
        let text = "a=%(ENV_A)s%(ENV_B:-x)d %(ENV_C:?why)s\nb=%(here)s %(ENV_D";
        assert_eq!(variables_in(text), ["A", "C"]);
    }
}
